"""Representations of a waveform: `(batch, channels, samples)` -> `(batch, channels, frames)`."""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from ..component import Component
from ..signals import Signal

if TYPE_CHECKING:
    from torch import nn


class Feature(Component):
    """A representation of sound; the module it builds takes a float32 waveform `(batch, 1, samples)`.

    `normalize`, `sample_rate`, `standardize`, `target_length` and several channels are not the feature's own work:
    `Representation` does them once for all features.
    """

    packages: ClassVar[tuple[str, ...]] = ("tympan.features",)

    normalize: Literal["none", "peak", "min_max"] = "peak"
    """What is done to each clip's waveform first: nothing; scaled to a largest magnitude of 1; or stretched and moved
    so that it goes from -1 to 1, which also moves its mean. Several channels are treated as one, and so keep their
    balance."""
    sample_rate: int | None = Field(default=None, gt=0)
    """The rate that the feature is computed at (Hz), at which `400 samples` are counted: the waveform is resampled to
    it; by default the data's."""
    standardize: Literal["none", "clip", "channel", "dataset"] = "clip"
    """What is done to each clip's features: nothing; zero mean and unit deviation over the whole clip; the same in
    every channel by itself; or the same two numbers for every clip, `mean` and `std`. Padding does not count."""
    mean: float | None = Field(default=None, allow_inf_nan=False)
    """Of `standardize: dataset`: what is taken off. Without it and `std` both are computed before training, over the
    real frames of the training part alone, and written into run.yaml and the artifact."""
    std: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Of `standardize: dataset`: what is divided by."""
    statistics: int = Field(default=1000, ge=1)
    """Recordings, at most, that `mean` and `std` are computed from, drawn by the run's seed; each is heard once, as in
    the first epoch but without augmentation. Where the data are in a bucket each is fetched before the first step; by
    default those alone that this step hears."""
    computed_from: int | None = Field(default=None, ge=1)
    """How many recordings `mean` and `std` were computed from, which a run writes; nothing where they were given."""
    target_length: int | None = Field(default=None, ge=1)
    """Frames of a clip: more are cut off, first where nothing sounds and then at the end; fewer are padded, on the side
    that the data pad, with what is the mean after standardisation, and so says nothing. By default as many as the clip
    has."""

    @model_validator(mode="after")
    def _one_pair(self) -> "Feature":
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std go together: give both, or neither, and they are computed")
        if self.mean is not None and self.standardize != "dataset":
            raise ValueError(f"mean and std are of standardize: dataset, and it is {self.standardize}; set that")
        return self

    @abstractmethod
    def build(self, audio: Signal) -> "tuple[nn.Module, Signal]":
        """The module, and the Signal of what it gives.

        The module maps `(batch, 1, samples)` to `(batch, channels, frames)`; frame i lies around second i / rate,
        or begins there where the convention says so (Kaldi's).

        Raises:
            ValueError: the fields cannot be met at this sample rate or length.
        """
