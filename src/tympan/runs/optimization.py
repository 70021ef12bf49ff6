"""Optimizers and learning-rate schedules, as torch defines them."""

import math
from collections.abc import Iterator

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from .sections import Optimizer as OptimizerConfig


def optimizer(config: OptimizerConfig, model: nn.Module) -> Optimizer:
    """The optimizer; weight decay is for matrices and kernels, not for biases and normalisation."""
    decayed = [p for p in _trained(model) if p.ndim > 1]
    plain = [p for p in _trained(model) if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    rate = config.learning_rate
    if config.name == "sgd":
        return SGD(groups, lr=rate, momentum=config.momentum)
    kind = Adam if config.name == "adam" else AdamW
    return kind(groups, lr=rate, betas=(config.beta1, config.beta2), fused=True)


def scheduler(config: OptimizerConfig, what: Optimizer, steps: int, higher_is_better: bool = False) -> LRScheduler:
    """The schedule over `steps` optimizer steps.

    Args:
        higher_is_better: of the monitored figure, which reduce_on_plateau follows at every validation.
    """
    if config.scheduler == "onecycle":
        rise = config.warmup_ratio or 0.3
        return OneCycleLR(what, max_lr=config.max_lr or config.learning_rate, total_steps=steps, pct_start=rise)
    if config.scheduler == "reduce_on_plateau":
        return ReduceLROnPlateau(what, mode="max" if higher_is_better else "min")
    warmup = config.warmup_steps or round(config.warmup_ratio * steps)

    def factor(step: int) -> float:
        if step < warmup:
            return step / warmup
        done = min((step - warmup) / max(steps - warmup, 1), 1.0)
        return {"cosine": 0.5 * (1 + math.cos(math.pi * done)), "linear": 1 - done}.get(config.scheduler, 1.0)

    return LambdaLR(what, factor)


def _trained(model: nn.Module) -> Iterator[nn.Parameter]:
    return (p for p in model.parameters() if p.requires_grad)
