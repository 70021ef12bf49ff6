"""Recordings <-> waveforms: decode a part, mix channels down, resample, write."""

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
import soxr
from jaxtyping import Float, Shaped

from . import cache, decode, storage
from .decode import RATES, Sound, opened
from .decoders import Decoder

MAX_DECODED_BYTES = 2 << 30
"""The most memory (bytes) that one read may take as float32, so that a small file cannot fill it."""
LOUDEST = 1e12
"""The largest sample that can be sound, whatever its scale; of larger ones float32 could not hold the power."""
MARGIN = 256
"""Samples, at the lower of two rates, that reach into each other through soxr's HQ filter (128 leave 4e-7)."""
SUFFIXES = (*decode.SUFFIXES, ".wma")
"""What is taken for sound in a folder; a file that is named itself may be called anything."""
BLOCK = 1 << 16
"""Frames written at once: libsndfile breaks down at millions."""

Mix = Literal["mean", "sum", "first", "keep"]


class TooLong(ValueError):
    """A recording is larger than `MAX_DECODED_BYTES` when decoded, and can only be read in parts."""


@dataclass(frozen=True)
class Info:
    """What a recording says of itself."""

    sample_rate: int
    """Samples per second (Hz)."""
    channels: int
    samples: int
    """Samples in each channel."""

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.samples / self.sample_rate


def info(uri: str | Path, decoder: Decoder = "auto") -> Info:
    """Rate, channels and length of a recording, without decoding where its header tells.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is empty, no sound, truncated, or its header cannot be true.
    """
    with opened(cache.local(uri), str(uri), decoder) as sound:
        found = Info(sound.sample_rate, sound.channels, sound.count())
    if found.samples == 0:
        raise ValueError(f"{uri} holds no sound (0 samples); record it again")
    return found


def file_facts(uri: str | Path) -> dict[str, str]:
    """What a file's header tells besides its length: `codec` (with the bit depth), `sample rate` in Hz, `channels`.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no sound.
    """
    with opened(cache.local(uri), str(uri)) as sound:
        return {"codec": sound.codec, "sample rate": f"{sound.sample_rate}", "channels": f"{sound.channels}"}


def read(
    uri: str | Path,
    sample_rate: int | None = None,
    channels: Mix = "mean",
    start: float = 0.0,
    duration: float | None = None,
    decoder: Decoder = "auto",
) -> Float[np.ndarray, "channels samples"]:
    """Decode a recording, or a part of it: float32, nominally within -1 and 1.

    A part is what the whole would have there, within 1e-3, and costs only its own length where the format can seek.

    Args:
        sample_rate: samples per second (Hz) to resample to (soxr HQ); the file's own by default.
        channels: the mean or the sum of them, the first, or all.
        start: seconds.
        duration: seconds; to the end by default, and fewer near the end.
        decoder: what decodes.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is unusable, or larger than `MAX_DECODED_BYTES`; the message names the file and what to do.
    """
    if not (0 <= start < math.inf) or (duration is not None and not 0 < duration < math.inf):
        raise ValueError(f"{uri} from {start} s for {duration} s: start may not be negative, duration is positive")
    with opened(cache.local(uri), str(uri), decoder) as sound:
        rate = sample_rate or sound.sample_rate
        first = round(start * rate)
        last = None if duration is None else first + max(round(duration * rate), 1)
        waveform = _part(sound, str(uri), rate, channels, first, last)
    if waveform.shape[1] == 0:
        what = f"ends before {start} s; start earlier" if start else "holds no sound (0 samples); record it again"
        raise ValueError(f"{uri} {what}")
    return waveform


@np.errstate(over="ignore", invalid="ignore")  # what is no number then is refused by name
def _part(
    sound: Sound, name: str, rate: int, mix: Mix, first: int, last: int | None
) -> Float[np.ndarray, "channels samples"]:
    """Samples `first` to `last` at `rate`, of a part that begins where samples of both rates coincide."""
    own, common = sound.sample_rate, math.gcd(rate, sound.sample_rate)
    margin = 0 if rate == own else MARGIN * max(own // rate, 1)
    begin = max(first * own // rate - margin, 0) // (own // common) * (own // common)
    end = math.inf if last is None else -(-last * own // rate) + margin
    end = min(end, math.inf if sound.samples is None else sound.samples)
    channels = sound.channels if mix == "keep" else 1
    most = int(MAX_DECODED_BYTES / (4 * channels * rate / own))
    wanted = int(min(end, begin + most + 1))
    if wanted - begin > most and sound.samples is not None:
        raise _too_long(name, most / own)
    stream, pieces, frames = None, [np.zeros((0, channels), np.float32)], 0
    if rate != own and (wanted - begin) * sound.channels > decode.BLOCK:  # in pieces: the same bits as in one go
        stream = soxr.ResampleStream(own, rate, channels, "float32", "HQ")
    for block in sound.blocks(begin, wanted) if wanted > begin else ():
        mixed = _finite(downmix(block, mix), name, begin + frames, own)
        frames += len(block)
        if frames > most:
            raise _too_long(name, most / own)
        if stream:
            pieces.append(stream.resample_chunk(mixed))
        else:
            resampled = soxr.resample(mixed, own, rate, quality="HQ") if rate != own and len(mixed) else mixed
            pieces.append(resampled if len(resampled) else mixed[:1])  # one sample of 48 kHz is a third of 16 kHz's
    if stream:
        pieces.append(stream.resample_chunk(pieces[0], last=True))
    whole = pieces[1] if len(pieces) == 2 else np.concatenate(pieces)
    offset = first - begin * rate // own
    return np.ascontiguousarray(whole[offset : None if last is None else offset + last - first].T)


def _finite(mixed: Float[np.ndarray, "frames mixed"], name: str, first: int, rate: int) -> np.ndarray:
    """The frames, refused where one of them, the first of which is frame `first` of the file, is no number of sound."""
    if not (mixed.min(initial=0) >= -LOUDEST and mixed.max(initial=0) <= LOUDEST):
        bad = int(np.argmin((np.abs(mixed) <= LOUDEST).all(1)))
        peak = np.abs(mixed[bad]).max()
        what = "NaN" if np.isnan(peak) else "infinite" if np.isinf(peak) else f"vast ({peak:.3g})"
        raise ValueError(f"{name} holds {what} samples, the first at {(first + bad) / rate:.6g} s; export it again")
    return mixed


def _too_long(name: str, seconds: float) -> TooLong:
    return TooLong(
        f"{name} is longer than {MAX_DECODED_BYTES >> 20} MiB can hold when decoded (about {seconds:,.0f} s of it); "
        "read a part of it (start, duration), or split the file"
    )


def downmix(frames: Shaped[np.ndarray, "frames channels"], mix: Mix) -> Float[np.ndarray, "frames mixed"]:
    """One channel of several, or all of them, as `mix` says: float32, whole numbers scaled to -1 to 1."""
    scale = np.float32(1 / 32768 if frames.dtype == np.int16 else 1)
    if mix == "first":
        frames = frames[:, :1]
    floats = frames.astype(np.float32, copy=False)
    if mix in ("mean", "sum") and frames.shape[1] > 1:
        weight = scale / frames.shape[1] if mix == "mean" else scale
        return (floats @ np.full(frames.shape[1], weight, np.float32))[:, None]  # 60 times as fast as mean(1)
    return floats if scale == 1 else floats * scale


def write(
    path: str | Path,
    waveform: Float[np.ndarray, "channels samples"] | Float[np.ndarray, "samples"],
    sample_rate: int,
    subtype: Literal["PCM_16", "PCM_24", "PCM_32", "FLOAT"] = "PCM_24",
) -> None:
    """Write a wav or flac file, as its suffix says, whole or not at all.

    Raises:
        OSError: there is no room for it, or it may not be written.
        ValueError: another suffix, a subtype that it cannot hold, samples that are not finite, or that would clip.
    """
    format = {".wav": "WAV", ".flac": "FLAC"}.get(Path(path).suffix.lower())
    if format is None:
        raise ValueError(f"{path} should end in .wav or .flac")
    if not soundfile.check_format(format, subtype):
        raise ValueError(f"{path}: {format} cannot hold {subtype}; write PCM_24, or a .wav file")
    if not RATES[0] <= sample_rate <= RATES[1]:
        raise ValueError(f"{path}: a sample rate is {RATES[0]} to {RATES[1]} Hz, not {sample_rate}")
    frames = np.atleast_2d(np.asarray(waveform, np.float32)).T
    peak = float(np.abs(frames).max(initial=0))
    if frames.size == 0 or not math.isfinite(peak):
        raise ValueError(f"{path} would hold {'NaN or infinite' if frames.size else 'no'} samples")
    if subtype != "FLOAT" and peak > 1:
        raise ValueError(f"{path} would clip: the peak is {peak:.4g}, {subtype} holds 1; scale it, or write FLOAT")
    if frames.nbytes > 0xFFFF0000 and format == "WAV":
        format = "RF64"  # what a wav is called above 4 GiB
    file = io.BytesIO()  # libsndfile goes on where a disk is full
    with soundfile.SoundFile(file, "w", sample_rate, frames.shape[1], subtype, format=format) as sound:
        for block in range(0, len(frames), BLOCK):
            sound.write(frames[block : block + BLOCK])
    storage.write_bytes(path, file.getbuffer())
