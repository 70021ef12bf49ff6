"""Tiny made-up corpora with the real layouts: each module has `fabricate(root) -> configuration of its dataset`."""

import io

import numpy as np
import soundfile

from tympan.data import storage


def tone(frequency: float, seconds: float, rate: int, delay: float = 0.0) -> np.ndarray:
    """A tone (Hz) that begins after a silence and dies away, `(samples,)` float32."""
    t = np.arange(round(seconds * rate)) / rate - delay
    return np.where(t < 0, 0, 0.5 * np.exp(-3 * t) * np.sin(2 * np.pi * frequency * t)).astype(np.float32)


def put_sound(uri: str, waveform: np.ndarray, rate: int) -> None:
    """Write a sound at a path or URI, encoded as its suffix says."""
    file = io.BytesIO()
    kind = uri.rsplit(".", 1)[-1].upper()
    soundfile.write(
        file, waveform.T, rate, format=kind, subtype={"OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}.get(kind, "PCM_16")
    )
    with storage.open_binary(uri, "wb") as out:
        out.write(file.getvalue())
