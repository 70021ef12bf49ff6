"""Codec: what is lost when sound is sent or kept small."""

import io
from typing import Annotated, ClassVar, Literal

import numpy as np
import soundfile
import soxr
from jaxtyping import Float
from pydantic import Field

from ._between import Between
from ._recorded import Recorded

Name = Literal["mp3", "vorbis", "opus", "gsm", "mulaw"]

_MP3 = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_RATES: dict[str, tuple[int, ...]] = {
    "mp3": _MP3, "vorbis": _MP3, "opus": (8000, 12000, 16000, 24000, 48000), "gsm": (8000,), "mulaw": (8000,)
}  # fmt: skip
_FILES = {
    "vorbis": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS"), "gsm": ("WAV", "GSM610"), "mulaw": ("WAV", "ULAW")
}  # fmt: skip
_ONE = {"gsm", "mulaw"}
"""Those of one compression."""
_MPEG_1 = (320, 256, 224, 192, 160, 128, 112, 96, 80, 64, 56, 48, 40, 32)
_MPEG_2 = (160, 144, 128, 112, 96, 80, 64, 56, 48, 40, 32, 24, 16, 8)
"""Bit rates of layer III (kbit/s), by ISO/IEC 11172-3 and 13818-3."""
_SMALLEST = 0.999  # compression
_SHORTEST = 0.1  # seconds that LAME is given at least
_BLOCK = 1 << 16  # samples; libsndfile crashes where it is given millions of Vorbis at once


class Codec(Recorded, Between):
    """Encode and decode each clip by one of several codecs: MP3, Vorbis and Opus at a compression drawn evenly (for MP3
    one of the bit rates that its standard has for the sample rate), or the telephone's GSM and μ-law, which leave
    nothing above 4 kHz.

    A codec that does not know the sample rate hears the clip at the next one that it does.
    """

    draws: ClassVar[int] = 2

    codecs: Annotated[tuple[Name, ...], Field(min_length=1)] = ("mp3", "vorbis", "mulaw")
    """One of these is drawn for each clip; one that is named twice is drawn twice as often."""
    low: float = Field(default=0.5, ge=0, le=1)
    """The lowest compression of those that have several, from 0, the best, to 1, the smallest."""
    high: float = Field(default=1.0, ge=0, le=1)
    """The highest compression."""

    @property
    def unread(self) -> str | None:
        named = " and ".join(dict.fromkeys(self.codecs))
        return f"codecs names {named} alone, without a choice of compression" if _ONE.issuperset(self.codecs) else None

    def disturb(
        self, x: Float[np.ndarray, "channels samples"], uniform: Float[np.ndarray, " draws"], sample_rate: int
    ) -> Float[np.ndarray, "channels samples"]:
        name = self.codecs[int(uniform[0] * len(self.codecs))]
        rates = _RATES[name]
        rate = next((r for r in rates if r >= sample_rate), rates[-1])
        level = self.between(float(uniform[1]))
        mono = [_coded(_resampled(channel, sample_rate, rate), name, rate, level) for channel in x]
        back = [_resampled(channel, rate, sample_rate)[: x.shape[1]] for channel in mono]
        return np.stack([np.pad(channel, (0, x.shape[1] - len(channel))) for channel in back])


def _resampled(x: Float[np.ndarray, " samples"], rate: int, new: int) -> Float[np.ndarray, " resampled"]:
    return x if rate == new else soxr.resample(x, rate, new)  # soxr copies where nothing is to be done


def _coded(x: Float[np.ndarray, " samples"], name: str, rate: int, level: float) -> Float[np.ndarray, " samples"]:
    if name == "mp3":
        return _mp3(x, rate, level)
    file = io.BytesIO()
    container, subtype = _FILES[name]
    compression = None if name in _ONE else min(level, _SMALLEST)
    with soundfile.SoundFile(
        file, "w", samplerate=rate, channels=1, format=container, subtype=subtype, compression_level=compression
    ) as out:
        for first in range(0, len(x), _BLOCK):
            out.write(np.clip(x[first : first + _BLOCK], -1, 1))
    file.seek(0)
    y = soundfile.read(file, dtype="float32")[0]
    return np.pad(y[: len(x)], (0, max(len(x) - len(y), 0)))


def _mp3(x: Float[np.ndarray, " samples"], rate: int, level: float) -> Float[np.ndarray, " samples"]:
    """By LAME, in memory, with its delay taken away."""
    from fast_mp3_augment import compress_roundtrip  # libsndfile has LAME at one, slower, quality

    bit_rates = _MPEG_1 if rate >= 32000 else _MPEG_2 if rate >= 16000 else _MPEG_2[6:]
    padded = np.pad(np.clip(x, -1, 1), (0, max(int(_SHORTEST * rate) + 1 - len(x), 0)))
    return compress_roundtrip(padded, rate, bit_rates[round(level * (len(bit_rates) - 1))])[: len(x)]
