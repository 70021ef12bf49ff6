"""Waveforms kept on disk as float32 in numpy's format: written whole, mapped into memory."""

import mmap
import re
from pathlib import Path

import numpy as np
from jaxtyping import Float

_HEADER = re.compile(rb"\x93NUMPY\x01\0v\0\{'descr': '<f4', 'fortran_order': False, 'shape': \((\d+), (\d+)\), \} *\n")
"""The 128 bytes that numpy writes before a float32 array with two dimensions."""


def write(path: Path, sound: Float[np.ndarray, "channels samples"]) -> None:
    """Write a contiguous array; not by np.save, which loses the last bytes on a full disk without an error."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(sound))
        file.write(sound.data)


def mapped(path: Path) -> Float[np.ndarray, "channels samples"] | None:
    """The array, if it is whole. Its header is read here: `np.load` takes three times as long as the rest of a clip."""
    try:
        with path.open("rb", buffering=0) as file:
            held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # there is none, or it is empty
        return None
    header = _HEADER.fullmatch(held[:128])
    shape = (int(header[1]), int(header[2])) if header else (0, 0)
    if not 0 < 4 * shape[0] * shape[1] == len(held) - 128:
        return None
    return np.frombuffer(held, np.float32, offset=128).reshape(shape)
