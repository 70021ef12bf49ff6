"""The waveform itself: every sample is a frame."""

from typing import Literal

from torch import nn

from ..signals import Signal
from . import Feature


class Waveform(Feature):
    """The samples as they are, for backbones that begin with filters of their own.

    kac_drumset's is `{normalize: min_max}`.
    """

    standardize: Literal["none", "clip", "channel", "dataset"] = "none"
    """What is done to each clip's features: by default nothing, because a waveform's mean is already near zero."""

    def build(self, audio: Signal) -> tuple[nn.Module, Signal]:
        """The identity, and the Signal of the sound."""
        return nn.Identity(), audio
