"""Any source of songs and their listeners -> the tree of files in which a published corpus comes."""

import csv
import io
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import soundfile

from . import Source, storage
from .dataset_folder import about, claim
from .generate import local, spread

Layout = Literal["pmemo2019", "hku956"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
_SIGNALS: dict[Layout, tuple[float, str]] = {"pmemo2019": (50.0, "z"), "hku956": (4.0, "µS")}  # as published
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


def write(
    source: Source,
    out: str | Path,
    layout: Layout,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a source as PMEmo2019 or HKU956 is published, which the dataset of that name reads.

        pmemo2019    EDA/<song>_EDA.csv          time(s), and a column for each listener, 50 Hz
                     chorus/<song>.mp3
                     metadata.csv                musicId,fileName
        hku956       1. physiological_signals/<listener>/EDA/<number>_<song>.csv    µS at 4 Hz, without a header
                     2. original_song_audio.csv  song_id,link
                     3. AV_ratings.csv           play_duration; nobody was asked for ratings, which stay empty
                     songs/<song>.mp3
        both         dataset.yaml                what made it

    What was interrupted goes on where it stopped: every file is written aside and renamed, and none is written twice.

    Args:
        workers: processes; a script that asks for several needs `if __name__ == "__main__":`.
        progress: is told how many songs are done, and of how many.

    Raises:
        ValueError: the source lacks what the layout holds; or the folder holds something else, which stays as it is.
    """
    _check(source, layout)
    folder = local(out, workers)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "dataset.yaml").exists():
        raise ValueError(f"{folder} holds other files; choose an empty folder, nothing was changed")
    claim(folder, {**about(source, "MPEG_LAYER_III"), "layout": layout})
    heard: dict[str, list[int]] = {}  # by song
    numbers: dict[int, int] = {}  # of a recording among those of its listener
    counts: dict[str, int] = {}
    for i in range(len(source)):
        groups = source.describe(i).groups
        heard.setdefault(groups["song"], []).append(i)
        numbers[i] = counts[groups["listener"]] = counts.get(groups["listener"], -1) + 1
    one = partial(_pmemo2019, source, folder) if layout == "pmemo2019" else partial(_hku956, source, folder, numbers)
    rows: list[list[Any]] = []
    for done, of_song in enumerate(spread(one, list(heard.items()), workers), 1):
        rows += of_song
        if progress:
            progress(done, len(heard))
    if layout == "pmemo2019":
        _table(folder / "metadata.csv", [["musicId", "fileName"], *([name, f"{name}.mp3"] for name in heard)])
        return folder
    links = ([name, f"songs/{name}.mp3"] for name in heard)  # below the folder, wherever it is taken
    _table(folder / "2. original_song_audio.csv", [["song_id", "link"], *links])
    ratings = ["valence_rating", "valence", "arousal_rating", "arousal"]
    header = ["participant_id", "song_no", "song_id", *ratings, "play_duration"]
    _table(folder / "3. AV_ratings.csv", [header, *rows])
    return folder


def _check(source: Source, layout: Layout) -> None:
    rate, unit = _SIGNALS[layout]
    given = source.rates.get("eda"), source.units.get("eda")
    if given[0] is None or not {"listener", "song"} <= set(source.clusters):
        raise ValueError(
            f"{source.type} has no signal `eda` of listeners to songs, which {layout} holds; take `skin_response`"
        )
    if given != (rate, unit):
        wanted = "none" if unit == "µS" else "recording"
        raise ValueError(
            f"{layout} holds skin conductance at {rate:g} Hz in {unit}, and {source.type} gives it at {given[0]:g} Hz "
            f"in {given[1]}; set eda_rate: {rate:g} and normalize: {wanted}"
        )
    if source.sample_rate not in _MP3_RATES:
        raise ValueError(f"sample_rate: an mp3 has no {source.sample_rate} Hz; take one of {_MP3_RATES}")


def _pmemo2019(source: Source, folder: Path, song: tuple[str, list[int]]) -> list[list[Any]]:
    name, indices = song
    _sound(source, indices[0], folder / "chorus" / f"{name}.mp3")
    path = folder / "EDA" / f"{name}_EDA.csv"
    if not path.exists():
        columns = [np.asarray(source.values(i)["eda"]) for i in indices]
        times = [f"{frame / source.rates['eda']:.2f}" for frame in range(max(map(len, columns)))]
        cells = [[_cell(x[frame]) if frame < len(x) else "" for x in columns] for frame in range(len(times))]
        listeners = [source.describe(i).groups["listener"] for i in indices]
        _table(path, [["time(s)", *listeners], *([t, *row] for t, row in zip(times, cells, strict=True))])
    return []


def _hku956(source: Source, folder: Path, numbers: dict[int, int], song: tuple[str, list[int]]) -> list[list[Any]]:
    name, indices = song
    _sound(source, indices[0], folder / "songs" / f"{name}.mp3")
    rows = []
    for i in indices:
        listener, number = f"hku{source.describe(i).groups['listener']}", numbers[i]
        path = folder / "1. physiological_signals" / listener / "EDA" / f"{number}_{name}.csv"
        eda = np.asarray(source.values(i)["eda"])
        if not path.exists():
            _table(path, [[_cell(value)] for value in eda])
        rows.append([listener, number, name, "", "", "", "", f"{len(eda) / source.rates['eda']:g}"])
    return rows


def _cell(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6f}"


def _sound(source: Source, index: int, path: Path) -> None:
    if not path.exists():
        file = io.BytesIO()
        soundfile.write(file, source[index].waveform.T, source.sample_rate, format="MP3", subtype="MPEG_LAYER_III")
        storage.write_bytes(path, file.getbuffer())


def _table(path: Path, rows: Iterable[list[Any]]) -> None:
    if not path.exists():
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        storage.write_text(path, text.getvalue())
