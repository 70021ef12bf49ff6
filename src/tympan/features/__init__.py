"""Representations of a waveform: `(batch, channels, samples)` -> `(batch, channels, frames)`."""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from ..component import Component
from ..signals import Signal

if TYPE_CHECKING:
    from torch import nn


class Feature(Component):
    """A representation of sound; the module it builds takes a float32 waveform `(batch, 1, samples)`.

    `normalize`, `sample_rate`, `standardize` and several channels are not the feature's own work: `Representation`
    does them once for all features.
    """

    packages: ClassVar[tuple[str, ...]] = ("tympan.features",)

    normalize: Literal["none", "peak", "min_max"] = "peak"
    """What is done to each clip's waveform first: nothing; scaled to a largest magnitude of 1; or stretched and moved
    so that it goes from -1 to 1, which also moves its mean. Several channels are treated as one, and so keep their
    balance."""
    sample_rate: int | None = Field(default=None, gt=0)
    """The rate that the feature is computed at (Hz), at which `400 samples` are counted: the waveform is resampled to
    it; by default the data's."""
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
