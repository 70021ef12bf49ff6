"""Which part of a recording a model hears, and how: what an artifact knows of the data it was trained on."""

from typing import Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from ..component import Section
from ..data import Source
from ..data.audio import MAX_DECODED_BYTES
from ..data.crop import onset, trimmed, windows
from ..data.decode import RATES
from ..data.decoders import Decoder
from ..signals import Signal, check_channels

Waveform = Float[np.ndarray, "_channels _samples"]


class Listening(Section):
    """Which part of a recording the model hears, and how."""

    sample_rate: int = Field(gt=0, le=RATES[1])
    """Samples per second (Hz); a recording is resampled to it."""
    samples: int = Field(gt=0, le=MAX_DECODED_BYTES // 4)
    """Samples in a clip."""
    channels: Literal["mean", "sum", "first", "keep"]
    """How several audio channels become one, or that all are kept."""
    channel_names: tuple[str, ...] = ("left", "right")
    """The channels that are kept; a recording must have as many."""
    crop: Literal["start", "onset", "random", "all"]
    """Which part of a longer recording is heard: start, onset, or overlapping windows over all of it."""
    padding: Literal["left", "right"]
    """The side on which a shorter recording is padded."""
    trim: float | None = Field(default=None, gt=0)
    """How far (dB) below its loudest 10 ms both ends of a recording are cut off; nothing by default."""

    decoder: Decoder = "auto"
    """What decodes a recording: soundfile, and PyAV what that cannot; or one of them alone."""

    @classmethod
    def of(cls, source: Source) -> "Listening":
        """How a source gives its clips."""
        same = ("sample_rate", "channels", "channel_names", "crop", "padding", "trim")
        own = {name: getattr(source, name) for name in same} | {"decoder": getattr(source, "decoder", "auto")}
        return cls.model_validate({"samples": source.audio.frames, **own})

    @property
    def audio(self) -> Signal:
        """The Signal of a clip."""
        names = self.channel_names if self.channels == "keep" else ("mono",)
        return Signal(names, float(self.sample_rate), self.samples / self.sample_rate)

    def trimmed(self, waveform: Waveform) -> tuple[int, Waveform]:
        """The first sample of what sounds of a recording, and that sound; all of it where nothing is trimmed."""
        return trimmed(waveform, self.sample_rate, self.trim)

    def starts(self, waveform: Waveform, overlap: int | None = None, step: int = 1) -> list[int]:
        """The first sample of every clip that is heard of a recording; ValueError where its channels are others.

        Args:
            waveform: the recording, trimmed.
            overlap: how many samples two windows have in common, at least, if that is enough; the last may then be
                shorter. By default half of them, and the last is flush with the end.
            step: samples of which the distance of two such windows is a whole number of times.
        """
        check_channels(len(waveform), self.audio, "the recording")
        if self.crop == "onset":
            return [onset(waveform, float(self.sample_rate))]
        if self.crop == "start":
            return [0]
        if overlap is None or self.samples - overlap < step:
            return windows(waveform.shape[1], self.samples)
        step *= (self.samples - overlap) // step
        return list(range(0, max(waveform.shape[1] - self.samples, 0) + step, step))
