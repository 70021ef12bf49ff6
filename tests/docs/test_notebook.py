"""The notebook on speech runs from its first cell to its last, without a warning, and its figures are as it says."""

import json
import os
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from pyarrow import parquet

NOTEBOOK = Path(__file__).parents[2] / "examples" / "speech.ipynb"
LABELS = ("breathy", "tremulous", "slow")
STRICT = "import warnings\n\nwarnings.simplefilter('error')\n"


def executed(folder: Path, monkeypatch: pytest.MonkeyPatch, parameters: str = "") -> nbformat.NotebookNode:
    """The notebook after its kernel, in an empty folder, has run it with other parameters."""
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR", "TYMPAN_CACHE"):
        monkeypatch.setenv(name, str(folder.parent / name.lower()))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(p for p in sys.path if p))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (first,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    first.source = f"{STRICT}{first.source}\n{parameters}"
    # ipykernel itself warns when it is shut down.
    notebook.cells.append(nbformat.v4.new_code_cell("warnings.simplefilter('ignore')"))
    place = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=600, resources=place, record_timing=False).execute()
    return notebook


def printed(notebook: nbformat.NotebookNode, cell: str) -> str:
    """What the cells that begin so have put out, as text."""
    outputs = [output for own in notebook.cells if own.source.startswith(cell) for output in own.outputs]
    return "".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs)


def figures(folder: Path) -> dict:
    return json.loads((folder / "metrics.json").read_text())["test"]


def check(notebook: nbformat.NotebookNode, folder: Path, whole: bool) -> None:
    """That it says what is so; only the whole corpus has figures that are certain."""
    assert "clinic.json: the configuration is sound" in printed(notebook, "%run -m tympan check")
    own, (elsewhere,) = figures(folder / "run"), (folder / "run" / "evaluations").iterdir()
    assert elsewhere.name.startswith("elsewhere-")
    for label in LABELS:
        for scores in (own, figures(elsewhere)):
            figure = scores["model"][label]["auroc"]
            assert figure["low"] <= figure["value"] <= figure["high"]
            assert not whole or figure["value"] >= (0.95 if scores is own else 0.8), label
        for control in ("recording", "silence", "speaker"):
            assert not whole or own[f"control/{control}"][label]["auroc"]["value"] < 0.85, label
    speakers = set(json.loads((folder / "run" / "split.json").read_text())["test"]["group_names"])
    for layer, width in (("ft", 16), ("st", 32)):
        rows = parquet.read_table(folder / f"{layer}.parquet").to_pylist()
        assert {len(row["vector"]) for row in rows} == {width}
        assert {row["subject"] for row in rows if row["split"] == "test"} == speakers
    assert "breathy" in printed(notebook, "recording = ") and "slow" in printed(notebook, "routine.predict")
    pictures = [o for cell in notebook.cells for o in cell.get("outputs", ()) if "image/png" in o.get("data", {})]
    assert len(pictures) == 2


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_notebook_runs_and_says_what_is_so(whole: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    check(executed(folder, monkeypatch, "" if whole else "speakers, epochs = 32, 1"), folder, whole)


def test_what_is_kept_is_small_and_without_a_trace_of_this_machine() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < 500_000
    for trace in ("/root", "/home/", "/tmp", "/Users/"):
        assert trace not in text
