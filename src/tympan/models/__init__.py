"""Backbones: features -> a sequence of embeddings."""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Self

from ..component import Component
from ..signals import Signal

if TYPE_CHECKING:
    from torch import nn


class Model(Component):
    """A backbone; the module it builds maps features to a sequence of embeddings."""

    packages: ClassVar[tuple[str, ...]] = ("tympan.models",)
    causal: ClassVar[bool] = False
    """Whether a frame of the embedding depends on earlier frames alone."""
    hears_padding: ClassVar[bool] = False
    """Whether the amount of padding can change what is said of a clip (image networks)."""

    @abstractmethod
    def build(self, features: Signal, target: Signal) -> "tuple[nn.Module, Signal]":
        """The module, and the Signal of its embedding.

        The module's `forward(x, real)` takes features `(batch, channels, frames)`, zero where `real` `(batch, frames)`
        is False, and gives the embedding `(batch, width, frames')`.

        Raises:
            ValueError: the features cannot be met, for example because there are too few frames.
        """

    def bare(self) -> Self:
        """A copy that builds the same module without reading any file; for models that start from weights."""
        return self
