"""The examples of the page on acoustics run, without torch, and its figures are those of the code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tympan.acoustics import modes, upstream

TEXT = (Path(__file__).parents[2] / "docs" / "acoustics.md").read_text(encoding="utf-8")


def test_every_example_runs_without_torch_or_configuration() -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", TEXT, re.S))
    script = f"{code}\nimport sys\nassert not {{'torch', 'pydantic', 'matplotlib'}} & set(sys.modules)\nprint(len(y))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout == "48000\n"


def test_every_module_is_in_the_table() -> None:
    folder = Path(modes.__file__).parent
    names = {path.stem for path in folder.glob("[a-z]*.py")}
    rows = re.findall(r"^\| (`.*?`) \|", TEXT.split("## ")[0], re.M)
    assert names == {name for row in rows for name in re.findall(r"`(\w+)`", row)}


@pytest.mark.parametrize(
    ("name", "theory", "theirs"),
    [
        ("circle", modes.circle_frequencies(0.3, 100.0), upstream.circle_frequencies(0.3, 100.0)),
        ("square", modes.rectangle_frequencies(0.3, 0.3, 100.0), upstream.rectangle_frequencies(0.3, 1.0, 100.0)),
        ("equilateral", modes.triangle_frequencies(0.3, 100.0), upstream.triangle_frequencies(0.3, 100.0)),
    ],
)
def test_the_pitches_of_the_two_conventions_are_as_printed(name, theory, theirs) -> None:
    (row,) = re.findall(rf"^\| {name}.*Hz.*", TEXT, re.M)
    assert f"{theory[0, 0]:.1f} Hz" in row and f"{theirs[0, 0]:.1f} Hz" in row
