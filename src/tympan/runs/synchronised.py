"""Batch normalisation over the batches of all processes, whatever network it is in and on whatever device."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, distributed
from torch.overrides import TorchFunctionMode


class Synchronised(TorchFunctionMode):
    """While it lasts, mean and variance of batch normalisation in training are those of all processes' batches, as
    Ioffe & Szegedy 2015 (arXiv 1502.03167) define them for the one large batch.

    torch's own `SyncBatchNorm` does not work on a processor, and takes the place of layers that do more than it.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call `func`, or what stands for batch normalisation here."""
        if func is torch.nn.functional.batch_norm:
            return _batch_norm(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """As `torch.nn.functional.batch_norm`: `(batch, channels, ...)` -> the same."""
    if not training:
        return torch.nn.functional.batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    places = [0, *range(2, x.dim())]
    heard = x.float()
    # In two rounds, since a variance from sums of squares loses all its digits where the mean is large beside it.
    sums = _of_all(torch.cat([heard.sum(places), heard.new_tensor([heard.numel() / heard.shape[1]])]))
    count = sums[-1].detach()
    mean = sums[:-1] / count
    away = heard - _along(mean, x)
    variance = _of_all(away.square().sum(places)) / count
    if running_mean is not None and running_var is not None:
        with torch.no_grad():
            running_mean.lerp_(mean.detach().to(running_mean), momentum)
            running_var.lerp_((variance.detach() * count / (count - 1)).to(running_var), momentum)
    normal = away * _along(torch.rsqrt(variance + eps), x)
    if weight is not None:
        normal = normal * _along(weight.float(), x)
    if bias is not None:
        normal = normal + _along(bias.float(), x)
    return normal.to(x.dtype)


class _Sum(torch.autograd.Function):
    """The sum over processes, whose gradient is the sum of theirs; torch has one too, and warns of it."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        distributed.all_reduce(every := own.contiguous().clone())
        return every

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _Sum.forward(ctx, gradients[0])


def _of_all(own: Tensor) -> Tensor:
    found: Any = _Sum.apply(own)
    return found


def _along(values: Tensor, x: Tensor) -> Tensor:
    """One value for each channel, beside `x`."""
    return values.reshape(1, -1, *[1] * (x.dim() - 2))
