"""A run begins with the weights of another; what is taken is listed, and what is no longer fair is said."""

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import saved
from corpora import put_sound, tone
from runs_helpers import DRUM, ONE_EPOCH, run_of, trained
from tympan.runs.train import Result, train


def test_another_trainings_weights_begin_this_one(tmp_path: Path) -> None:
    first = trained(tmp_path)
    still = {"learning_rate": 1e-12, "weight_decay": 0.0}
    for source in (first.folder, first.folder / "model", first.best_checkpoint):
        again = trained(tmp_path, checkpoint={"load_from_checkpoint": str(source)}, optimizer=still)
        value, before = (r.metrics["test"]["model"]["diameter"]["mae"]["value"] for r in (again, first))
        assert value == pytest.approx(before, rel=1e-4)


def test_what_is_taken_and_what_is_not_is_listed(tmp_path: Path) -> None:
    first = trained(tmp_path)
    console = Console(record=True, file=io.StringIO(), width=200)
    run = run_of(
        tmp_path,
        target={"type": "continuous", "quantities": {"diameter": "m", "f0": "Hz"}},
        model={"type": "cnn", "width": 8, "layers": 3},
        features={"type": "mel", "n_mels": 16, "window": 0.02, "hop": 0.01, "f_min": 50},
        checkpoint={"load_from_checkpoint": str(first.folder)},
    )
    result = train(run, console=console)
    told = json.loads((result.folder / "summary.json").read_text())["begun_with"]
    assert told in console.export_text()
    assert "28 of 30 weights begin with those of" in told
    assert "not taken: heads.target.classifiers.0.last.weight, its shape is (1, 8), here (2, 8)" in told
    assert "left over: backbone.blocks.3.conv1.weight" in told
    assert "different: features.f_min was 0.0, here 50.0" in told


def test_a_run_that_is_gone_on_with_still_tells_what_it_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = trained(tmp_path)
    own = run_of(tmp_path / "own", checkpoint={"load_from_checkpoint": str(first.folder)})
    result = saved.in_two(own, 2, monkeypatch).result
    told = json.loads((result.folder / "summary.json").read_text())["begun_with"]
    assert "38 of 38 weights begin with those of" in told


def test_weights_of_another_architecture_and_missing_ones_are_refused(tmp_path: Path) -> None:
    first = trained(tmp_path)
    other = {
        "model": {"type": "lstm", "width": 3},
        "target": {"type": "continuous", "quantities": {"diameter": "m", "f0": "Hz"}},
    }
    with pytest.raises(ValueError, match=r"none of its 38 weights fits"):
        trained(tmp_path, checkpoint={"load_from_checkpoint": str(first.folder)}, **other)
    with pytest.raises(FileNotFoundError, match=r"load_from_checkpoint: .* holds no model\.safetensors"):
        trained(tmp_path, checkpoint={"load_from_checkpoint": str(tmp_path)})
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ValueError, match="cannot be read"):
        trained(tmp_path, checkpoint={"load_from_checkpoint": str(broken)})


def alarms(result: Result) -> list[str]:
    told = json.loads((result.folder / "summary.json").read_text())["alarms"]
    assert list(result.alarms) == told
    return told


@pytest.mark.slow
def test_weights_that_have_heard_what_a_run_is_judged_on_are_an_alarm(tmp_path: Path) -> None:
    first = trained(tmp_path, split={"seed": 1}, training=ONE_EPOCH)

    def begun(source: Path, **sections: Any) -> Result:
        checkpoint = {"load_from_checkpoint": str(source)}
        return trained(tmp_path, checkpoint=checkpoint, training=ONE_EPOCH, **sections)

    assert alarms(first) == alarms(begun(first.folder, split={"seed": 1})) == []
    assert first.best_checkpoint is not None
    for source in (first.folder, first.folder / "model", first.best_checkpoint):
        unfair = begun(source, split={"seed": 2})
        assert re.search(r"trained on 5 of the 5 test recordings and 1 of their 1 groups", " ".join(alarms(unfair)))
    page = (unfair.folder / "report" / "index.html").read_text()
    assert "<strong>Not fair.</strong> The weights" in page and "beats every baseline" not in page
    assert "flatter it" in (unfair.folder / "model" / "README.md").read_text()
    # What the weights themselves began with counts too.
    assert alarms(begun(begun(first.folder, split={"seed": 1}).folder, split={"seed": 2}))
    # Other drums have the same numbers, and were never heard.
    assert not alarms(begun(first.folder, split={"seed": 2}, data={**DRUM["data"], "diameter": [0.2, 0.4]}))


def test_weights_of_which_it_is_not_known_what_they_have_heard_are_a_note(tmp_path: Path) -> None:
    first = trained(tmp_path, training=ONE_EPOCH)
    shutil.copytree(first.folder / "model", tmp_path / "sent")
    result = trained(tmp_path, checkpoint={"load_from_checkpoint": str(tmp_path / "sent")}, training=ONE_EPOCH)
    assert not alarms(result)
    told = json.loads((result.folder / "summary.json").read_text())["notes"]
    assert "is not known here (no split.json)" in told[0]


def test_recordings_of_one_name_in_another_corpus_are_a_note(tmp_path: Path) -> None:
    results = []
    for corpus, seed in (("a", 1), ("b", 2)):
        for n in range(40):
            put_sound(str(tmp_path / corpus / f"{n}.wav"), tone(200 + n, 0.1, 8000), 8000)
        rows = [f"{n}.wav,{n + 1}" for n in range(40)]
        (tmp_path / corpus / "t.csv").write_text("\n".join(["path,diameter", *rows]) + "\n")
        data = {"type": "manifest", "path": str(tmp_path / corpus / "t.csv"), "sample_rate": 8000, "duration": 0.1}
        checkpoint = {"load_from_checkpoint": str(results[0].folder)} if results else {}
        results.append(trained(tmp_path, data=data, split={"seed": seed}, checkpoint=checkpoint, training=ONE_EPOCH))
    assert not alarms(results[1])
    told = json.loads((results[1].folder / "summary.json").read_text())["notes"]
    assert "by their names; it may be another corpus" in told[0]
