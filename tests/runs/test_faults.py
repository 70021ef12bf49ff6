"""What goes wrong in training is told in its own words, and takes nothing away that was whole."""

from pathlib import Path

import pytest
import torch
from rich.console import Console

from corpora import put_sound, tone
from runs_helpers import trained, write
from tympan.data import Example
from tympan.data.synthesizers.circular_membrane import CircularMembrane
from tympan.runs.configuration import load
from tympan.runs.faults import in_worker
from tympan.runs.train import train


@pytest.mark.parametrize("workers", [0, 2])
def test_a_bad_recording_is_told_in_its_own_words(workers: int, tmp_path: Path) -> None:
    rows = ["path,diameter"]
    for n in range(40):
        put_sound(str(tmp_path / f"{n}.wav"), tone(200 + n, 0.1, 8000), 8000)
        rows.append(f"{n}.wav,{n + 1}")
    (tmp_path / "7.wav").write_bytes(b"")
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    data = {"type": "manifest", "path": str(tmp_path / "t.csv"), "sample_rate": 8000, "duration": 0.1}
    run = load(
        write(
            tmp_path / "run.yaml",
            data=data,
            split={"seed": 1},
            loader={"num_workers": workers},
            checkpoint={"checkpoint_dir": str(tmp_path / "runs")},
        )
    )
    assert 7 in run.divide()[0].train
    says = r"^7\.wav is empty \(0 bytes\); record or copy it again( \(`tympan check` names every .*\))?$"
    with pytest.raises(ValueError, match=says.replace("7", f"{tmp_path}/7", 1)) as raised:
        train(run, console=Console(quiet=True))
    assert "Traceback" not in str(raised.value)
    assert ("tympan check" in str(raised.value)) == bool(workers)


def test_an_error_of_the_data_is_not_taken_for_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that goes away right after a checkpoint was written: that checkpoint is whole, and stays."""
    folder = tmp_path / "runs"
    plain = CircularMembrane.__getitem__

    def gone(self: CircularMembrane, index: int) -> Example:
        if list(folder.glob("*/checkpoints/checkpoint-3/trainer_state.json")):
            raise OSError(5, "the disk is gone")
        return plain(self, index)

    monkeypatch.setattr(CircularMembrane, "__getitem__", gone)
    file = write(
        tmp_path / "run.yaml",
        training={"max_epochs": 3, "batch_size": 16},
        checkpoint={"checkpoint_dir": str(folder)},
    )
    with pytest.raises(OSError, match="the disk is gone") as raised:
        train(load(file), console=Console(quiet=True))
    assert "could not be written" not in str(raised.value)
    (kept,) = folder.glob("*/checkpoints/*")
    assert (kept / "model.safetensors").stat().st_size > 5000


def test_what_libraries_say_of_a_full_disk_is_put_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 1055616 vs 1055504")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match=r"checkpoint-3 could not be written: the disk is full; [\d,]+ bytes are free"):
        trained(tmp_path)


def test_what_torch_wraps_around_an_error_is_taken_off() -> None:
    trace = 'Traceback (most recent call last):\n  File "a.py", line 3, in f\n    raise X\nOSError: no\n\n'
    trace += 'During handling:\n\n  File "b.py", line 4, in g\n    h()\npackage.Odd: it: is\nodd\n'
    wrapped = f"Caught Odd in DataLoader worker process 1.\nOriginal {trace}"
    assert in_worker(ValueError(wrapped)) == "it: is\nodd"
    assert in_worker(ValueError("it is odd")) is None
