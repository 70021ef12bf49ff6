"""Controls: a label that the recording alone tells is suspect, in words everywhere; one that the sound tells is not."""

import json
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from corpora import put_sound, voice
from runs_helpers import trained
from tympan.data import storage
from tympan.reports import facts, terminal
from tympan.reports.clinical import NO_DEVICE

SPEAKERS = 24


def clinic(root: str, confounded: bool) -> dict:
    """Speakers whose label is in their sound, and where confounded in how loud and by what it was recorded."""
    rng = np.random.default_rng(0)
    rows = {"train": ["uid,subject,age,sex,ill"], "test": ["uid,subject,age,sex,ill"]}
    for n in range(SPEAKERS):
        ill = n % 2
        for take in range(2):
            uid = f"u-{n}-{take}"
            sound = voice(10 * n + take, 0.5, 8000) + 0.2 * np.sin(np.arange(4000) * (2.0 if ill else 1.2))
            sound[:800] = 1e-3 * rng.standard_normal(800)  # nobody speaks yet
            sound = sound / np.abs(sound).max() * (0.1 if confounded and not ill else 0.5)
            kind = "flac" if confounded and not ill else "wav"
            put_sound(f"{root}/recordings/{uid}/waveform.{kind}", sound.astype(np.float32), 8000)
            metadata = {"encoding": kind.upper(), "sample_rate_hz": 8000}
            storage.write_text(f"{root}/recordings/{uid}/metadata.json", json.dumps(metadata))
            part = "test" if n >= SPEAKERS // 2 else "train"
            rows[part].append(f"{uid},s{n},{rng.integers(30, 80)},{'mf'[n % 3 % 2]},{ill}")
    for part, lines in rows.items():
        storage.write_text(f"{root}/{part}.csv", "\n".join(lines))
    return {
        "data": {"type": "speech_folder", "root": root, "sample_rate": 8000, "duration": 0.5},
        "split": {"validation": "none"},
        "target": {"type": "binary", "labels": ["ill"]},
        "features": {"type": "mel", "n_mels": 16, "window": 0.032, "hop": 0.016},
        "training": {"max_epochs": 8, "batch_size": 8, "early_stopping": False},
        "judging": {"subgroups": {"sex": []}},
    }


@pytest.fixture(scope="module", params=[True, False], ids=["confounded", "honest"])
def run(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("clinic")
    return trained(root, **clinic(str(root / "data"), request.param)), request.param


def test_every_control_has_figures_and_a_difference(run):
    result, _ = run
    test = result.metrics["test"]
    assert {"control/recording", "control/silence", "control/speaker", "baseline/mfcc_svm"} <= set(test)
    for who in ("control/recording", "baseline/mfcc_svm"):
        figure = test[who]["ill"]["auroc"]
        assert figure["low"] is not None and "difference" in figure
    assert test["baseline/mfcc_svm"]["ill"]["auroc"]["value"] > 0.9


def test_only_what_the_recording_tells_is_suspect_and_said_everywhere(run):
    result, confounded = run
    judged = facts.json_of(result.folder / "clinical.json")
    assert ("ill" in judged["suspects"]) is confounded
    page, card = (result.folder / p for p in ("report/index.html", "model/README.md"))
    console = Console(record=True, width=200, file=StringIO())
    terminal.render_judged(result.folder, console)
    for text in (page.read_text(), card.read_text(), console.export_text()):
        assert NO_DEVICE in " ".join(text.split())
        assert ("what the model hears may be no more" in " ".join(text.split())) is confounded
    assert judged["parts"]["test"]["subgroups"]["sex"].keys() == {"m", "f"}
