"""The pitch of 62 notes of real percussion: CREPE here, torchcrepe, pYIN and the spectral peak.

python benchmarks/percussion.py FOLDER, which holds index.csv (file, instrument, f0_hz) and the recordings. The table is
printed and written into README.md.
"""

import argparse
import csv
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import torch
import torchcrepe

from tympan.data import audio
from tympan.runs.configuration import load
from tympan.runs.train import train
from tympan.serving.artifact import Artifact

BEGIN, END = "<!-- percussion -->", "<!-- /percussion -->"
CONFIGS = Path(__file__).parents[1] / "configs"
Reader = Callable[[str], float]
"""A recording's path -> its pitch (Hz)."""


def tympan(capacity: str, rate: int, folder: Path) -> Reader:
    """`configs/percussion_pitch.yaml` at a sample rate: CREPE's bins move with it."""
    run = folder / f"{capacity}-{rate}"
    fields = {
        "data.sample_rate": rate,
        "data.size": 12,
        "data.f0": [200, 1500],
        "model.capacity": capacity,
        "target.lowest": f"{31.7 * rate / 16000:.4f}",
        "checkpoint.run_dir": run,
        "logging.worst_examples": 0,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train(load(CONFIGS / "percussion_pitch.yaml", [f"{k}={v}" for k, v in fields.items()]))
    artifact = Artifact.load(run)

    def read(path: str) -> float:
        heard = next(iter(artifact.hear([audio.read(path, rate)])))
        return float(artifact.decode(heard)["f0"][0, 0])

    return read


def peer(capacity: str) -> Reader:
    """torchcrepe's own answer, with its defaults (Viterbi): the median over frames, weighted by periodicity."""

    def read(path: str) -> float:
        x = torch.from_numpy(audio.read(path, torchcrepe.SAMPLE_RATE))
        pitch, periodicity = torchcrepe.predict(
            x, torchcrepe.SAMPLE_RATE, model=capacity, return_periodicity=True, batch_size=64
        )
        order = pitch[0].argsort()
        share = periodicity[0][order].cumsum(0)
        return float(pitch[0][order][torch.searchsorted(share, share[-1] / 2)])

    return read


def pyin(path: str) -> float:
    """librosa's pYIN from 65 Hz to 5 kHz: the median over the frames that it calls voiced, or over all if none is."""
    x = audio.read(path, 44100)[0]
    pitch, voiced, _ = librosa.pyin(x, fmin=65, fmax=5000, sr=44100)
    return float(np.median(pitch[voiced])) if voiced.any() else float("nan")


def peak(path: str) -> float:
    """The frequency of the largest magnitude of the whole recording."""
    x = audio.read(path, 44100)[0]
    spectrum = np.abs(np.fft.rfft(x * np.hanning(len(x)), 1 << 18))
    return float(np.argmax(spectrum)) * 44100 / (1 << 18)


def main() -> None:
    """Read every note by everybody."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quick", action="store_true", help="without the full network")
    given = parser.parse_args()
    folder, capacities = given.folder, ("tiny",) if given.quick else ("tiny", "full")
    torch.set_num_threads(1)
    rows = list(csv.DictReader((folder / "index.csv").open(encoding="utf-8")))
    truth = np.array([float(row["f0_hz"]) for row in rows])
    steel = np.array([row["instrument"] == "steel_drum" for row in rows])
    with tempfile.TemporaryDirectory() as scratch:
        readers: dict[str, Reader] = {}
        for capacity in capacities:
            readers[f"`percussion_pitch.yaml`, {capacity}, at 44.1 kHz"] = tympan(capacity, 44100, Path(scratch))
            readers[f"the same at 16 kHz, {capacity}"] = tympan(capacity, 16000, Path(scratch))
            readers[f"torchcrepe.predict, {capacity}"] = peer(capacity)
        readers |= {"pYIN (librosa)": pyin, "spectral peak": peak}
        lines = [
            "| reader | within 50 cents | octaves folded | without steel drums | median error (cents) |",
            "|---|---:|---:|---:|---:|",
        ]
        for name, read in readers.items():
            begin = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                away = 1200 * np.log2(np.array([read(str(folder / row["file"])) for row in rows]) / truth)
            right, chroma = np.abs(away) < 50, np.abs(away - 1200 * np.round(away / 1200)) < 50
            others = f"{right[~steel].mean():.3f}"
            lines.append(
                f"| {name} | {right.mean():.3f} | {chroma.mean():.3f} | {others} | {np.nanmedian(np.abs(away)):.1f} |"
            )
            wrong = ", ".join(f"{rows[i]['file']} {away[i]:+.0f}" for i in np.flatnonzero(~right))
            print(f"{lines[-1]} {time.perf_counter() - begin:.0f} s; wrong: {wrong}", flush=True)
    page = Path(__file__).with_name("README.md")
    text = page.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    page.write_text("\n".join([before + BEGIN, *lines, END]) + after, encoding="utf-8")


if __name__ == "__main__":
    main()
