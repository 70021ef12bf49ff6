"""Convolutions in bfloat16 on a processor, seen to be right before they are relied on."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ..component import assume

_CONVOLUTIONS = (torch.conv1d, torch.conv2d, torch.conv3d)
WRONG = 0.05
"""Of the norm of what is right, what is more than rounding to 8 bits makes of it."""


class Checked(TorchFunctionMode):
    """While it lasts, a convolution under autocast is compared with float32's when its shape is first seen, and is done
    in float32 where they differ.

    By torch 2.14 on a processor with AMX those with 8 or 16 channels and kernels of 4 and more are wrong, in silence:
    nothing of what comes out belongs to what went in.
    """

    def __init__(self) -> None:
        super().__init__()
        self.right: dict[tuple[object, ...], bool] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call `func`, or a convolution in float32 in place of one that would be wrong."""
        given = dict(kwargs or {})
        if func not in _CONVOLUTIONS or not torch.is_autocast_enabled("cpu"):
            return func(*args, **given)
        x, weight, *rest = args
        shape = (x.shape[1:], weight.shape, *(v for v in rest if not isinstance(v, Tensor)), *given.items())
        if shape not in self.right:
            self.right[shape] = self._is_right(func, args, given)
        if self.right[shape]:
            return func(*args, **given)
        return _exact(func, args, given).to(torch.get_autocast_dtype("cpu"))

    def _is_right(self, func: Callable[..., Any], args: Sequence[Any], given: dict[str, Any]) -> bool:
        with torch.no_grad():
            exact = _exact(func, args, given)
            error = torch.linalg.vector_norm(func(*args, **given).float() - exact)
        right = bool(error <= WRONG * torch.linalg.vector_norm(exact)) or not bool(exact.isfinite().all())
        if not right:
            kernel = " by ".join(map(str, args[1].shape))
            assume(
                f"this processor's bfloat16 is wrong for convolutions with {kernel} weights, done in float32 instead"
            )
        return right


def _exact(func: Callable[..., Any], args: Sequence[Any], given: dict[str, Any]) -> Tensor:
    with torch.autocast("cpu", enabled=False):
        return func(*(a.float() if isinstance(a, Tensor) else a for a in args), **given)
