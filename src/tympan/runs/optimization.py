"""Optimizers and learning-rate schedules, as torch defines them."""

import math
from collections.abc import Iterator
from typing import Any

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
        return SGD(groups, lr=rate, momentum=config.momentum, fused=True)
    kind = Adam if config.name == "adam" else AdamW
    return kind(groups, lr=rate, betas=(config.beta1, config.beta2), fused=True)


def scheduler(config: OptimizerConfig, what: Optimizer, steps: int, higher_is_better: bool = False) -> LRScheduler:
    """The schedule over `steps` optimizer steps.

    A warm-up of w steps begins at 1 / w of the learning rate and reaches it at step w, as torch's LinearLR from 1 / w
    does; the schedule then has the steps that are left.

    Args:
        higher_is_better: of the monitored figure, which reduce_on_plateau follows at every validation.
    """
    warmup = config.warmup_steps or round(config.warmup_ratio * steps)
    if config.scheduler == "onecycle":
        rise = warmup / steps if warmup else 0.3
        return OneCycleLR(what, max_lr=config.max_lr or config.learning_rate, total_steps=steps, pct_start=rise)
    if config.scheduler == "reduce_on_plateau":
        mode = "max" if higher_is_better else "min"
        return _Plateau(what, warmup, mode=mode, patience=config.plateau_patience)

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        done = min((step - warmup) / max(steps - warmup, 1), 1.0)
        return {"cosine": 0.5 * (1 + math.cos(math.pi * done)), "linear": 1 - done}.get(config.scheduler, 1.0)

    return LambdaLR(what, factor)


class _Plateau(ReduceLROnPlateau):
    """A plateau that is approached by a warm-up.

    The Trainer steps it at validations alone, so the warm-up counts the optimizer's own steps. It scales what the
    plateau wants, also where a validation lowers that on the way.
    """

    def __init__(self, what: Optimizer, warmup: int, **options: Any) -> None:
        super().__init__(what, **options)
        self.warmup, self.taken = warmup, 0
        if warmup:
            self._scale(1 / warmup)
            what.register_step_post_hook(self._after)

    def _after(self, what: Optimizer, *_: Any) -> None:
        self.taken += 1
        if self.taken < self.warmup:
            self._scale((self.taken + 1) / self.taken)

    def _scale(self, factor: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] *= factor


def _trained(model: nn.Module) -> Iterator[nn.Parameter]:
    return (p for p in model.parameters() if p.requires_grad)
