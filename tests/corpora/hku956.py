"""Four listeners with three songs each, of which two are shared; and the same with every fault."""

from typing import Any

import numpy as np

from tympan.data import storage

from . import put_sound
from .songs import conductance, song

HEARD = {
    "hku1903": (("262957", 8), ("370177", 7), ("1119687", 9)),
    "hku1904": (("262957", 5), ("370177", 8), ("1119688", 6)),
    "hku1910": (("1119018", 8), ("1107251", 8), ("262957", 8)),
    "hku1931": (("1119018", 7), ("262957", 9), ("1107251", 6)),
}
"""For each listener the songs in order, and how many seconds of each were heard."""
LENGTH = 9.5
"""Seconds of every song."""
RATES = {"EDA": 4, "BVP": 64, "HR": 1, "TEMP": 4}
FOLDER = "1. physiological_signals"


def text(x: np.ndarray) -> str:
    """One number a line; a frame that is not known is an empty one."""
    return "\n".join("" if np.isnan(v) else f"{v:.6f}" for v in x) + "\n"


def signal(folder: str, seconds: float, seed: int, listener: int) -> np.ndarray:
    """What a listener's wristband recorded."""
    rate = RATES[folder]
    x = conductance(seconds, rate, seed, listener)
    if folder == "EDA":
        return x
    beats = 50 * np.sin(2 * np.pi * 1.2 * np.arange(len(x)) / rate)
    return {"BVP": beats, "HR": 70 + x, "TEMP": np.full(len(x), 33.0 + 0.01 * listener)}[folder]


def put_signal(root: str, listener: str, folder: str, name: str, text: str) -> None:
    """A file of a listener."""
    storage.write_text(storage.join(root, FOLDER, listener, folder, f"{name}.csv"), text)


def fabricate(root: str) -> dict[str, Any]:
    """Write it below a path or URI; the configuration of a source on it, with the songs in a folder."""
    ratings = ["participant_id,song_no,song_id,valence_rating,play_duration"]
    names: dict[str, int] = {}
    for who, (listener, heard) in enumerate(HEARD.items()):
        place = f"second group/{listener}" if who == 3 else listener  # folders may lie deeper
        for number, (name, seconds) in enumerate(heard):
            seed = names.setdefault(name, len(names))
            for folder in RATES:
                put_signal(root, place, folder, f"{number}_{name}", text(signal(folder, seconds, seed, who)))
            ratings.append(f"{listener},{number},{name},{number}.5,{seconds}")
    links = ["song_id,link"]
    for name, seed in names.items():
        put_sound(storage.join(root, "songs", f"{name}.mp3"), song(LENGTH, 8000, seed), 8000)
        links.append(f"{name},http://music.example/{name}.mp3")
    storage.write_text(storage.join(root, "3. AV_ratings.csv"), "\n".join(ratings) + "\n")
    storage.write_text(storage.join(root, "2. original_song_audio.csv"), "\ufeff" + "\n".join(links) + "\n")
    return {
        "root": root,
        "sample_rate": 1000,
        "duration": 1.0,
        "data_directories": {"audio": "songs"},
        "processing": {"lowpass": 1.5},
    }


def spoil(root: str) -> None:
    """Add a listener, hku1999, with everything that can be wrong to what `fabricate` wrote."""
    x = signal("EDA", 8, 0, 0)
    files = {
        "0_262957": text(x),  # as it should be, but for how long is not said
        "1_262957": "",  # empty
        "2_262957": text(np.full(32, 1.5)),  # the electrode is off
        "3_262957": text(np.zeros(32)),
        "4_262957": text(x * 1000),  # nS
        "5_262957": text(x).replace(".", ","),
        "6_262957": "\ufeff" + text(x).replace("\n", "\r\n"),
        "7_262957": text(np.where(np.arange(32) == 9, np.nan, x)),  # a gap
        "8_262957": "EDA\n" + text(x),
        "9_262957": "".join(f"{i},{v}\n" for i, v in enumerate(x)),
        "10_262957": text(np.concatenate([x, x])),  # twice as long as was heard
        "11_999999": text(x),  # a song that is not there
        "12_262957": text(x),  # nothing was heard
        "13_262957": text(np.where(np.arange(32) % 31 > 3, np.nan, x)),  # mostly gaps
    }
    ratings = storage.read_text(storage.join(root, "3. AV_ratings.csv"))
    for name, content in files.items():
        put_signal(root, "hku1999", "EDA", name, content)
        number, song_name = name.split("_")
        if number != "0":
            ratings += f"hku1999,{number},{song_name},0,{0 if number == '12' else 8}\n"
    storage.write_text(storage.join(root, "3. AV_ratings.csv"), ratings + "hku1999,14,262957,0,8\n")
