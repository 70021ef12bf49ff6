"""Clock, locale, hash seed, folder and path change nothing of what a run comes to."""

import hashlib
import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from corpora import put_sound, tone
from runs_helpers import run_of
from tympan.runs import folder as folders
from tympan.runs.configuration import load
from tympan.runs.run import Run
from tympan.runs.train import train

CHILD = """
import sys, time
assert time.time.__name__ == "jumping"
from pathlib import Path
sys.path[:0] = [sys.argv[1], sys.argv[2]]
import test_surroundings
print(test_surroundings.outcome(Path(sys.argv[3])))
"""
CLOCK = """
import itertools, time
_true, _count = time.time, itertools.count()
def jumping():
    return _true() + (-9e6, 0.0, 3600.0, 1e6, -3600.0)[next(_count) % 5]
time.time = jumping
"""
"""A clock that jumps by months, days and hours, back and forth, at every look; Python imports it at its start."""
ODD = {
    "C": {"LC_ALL": "C", "LANG": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONHASHSEED": "1", "TZ": "AAA0BBB,J1/0,J365/23"},
    "Turkish": {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "PYTHONHASHSEED": "2", "TZ": "America/St_Johns"},
    "ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONHASHSEED": "3"},
}
"""Of locales, hash seeds and time zones; where all is ASCII, Python itself can open no path with other letters."""
LONG = "x" * 200


def corpus(folder: Path, name: str = "tür {} 🥁.wav") -> Path:
    """The configuration of a run on tones, in a folder that holds its data too."""
    rows = ["path,label,diameter"]
    for n in range(24):
        put_sound(str(folder / name.format(n)), tone(200 + 20 * n, 0.1, 8000), 8000)
        rows.append(f"{name.format(n)},{'Iı'[n % 2]},{n + 1}")
    (folder / "t.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    data = {"type": "manifest", "path": str(folder / "t.csv"), "sample_rate": 8000, "duration": 0.1}
    run_of(
        folder,
        data=data,
        training={"max_epochs": 1, "batch_size": 8},
        targets={
            "size": {"target": {"type": "continuous", "quantities": {"diameter": ""}}},
            "kind": {"target": {"type": "categorical", "column": "label"}},
        },
        target=None,
        loader={"num_workers": 1},
        split={"seed": 1},
    )
    return folder / "run.yaml"


def outcome(config: Path) -> str:
    """Weights, figures and answers of a training, as JSON."""
    made = train(load(config), console=Console(quiet=True))
    told = (made.folder / "metrics.json").read_text(encoding="utf-8")
    seconds = json.loads((made.folder / "summary.json").read_text(encoding="utf-8"))["times"].values()
    lines = [json.loads(line) for line in (made.folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all(0 <= s < 300 for s in [*seconds, *(line["seconds"] for line in lines)])
    return json.dumps(
        {
            "weights": hashlib.sha256((made.folder / "model" / "model.safetensors").read_bytes()).hexdigest(),
            "metrics": json.loads(told),
            "log": [{k: v for k, v in line.items() if k != "seconds"} for line in lines],
        }
    )


def in_a_child(config: Path, cwd: Path, environment: dict[str, str]) -> Any:
    (cwd / "sitecustomize.py").write_text(CLOCK)
    here = Path(__file__).parent
    source = str(Path(folders.__file__).parents[2])
    environment = {
        **{name: value for name, value in os.environ.items() if name not in ("LC_ALL", "LANG", "PYTHONHASHSEED")},
        **environment,
        "PYTHONPATH": os.pathsep.join([str(cwd), source]),
    }
    command = [sys.executable, "-c", CHILD, str(here), str(here.parent), str(config)]
    done = subprocess.run(command, env=environment, cwd=cwd, capture_output=True)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["C", "Turkish", "ASCII"])
def test_a_run_comes_to_the_same_anywhere(kind: str, tmp_path: Path) -> None:
    odd = tmp_path / ("odd" if kind == "ASCII" else "with space, ünï 🥁 'quotes'") / LONG / LONG
    plain, cwd = tmp_path / "plain", tmp_path / "elsewhere"
    for folder in (plain, odd, cwd):
        folder.mkdir(parents=True)
    name = {"name": "tone {}.wav"} if kind == "ASCII" else {}
    here = json.loads(outcome(corpus(plain, **name)))
    assert in_a_child(corpus(odd, **name), cwd, ODD[kind]) == here


def test_folders_of_one_second_are_all_others_whatever_the_clock_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that stands, goes back by a day, and shows an hour twice."""
    times = [datetime(2026, 10, 25, 2, 30), datetime(2026, 10, 24, 2, 30), datetime(2026, 10, 25, 2, 30, fold=1)]
    run: Run = run_of(tmp_path)

    class Clock:
        now = staticmethod(lambda: times[len(list((tmp_path / "runs").glob("*"))) % 3])

    monkeypatch.setattr(folders, "datetime", Clock)
    made = [folders.make(run) for _ in range(9)]
    assert len(set(made)) == 9 and all(folder.is_dir() for folder in made)
