"""Whether each kind of sound file can be decoded here: a tone is encoded, read as any recording is, and heard."""

import tempfile
from pathlib import Path

import av
import numpy as np
import soundfile

from ..data import audio

LIBSNDFILE = {"wav": "PCM_16", "flac": "PCM_16", "mp3": "MPEG_LAYER_III", "ogg": "VORBIS"}
"""The subtype by suffix of what libsndfile encodes."""
FFMPEG = {"m4a": "ipod", "aac": "adts"}
"""The container by suffix of what FFmpeg encodes, as AAC."""
RATE = 44100
"""Samples per second (Hz) of the tone."""
TONE = 1000.0
"""Its frequency (Hz)."""


def versions() -> dict[str, str]:
    """The versions of the libraries below soundfile and PyAV."""
    return {
        "libsndfile": soundfile.__libsndfile_version__,
        "FFmpeg": str(getattr(av, "ffmpeg_version_info", "unknown")),
    }


def attempt() -> dict[str, str]:
    """Of each kind of file why it could not be decoded; empty where it could."""
    tone = (0.5 * np.sin(2 * np.pi * TONE * np.arange(RATE // 2) / RATE)).astype(np.float32)
    failed = {}
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (*LIBSNDFILE, *FFMPEG):
            try:
                failed[suffix] = _heard(_encoded(Path(folder, f"tone.{suffix}"), tone))
            except (OSError, RuntimeError, ValueError) as error:  # libsndfile's, FFmpeg's and tympan's own
                failed[suffix] = str(error).replace(folder + "/", "") or type(error).__name__
    return failed


def _encoded(path: Path, tone: np.ndarray) -> Path:
    suffix = path.suffix[1:]
    if suffix in LIBSNDFILE:
        soundfile.write(path, tone, RATE, subtype=LIBSNDFILE[suffix])
        return path
    with av.open(str(path), "w", format=FFMPEG[suffix]) as out:
        stream = out.add_stream("aac", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
        frame.sample_rate = RATE
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def _heard(path: Path) -> str:
    sound = audio.read(path, 16000)[0]
    loudest = float(np.abs(np.fft.rfft(sound)).argmax() * 16000 / len(sound))
    return "" if abs(loudest - TONE) < 20 else f"the tone of {TONE:.0f} Hz came back as one of {loudest:.0f} Hz"
