"""A network that was written for nothing in particular, as a model: what it gives is the prediction."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from jaxtyping import Bool, Float
from pydantic import field_serializer, field_validator
from torch import Tensor, nn

from ..component import called
from ..models import Model
from ..signals import Signal


class Plain(Model):
    """A plain `nn.Module` of the user's own, with its own last layer; `Routine.model` makes it, no file can name it.

    It hears `(batch, channels, frames)`, or `(batch, frames)`, and gives `(batch, outputs)`.
    """

    module: Callable[..., Any]
    """The module, whose weights are begun with; or its class, or a function, that makes one without arguments."""
    flat: bool = False
    """Whether it hears `(batch, frames)`."""

    @field_validator("module", mode="before")
    @classmethod
    def _only_from_python(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError(f"{value} was a module of Python, which no file holds; walk the routine in Python again")
        return value

    @field_serializer("module")
    def _by_name(self, module: Callable[..., Any]) -> str:
        return called(module)

    @property
    def hears_padding(self) -> bool:
        return True

    def make(self) -> nn.Module:
        """A new module; the one that was given is never changed.

        Raises:
            ValueError: the function makes something else.
        """
        made = deepcopy(self.module).cpu() if isinstance(self.module, nn.Module) else self.module()
        if not isinstance(made, nn.Module):
            raise ValueError(
                f"model: {called(self.module)} makes {type(made).__name__}; give an nn.Module, or what makes one"
            )
        return made

    def build(self, features: Signal, target: Signal) -> tuple[nn.Module, Signal]:
        """The module behind what a pipeline says to it, and the Signal of the target itself.

        Raises:
            ValueError: it does not give one number for each of the target's channels.
        """
        module = _Plain(self.make(), self.flat)
        heard = torch.zeros(2, len(features.channels), features.frames)
        with torch.no_grad():
            given = module.eval().module(module.heard(heard))
        wanted = (2, len(target.channels))
        if not isinstance(given, Tensor) or given.shape != wanted:
            shape = tuple(module.heard(heard).shape)
            what = str(tuple(given.shape)) if isinstance(given, Tensor) else type(given).__name__
            raise ValueError(
                f"model: {called(self.module)} was given {shape} and gives {what}; it must give {wanted}: "
                f"(batch, outputs), one for each of {', '.join(target.channels)}"
            )
        return module.train(), Signal(target.channels, None, features.duration)


class _Plain(nn.Module):
    def __init__(self, module: nn.Module, flat: bool) -> None:
        super().__init__()
        self.module, self.flat = module, flat
        self.register_state_dict_post_hook(_apart)

    def heard(self, x: Tensor) -> Tensor:
        return x.squeeze(1) if self.flat else x

    def forward(
        self, x: Float[Tensor, "batch channels frames"], real: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch outputs 1"]:
        return self.module(self.heard(x))[:, :, None]


def _apart(module: nn.Module, state: dict[str, Any], prefix: str, _: Any) -> None:
    """Weights that layers share lie in files once for each, since a checkpoint's format knows no sharing."""
    seen = set[int]()
    for name in [name for name in state if name.startswith(prefix)]:
        place = state[name].untyped_storage().data_ptr()
        state[name] = state[name].clone() if place in seen else state[name]
        seen.add(place)
