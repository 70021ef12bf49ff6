"""Representations of a waveform: `(batch, channels, samples)` -> `(batch, channels, frames)`."""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from ..component import Component
from ..signals import Signal

if TYPE_CHECKING:
    from torch import nn


class Feature(Component):
    """A representation of sound; the module it builds takes a float32 waveform `(batch, 1, samples)`."""

    packages: ClassVar[tuple[str, ...]] = ("tympan.features",)

    normalize: Literal["none", "peak"] = "peak"
    """What is done to each clip's waveform first: nothing, or scaled to a largest magnitude of 1."""
    standardize: Literal["none", "clip", "channel"] = "clip"
    """What is done to each clip's features: nothing; zero mean and unit deviation over the whole clip; or the same in
    every channel by itself. Padding does not count."""

    @abstractmethod
    def build(self, audio: Signal) -> "tuple[nn.Module, Signal]":
        """The module, and the Signal of what it gives.

        The module maps `(batch, 1, samples)` to `(batch, channels, frames)`; frame i lies around second i / rate,
        or begins there where the convention says so (Kaldi's).

        Raises:
            ValueError: the fields cannot be met at this sample rate or length.
        """
