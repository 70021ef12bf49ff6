"""Draw the README's picture from a trained run: `python docs/picture.py RUN` writes docs/drum_diameter.png."""

import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from matplotlib.figure import Figure

from tympan.runs.configuration import load
from tympan.serving.artifact import Artifact


def main(folder: Path) -> None:
    """One stroke, the samples that the model hears, and what it says of every drum of the test part."""
    run, artifact = load(folder / "run.yaml"), Artifact.load(folder)
    rows = [r for r in pq.read_table(folder / "predictions.parquet").to_pylist() if r["split"] == "test"]
    truth, said = (np.array([row[key] for row in rows]) for key in ("truth", "prediction"))
    row = rows[int(np.argsort(truth)[len(truth) // 3])]
    waveform = run.data[int(row["id"])].waveform[0]
    milliseconds = 1000 * np.arange(len(waveform)) / run.data.sample_rate

    figure = Figure(figsize=(9, 3.2), dpi=140, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.7, 1])
    left.plot(milliseconds, waveform, color="#31688e", linewidth=1)
    left.set(xlabel="time (ms)", yticks=[], xlim=(0, milliseconds[-1]))
    left.set_title(
        f"one stroke → {artifact.config.model.type} → {row['prediction']:.3f} m (it is {row['truth']:.3f} m)"
    )
    right.plot([0, truth.max()], [0, truth.max()], color="0.7", linewidth=1)
    right.plot(truth, said, ".", color="#35b779", markersize=3, alpha=0.6)
    right.set(xlabel="true diameter (m)", ylabel="measured (m)", aspect="equal")
    right.set_title(f"{len(rows)} strokes never heard")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(Path(__file__).with_name("drum_diameter.png"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
