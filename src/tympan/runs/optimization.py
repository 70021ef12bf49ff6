"""Optimizers and learning-rate schedules, as torch defines them."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

from torch import nn
from torch.distributed.tensor import DTensor
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from .sections import Optimizer as OptimizerConfig


def optimizer(config: OptimizerConfig, model: nn.Module) -> Optimizer:
    """The optimizer; weight decay is for matrices and kernels, not for biases and normalisation."""
    groups: list[dict[str, Any]] = []
    for share, own in _layers(model, config.layer_decay):
        for decay, there in (
            (config.weight_decay, [p for p in own if p.ndim > 1]),
            (0.0, [p for p in own if p.ndim <= 1]),
        ):
            if there:
                groups.append({"params": there, "weight_decay": decay, "lr": share * config.learning_rate})
    if config.name == "sgd":
        parted = any(isinstance(p, DTensor) for p in model.parameters())  # for which torch has no fused sgd
        return SGD(groups, momentum=config.momentum, fused=not parted)
    kind = Adam if config.name == "adam" else AdamW
    return kind(groups, betas=(config.beta1, config.beta2), fused=True)


def freeze(config: OptimizerConfig, model: nn.Module) -> None:
    """Keep the weights that `freeze` names as they are, and their modules as in evaluation.

    Raises:
        ValueError: nothing has such a name, or nothing is left to train.
    """
    for begin in config.freeze:
        frozen = [p for name, p in model.named_parameters() if f"{name}.".startswith(f"{begin}.")]
        if not frozen:
            there = list(dict.fromkeys(name.partition(".")[0] for name, _ in model.named_parameters()))
            raise ValueError(f"optimizer.freeze: no weights begin with {begin!r}; they begin with {', '.join(there)}")
        for parameter in frozen:
            parameter.requires_grad = False
        still = partial(_still, [m for name, m in model.named_modules() if f"{name}.".startswith(f"{begin}.")])
        for name, module in model.named_modules():
            # Whoever calls train() on the whole model would have a frozen mean and variance follow the batches. What
            # lies further inside may be used without being called, so whatever holds the frozen part tells all of it.
            if not name or f"{begin}.".startswith(f"{name}."):
                module.register_forward_pre_hook(still)
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("optimizer.freeze: nothing is left to train; freeze less, or set training.max_epochs: 0")


def _still(frozen: list[nn.Module], module: nn.Module, given: Any) -> None:
    for part in frozen:
        part.training = False


def _layers(model: nn.Module, decay: float) -> list[tuple[float, list[nn.Parameter]]]:
    """The share of the learning rate of each layer, and its weights; the head and whatever is no backbone is last."""
    trained = {id(p) for p in _trained(model)}
    if decay == 1:
        return [(1.0, list(_trained(model)))]
    backbone: Any = getattr(model, "backbone", model)
    network = getattr(backbone, "network", None)
    numbers: dict[int, int] = {}
    if network is not None and hasattr(network, "group_matcher"):
        from timm.models import group_parameters  # it takes a second, and brings Weights & Biases with it

        by_layer: Any = group_parameters(network, network.group_matcher(coarse=False), reverse=True)
        numbers = {id(p): int(by_layer[name]) for name, p in network.named_parameters() if name in by_layer}
    else:
        stems = [name.rpartition(".")[0] for name, _ in backbone.named_parameters()]
        order = {stem: i for i, stem in enumerate(dict.fromkeys(stems))}
        numbers = {id(p): order[name.rpartition(".")[0]] for name, p in backbone.named_parameters()}
    ranks = {number: rank for rank, number in enumerate(sorted(set(numbers.values())))}
    layers: dict[int, list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if id(parameter) in trained:
            number = numbers.get(id(parameter))
            layers.setdefault(len(ranks) if number is None else ranks[number], []).append(parameter)
    return [(decay ** (len(ranks) - rank), own) for rank, own in sorted(layers.items())]


def scheduler(config: OptimizerConfig, what: Optimizer, steps: int, higher_is_better: bool = False) -> LRScheduler:
    """The schedule over `steps` optimizer steps.

    A warm-up of w steps begins at 1 / w of the learning rate and reaches it at step w, as torch's LinearLR from 1 / w
    does; the schedule then has the steps that are left.

    Args:
        higher_is_better: of the monitored figure, which reduce_on_plateau follows at every validation.
    """
    warmup = config.warmup_steps or round(config.warmup_ratio * steps)
    if config.scheduler == "onecycle":
        # torch divides by how many steps it rises less one, and by how many it falls.
        rise = min(max(warmup, 1 + 1e-6) / steps, 1 - 1e-6) if warmup else 0.3
        peak = (config.max_lr or config.learning_rate) / config.learning_rate
        highest = [peak * group["lr"] for group in what.param_groups]
        return OneCycleLR(what, max_lr=highest, total_steps=steps, pct_start=rise)
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
