"""Checkpoints that were damaged are passed over, by name and reason; a run without a whole one ends with status 3."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import saved
from runs_helpers import run_of, trained
from tympan.runs import sealed
from tympan.runs.checkpoint import Keeper, NoneSound, last_checkpoint
from tympan.runs.resume import resume
from tympan.runs.train import Result


def _flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    place = random.Random(file.name).randrange(len(data))
    data[place] ^= 1 << random.Random(len(data)).randrange(8)
    file.write_bytes(data)


def _longer(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\0")


DAMAGES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "truncated": (lambda file: os.truncate(file, file.stat().st_size // 2), "bytes of|is damaged"),
    "emptied": (lambda file: os.truncate(file, 0), "has 0 bytes of|is damaged"),
    "deleted": (lambda file: file.unlink(), "is missing|was not finished"),
    "one bit flipped": (_flip, "other bytes than were written|is damaged"),
    "one byte longer": (_longer, "bytes of|is damaged"),
}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder with checkpoints of the steps 2, 4 and 5, at which it was asked to end."""
    with pytest.MonkeyPatch.context() as patch:
        run = run_of(tmp_path_factory.mktemp("run"), training={"max_epochs": 4, "batch_size": 16},
                     split={"validation": "none"}, checkpoint={"save_every_n_steps": 2})  # fmt: skip
        patch.setattr(Keeper, "on_save", lambda *args, **kwargs: None)  # nothing is removed
        return saved.interrupted(run, 5, patch)


@pytest.fixture
def folder(stopped: Path, tmp_path: Path) -> Path:
    """A copy of its checkpoints."""
    return Path(shutil.copytree(stopped / "checkpoints", tmp_path / "checkpoints"))


FILES = ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json", "state.json",
         sealed.SEAL)  # fmt: skip


def test_these_are_all_files_and_none_is_a_pickle_of_the_arguments(folder: Path) -> None:
    assert {path.name for path in (folder / "checkpoint-5").iterdir()} == set(FILES)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_makes_its_checkpoint_be_passed_over(damage: str, file: str, folder: Path) -> None:
    hurt, says = DAMAGES[damage]
    hurt(folder / "checkpoint-5" / file)
    found, passed = last_checkpoint(folder)
    assert found == folder / "checkpoint-4"
    ((path, why),) = passed.items()
    assert path.name == "checkpoint-5" and file in why
    with pytest.raises(sealed.Unsound, match=says):
        sealed.verify(path)


@pytest.mark.parametrize("file", FILES)
def test_files_swapped_between_checkpoints_are_noticed_in_both(file: str, folder: Path) -> None:
    new, old = (folder / f"checkpoint-{step}" / file for step in (5, 4))
    aside = folder / "aside"
    new.rename(aside), old.rename(new), aside.rename(old)
    found, passed = last_checkpoint(folder)
    if file == sealed.SEAL:  # each seal tells of the other's files
        assert found == folder / "checkpoint-2" and len(passed) == 2
    elif new.read_bytes() == old.read_bytes():
        assert found == folder / "checkpoint-5"
    else:
        assert found == folder / "checkpoint-2" and {p.name for p in passed} == {"checkpoint-4", "checkpoint-5"}


def test_what_is_newest_is_told_by_the_seal_and_not_by_name_or_time(folder: Path) -> None:
    (folder / "checkpoint-5").rename(folder / "checkpoint-1")
    os.utime(folder / "checkpoint-1", (0, 0))
    assert last_checkpoint(folder)[0] == folder / "checkpoint-1"


def test_a_file_that_was_not_sealed_with_the_others_is_refused(folder: Path) -> None:
    (folder / "checkpoint-5" / "training_args.bin").write_bytes(b"\x80\x04.")
    found, passed = last_checkpoint(folder)
    assert found == folder / "checkpoint-4" and "training_args.bin is not among" in str(passed)


def test_a_seal_that_was_written_to_fit_is_still_refused(folder: Path) -> None:
    """A step that was changed in the seal, and in nothing else."""
    seal = folder / "checkpoint-4" / sealed.SEAL
    seal.write_text(json.dumps({**json.loads(seal.read_text()), "step": 9}))
    found, passed = last_checkpoint(folder)
    assert found == folder / "checkpoint-5" and "checkpoint-4" in str(passed)


def test_nothing_is_left_of_what_could_not_be_written(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), sealed.written(tmp_path / "checkpoint-1", 1) as made:
        (made / "file").write_text("half")
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_what_is_sound_is_not_written_again_and_what_is_not_is(tmp_path: Path) -> None:
    place = tmp_path / "checkpoint-1"
    for text, stays in (("first", "first"), ("second", "first")):
        with sealed.written(place, 1) as made:
            (made / "file").write_text(text)
        assert (place / "file").read_text() == stays
    (place / "file").write_text("hurt!")
    with sealed.written(place, 1) as made:
        (made / "file").write_text("third")
    assert (place / "file").read_text() == "third" and sealed.verify(place) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-1"]


def test_a_run_goes_on_from_the_whole_one_and_says_what_it_passed_over(stopped: Path, tmp_path: Path) -> None:
    whole = trained(tmp_path, training={"max_epochs": 4, "batch_size": 16}, split={"validation": "none"},
                    checkpoint={"save_every_n_steps": 2})  # fmt: skip
    run = Path(shutil.copytree(stopped, tmp_path / "copy"))
    os.truncate(run / "checkpoints" / "checkpoint-5" / "optimizer.pt", 10)
    with (tmp_path / "said").open("w") as file:
        console = Console(record=True, width=300, file=file)
        result = resume(run, console=console)
    assert result.metrics == whole.metrics
    said = console.export_text()
    assert "checkpoint-5 is passed over: optimizer.pt has 10 bytes of" in said and "goes on from step 4" in said


def test_without_a_whole_one_the_program_ends_with_status_3(stopped: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(stopped, tmp_path / "copy"))
    for checkpoint in (run / "checkpoints").iterdir():
        os.truncate(checkpoint / "model.safetensors", 10)
    with pytest.raises(NoneSound, match=r"no checkpoint is whole .*checkpoint-5: model\.safetensors has 10 bytes"):
        resume(run, console=saved.QUIET)
    assert NoneSound.status == 3
    assert len(list((run / "checkpoints").iterdir())) == 3  # nothing that was there is lost


@pytest.mark.slow
def test_the_command_does_so(stopped: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(stopped, tmp_path / "copy"))
    for checkpoint in (run / "checkpoints").iterdir():
        (checkpoint / sealed.SEAL).unlink()
    done = subprocess.run([sys.executable, "-m", "tympan", "resume", str(run)], capture_output=True, text=True)
    assert done.returncode == 3
    assert "error: " in done.stderr and "Traceback" not in done.stderr


def test_pruning_leaves_what_is_sound_where_the_rest_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that would be kept is rotten: then what is surplus stays."""
    plain = Keeper.on_save

    def rots(self: Keeper, args: Any, state: Any, *rest: Any, **options: Any) -> None:
        if state.global_step == 4:
            _flip(Path(args.output_dir) / "checkpoint-4" / "model.safetensors")
        plain(self, args, state, *rest, **options)

    monkeypatch.setattr(Keeper, "on_save", rots)
    sections: dict[str, Any] = {"split": {"validation": "none"}, "training": {"max_epochs": 2, "batch_size": 16}}
    folder = saved.interrupted(run_of(tmp_path, **sections, checkpoint={"save_every_n_steps": 2}), 4, monkeypatch)
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"checkpoint-2", "checkpoint-4"}
    assert last_checkpoint(folder / "checkpoints")[0] == folder / "checkpoints" / "checkpoint-2"
    assert isinstance(resume(folder, console=saved.QUIET), Result)
