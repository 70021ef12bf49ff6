"""Four songs with three listeners each, one song twice under the names 996 and 997; and the same with every fault."""

import io
from typing import Any

import numpy as np
import soundfile

from tympan.data import storage

from . import put_sound
from .songs import conductance, song

LISTENERS = ("100083", "100085", "200440")
SONGS = {"2": 2, "10": 10, "996": 3, "997": 3}
"""The seed of each song's sound."""
SECONDS, RATE = 16.0, 50


def signal(seed: int, listener: int, seconds: float = SECONDS) -> np.ndarray:
    """As published: smooth, with mean 0 and deviation 1."""
    x = conductance(seconds, RATE, seed, listener)
    return (x - x.mean()) / x.std()


def table(times: np.ndarray, columns: dict[str, np.ndarray], time: str = "time(s)", separator: str = ",") -> str:
    """A song's table; a frame that is not known is an empty cell."""
    lines = [separator.join([time, *columns])]
    for t, row in zip(times, np.transpose(list(columns.values())), strict=True):
        cells = [f"{t:.4g}", *("" if np.isnan(v) else f"{v:.6f}" for v in row)]
        lines.append(separator.join(cells if separator == "," else [c.replace(".", ",") for c in cells]))
    return "\n".join(lines) + "\n"


def usual(seed: int, seconds: float = SECONDS) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Times and signals of a song."""
    columns = {who: signal(seed, i, seconds) for i, who in enumerate(LISTENERS)}
    return np.arange(round(seconds * RATE)) / RATE, columns


def put_song(root: str, name: str, seed: int, seconds: float = SECONDS) -> None:
    """The sound of a song."""
    put_sound(storage.join(root, "chorus", f"{name}.mp3"), song(seconds, 8000, seed), 8000)


def put_table(root: str, name: str, text: str) -> None:
    """The table of a song's listeners."""
    storage.write_text(storage.join(root, "EDA", f"{name}_EDA.csv"), text)


def fabricate(root: str) -> dict[str, Any]:
    """Write it below a path or URI; the configuration of a source on it."""
    lines = ["\ufeffmusicId,fileName,title"]
    for name, seed in SONGS.items():
        put_song(root, name, seed)
        put_table(root, name, table(*usual(seed)))
        lines.append(f'{name},{name}.mp3,"Señorita, №{name}"')
    storage.write_text(storage.join(root, "metadata.csv"), "\r\n".join(lines))
    return {"root": root, "sample_rate": 1000, "duration": 1.0}


def spoil(root: str) -> None:
    """Add songs with everything that can be wrong to what `fabricate` wrote; each is named after what is wrong."""
    for name in ("semicolons", "cells", "late", "gaps", "rate", "order", "text", "time", "ünïcode", "crlf"):
        put_song(root, name, 4)
    times, columns = usual(4)
    first, second, third = LISTENERS
    put_table(root, "semicolons", table(times, columns, separator=";"))
    put_table(root, "ünïcode", "\ufeff" + table(times, columns))
    put_table(root, "crlf", table(times, columns).replace("\n", "\r\n"))
    some = {**columns, second: np.full(len(times), 1.25), third: np.full(len(times), np.nan)}
    some[first] = np.where((times > 3) & (times < 4), np.nan, some[first])
    put_table(root, "cells", table(times, some))  # a gap; an electrode that is off; nothing at all
    put_table(root, "late", table(times[20:], {k: v[20:] for k, v in columns.items()}))
    kept = np.arange(len(times)) % 10 != 3
    put_table(root, "gaps", table(times[kept], {k: v[kept] for k, v in columns.items()}))
    put_table(root, "rate", table(times * 2, columns))
    put_table(root, "order", table(times[::-1], columns))
    put_table(root, "text", "time(s),100083\n0.00,0.1\n0.02,high\n")
    put_table(root, "time", table(times, columns, time="seconds"))
    put_song(root, "short", 4, 10.0)
    put_table(root, "short", table(*usual(4, 10.0)))
    put_table(root, "silent", table(*usual(4)))  # its sound is not there
    put_song(root, "unheard", 4)  # its table is not there
    text = storage.read_text(storage.join(root, "metadata.csv"))
    storage.write_text(storage.join(root, "metadata.csv"), text + "\r\nabsent,absent.mp3,Nowhere\r\n")
    put_song(root, "broken", 4)
    put_table(root, "broken", table(*usual(4)))
    file = io.BytesIO()
    soundfile.write(file, song(1, 8000, 4), 8000, format="WAV")
    storage.write_bytes(storage.join(root, "chorus", "broken.mp3"), file.getvalue()[:60])
