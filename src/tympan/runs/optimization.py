"""Optimizers and learning-rate schedules, as torch defines them."""

import math
from collections.abc import Iterator

import torch
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


def scheduler(config: OptimizerConfig, what: Optimizer, steps: int) -> LRScheduler:
    """The schedule over `steps` optimizer steps."""
    if config.scheduler == "onecycle":
        rise = config.warmup_ratio or 0.3
        return OneCycleLR(what, max_lr=config.max_lr or config.learning_rate, total_steps=steps, pct_start=rise)
    if config.scheduler == "reduce_on_plateau":
        return ReduceLROnPlateau(what)
    warmup = config.warmup_steps or round(config.warmup_ratio * steps)

    def factor(step: int) -> float:
        if step < warmup:
            return step / warmup
        done = min((step - warmup) / max(steps - warmup, 1), 1.0)
        return {"cosine": 0.5 * (1 + math.cos(math.pi * done)), "linear": 1 - done}.get(config.scheduler, 1.0)

    return LambdaLR(what, factor)


def _trained(model: nn.Module) -> Iterator[nn.Parameter]:
    return (p for p in model.parameters() if p.requires_grad)


def device(name: str) -> torch.device:
    """The device of that name; `auto` is cuda, then mps, then cpu.

    Raises:
        ValueError: this machine has no such device.
    """
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(d for d in here if here[d]))
    if not here[name]:
        raise ValueError(f"hardware.device: this machine has no {name}; it has {', '.join(d for d in here if here[d])}")
    return torch.device(name)
