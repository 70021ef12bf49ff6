"""Every block of docs/own_instrument.md works as the page says it, in one folder of the user's."""

import re
import shlex
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tympan.cli import app

TEXT = (Path(__file__).parents[2] / "docs" / "own_instrument.md").read_text(encoding="utf-8")
# What makes the trainings short enough for a test.
SHORT = {"size=1000": "size=40", "size: 1000": "size: 40", '"size": 200': '"size": 40', 'epochs": 20': 'epochs": 1',
         "epochs: 20": "epochs: 1", "data.size=20": "data.size=4"}  # fmt: skip


def blocks(language: str) -> list[str]:
    text = TEXT
    for long, short in SHORT.items():
        assert long in text, long
        text = text.replace(long, short)
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


@pytest.fixture(autouse=True)
def folder_of_mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A working folder with the files that the page shows, and no way to it but the page's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    for block in blocks("python") + blocks("yaml"):
        name = re.match(r"# (\w+\.\w+)\n", block)
        if name:
            Path(name[1]).write_text(block, encoding="utf-8")
    yield
    sys.modules.pop("my_instruments", None)


def test_the_commands_work() -> None:
    run, said = "", ""
    for line in "".join(blocks("sh")).splitlines():
        words = [re.sub(r"\bRUN\b", run, word) for word in shlex.split(line)[1:]]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = CliRunner().invoke(app, words, catch_exceptions=False)
        assert result.exit_code == 0, f"{line}\n{result.output}"
        said = result.stdout
        run = said.splitlines()[-1] if words[0] == "train" else run
    assert "diameter (m)" in said and said.count(".wav") == 4


@pytest.mark.slow
def test_the_python_of_the_page_is_one_script_that_works() -> None:
    code = "".join(block for block in blocks("python") if not block.startswith("# my_instruments.py"))
    Path("walk.py").write_text(code, encoding="utf-8")
    quiet = [sys.executable, "-W", "ignore", "walk.py"]
    out = subprocess.run(quiet, capture_output=True, text=True, check=False)
    assert out.returncode == 0, out.stderr
    assert "batch 1 of 1" in out.stdout and "'test':" in out.stdout
    first, second = re.findall(r"\[\[([\d.-]+)\]\] m\n", out.stdout)[-2:]
    assert first == second, "what was taken up again answers as before"


def test_a_path_works_from_python_in_the_working_folder_alone() -> None:
    from tympan.data import Source

    assert "" not in sys.path
    source = Source.model_validate({"type": "my_instruments.Kettledrum", "size": 10})
    assert source.type == "my_instruments.Kettledrum"
    assert source[3].values["diameter"] == source[4].values["diameter"] != source[5].values["diameter"]
