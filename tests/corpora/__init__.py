"""Tiny made-up corpora with the real layouts: each module has `fabricate(root) -> configuration of its dataset`."""

import io
from functools import lru_cache

import numpy as np
import soundfile

from tympan.data import storage


def tone(frequency: float, seconds: float, rate: int, delay: float = 0.0) -> np.ndarray:
    """A tone (Hz) that begins after a silence and dies away, `(samples,)` float32."""
    t = np.arange(round(seconds * rate)) / rate - delay
    return np.where(t < 0, 0, 0.5 * np.exp(-3 * t) * np.sin(2 * np.pi * frequency * t)).astype(np.float32)


def put_sound(uri: str, waveform: np.ndarray, rate: int) -> None:
    """Write a sound at a path or URI, encoded as its suffix says."""
    sound = np.ascontiguousarray(waveform.T)
    with storage.open_binary(uri, "wb") as out:
        out.write(encoded(sound.tobytes(), sound.dtype.str, sound.shape, rate, uri.rsplit(".", 1)[-1].upper()))


@lru_cache(maxsize=512)
def encoded(samples: bytes, kind: str, shape: tuple[int, ...], rate: int, format: str) -> bytes:
    """The file of a sound: corpora of many tests hold the same ones, and MP3 takes its time."""
    file = io.BytesIO()
    subtype = {"OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}.get(format, "PCM_16")
    soundfile.write(file, np.frombuffer(samples, kind).reshape(shape), rate, format=format, subtype=subtype)
    return file.getvalue()


def voice(seed: int, seconds: float = 1.2, rate: int = 16000) -> np.ndarray:
    """Noise through a few resonances that wander, so that no two are alike."""
    rng = np.random.default_rng(seed)
    n = round(seconds * rate)
    t = np.arange(n) / rate
    sound = np.zeros(n)
    for _ in range(6):
        knots = np.exp(rng.uniform(np.log(200), np.log(3500), 8))
        frequency = np.interp(t, np.linspace(0, seconds, 8), knots)
        level = np.interp(t, np.linspace(0, seconds, 12), rng.uniform(0, 1, 12))
        sound += level * np.sin(2 * np.pi * np.cumsum(frequency) / rate + rng.uniform(0, 6))
    return (0.1 * sound + 1e-3 * rng.standard_normal(n)).astype(np.float32)
