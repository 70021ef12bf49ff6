"""Of people nothing that is shown of a run holds an id or a voice, unless they are asked for."""

import csv
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from corpora.speech_folder import SPEAKERS, fabricate
from runs_helpers import clinic, run_of
from tympan.cli import app
from tympan.data import Source, storage
from tympan.reports import terminal
from tympan.runs import ids
from tympan.runs.again import evaluate_again
from tympan.runs.train import Result

MANIFEST = {"type": "manifest", "path": "t.csv", "sample_rate": 8000, "duration": 0.25}
OWN = {"split.json", "ids.csv", "predictions.parquet"}
"""What is the researcher's own, and so names recordings as they are."""
UIDS = [f"clinic-{name}-{take}" for names in SPEAKERS.values() for name in names for take in range(2)]
NAMES = re.compile("|".join([*UIDS, *(rf"\b{name}\b" for names in SPEAKERS.values() for name in names)]))


def table(folder: Path) -> dict[str, str]:
    with (folder / "ids.csv").open(encoding="utf-8", newline="") as rows:
        return {row["code"]: row["id"] for row in csv.DictReader(rows)}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return clinic(tmp_path_factory.mktemp("clinic"))


def test_nothing_that_is_shown_holds_an_id_or_a_voice(result: Result, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.render(result.metrics, Console())
    terminal.render_judged(result.folder, Console())
    assert not NAMES.search(capsys.readouterr().out)
    files = [path for path in result.folder.rglob("*") if path.is_file()]
    assert any("tfevents" in path.name for path in files)
    for path in files:
        if path.name not in OWN:
            assert path.suffix != ".wav", path
            assert not NAMES.search(path.read_bytes().decode(errors="ignore")), path
    page = result.paths["report"].read_text(encoding="utf-8")
    assert "<audio" not in page and "-spectrogram" not in page and "Worst for dysarthria" in page


def test_the_codes_of_the_page_are_looked_up_in_the_run_s_folder(result: Result) -> None:
    page = result.paths["report"].read_text(encoding="utf-8")
    known = table(result.folder)
    shown = re.findall(r"Recording <code>([0-9a-f]{8})</code>", page)
    assert len(shown) == 2 and {known[code].split("-")[1] for code in shown} <= set(SPEAKERS["test"])
    assert sorted(known.values()) == sorted(UIDS) and list(known) == sorted(known)


def test_a_run_keeps_its_codes_and_no_other_has_them(result: Result, tmp_path: Path) -> None:
    before = table(result.folder)
    evaluate_again(result.folder)
    assert table(result.folder) == before
    run = run_of(tmp_path, data={"type": "speech_folder", **fabricate(str(tmp_path / "clinic"))})
    made = ids.codes(tmp_path, run)
    assert set(made) == set(before.values()) and not set(made.values()) & set(before)
    (tmp_path / "ids.csv").write_text("id\nclinic-ann-0\n")
    with pytest.raises(ValueError, match=r"ids\.csv: is not the table"):
        ids.codes(tmp_path, run)


def test_who_asks_sees_and_hears_them(tmp_path: Path) -> None:
    found = clinic(tmp_path, logging={"worst_examples": 1, "show_ids": True})
    page = found.paths["report"].read_text(encoding="utf-8")
    assert "<audio" in page and re.search("clinic-(eve|fay)-", page)
    assert not (found.folder / "ids.csv").exists() and (found.folder / "worst" / "1.wav").exists()


def test_trainings_of_one_run_have_one_table(tmp_path: Path) -> None:
    logging = {"worst_examples": 1}
    found = clinic(tmp_path, split={"folds": 2, "validation": "none"}, logging=logging)
    assert (found.folder / "fold-1").is_dir()
    assert [path.parent for path in found.folder.rglob("ids.csv")] == [found.folder]
    known = table(found.folder)
    for page in found.folder.rglob("index.html"):
        shown = re.findall(r"Recording <code>([0-9a-f]{8})</code>", page.read_text(encoding="utf-8"))
        assert shown and set(shown) <= set(known), page


@pytest.mark.parametrize(
    ("source", "people"),
    [
        ({**MANIFEST, "group_column": "Patient_ID"}, True),
        ({**MANIFEST, "group_column": "Patient_ID", "people": False}, False),
        ({**MANIFEST, "group_column": "room"}, False),
        ({**MANIFEST, "people": True}, True),
        ({"type": "speech_folder", "root": "x", "group_column": "code", "sample_rate": 8000, "duration": 0.25}, True),
        ({"type": "hku956", "root": "x", "sample_rate": 8000, "duration": 1}, True),
        ({"type": "voice", "size": 4, "sample_rate": 8000, "duration": 0.25}, False),
        ({"type": "skin_response", "size": 4, "sample_rate": 8000, "duration": 1}, False),
        ({**MANIFEST, "type": "mixture", "sources": {"a": {**MANIFEST, "people": True}, "b": MANIFEST}}, True),
    ],
)
def test_sources_of_people_are_told_apart(source: dict[str, Any], people: bool) -> None:
    if source["type"] == "mixture":
        source = {key: value for key, value in source.items() if key != "path"}
    assert Source.model_validate(source).of_people is people


def test_whose_the_codes_are_is_not_sent_with_a_copy(tmp_path: Path) -> None:
    to = f"memory://{tmp_path.name}"
    found = clinic(tmp_path, checkpoint={"checkpoint_dir": str(tmp_path / "runs"), "upload": to})
    there = [uri.rpartition("/")[2] for uri in storage.listing(f"{to}/{found.folder.name}")]
    assert (found.folder / "ids.csv").is_file() and "predictions.parquet" in there and "ids.csv" not in there
    said = CliRunner().invoke(app, ["upload", str(found.folder), f"{to}/again"])
    assert said.exit_code == 0 and "left here, since it tells whose the codes are: ids.csv" in said.output
    assert "ids.csv" not in [uri.rpartition("/")[2] for uri in storage.listing(f"{to}/again")]


def test_a_log_names_people_by_their_codes(tmp_path: Path) -> None:
    run = run_of(tmp_path, data={"type": "speech_folder", **fabricate(str(tmp_path / "clinic"))})
    code = ids.shown_as(tmp_path, run, 0)
    assert re.fullmatch("[0-9a-f]{8}", code) and f"{code},clinic-ann-0" in (tmp_path / "ids.csv").read_text()
    open_run = run.model_copy(update={"logging": run.logging.model_copy(update={"show_ids": True})})
    assert ids.shown_as(tmp_path, open_run, 0) == "clinic-ann-0"
