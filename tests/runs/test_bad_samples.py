"""A recording that cannot be used ends the run, or others take its place: the same with any workers, after any stop."""

import csv
import io
import json
import multiprocessing
import os
import signal
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from transformers import Trainer, TrainerCallback

from corpora import put_sound, tone
from corpora.speech_folder import fabricate
from runs_helpers import run_of
from tympan.data import Example
from tympan.data.bad_samples import BadSamples, BadSampleWarning
from tympan.data.datasets.manifest import Manifest
from tympan.data.split import Parts
from tympan.runs import folder as folders
from tympan.runs.checkpoint import last_checkpoint
from tympan.runs.prepare import Prepared, prepare
from tympan.runs.run import Run
from tympan.runs.surviving import SurvivingTrainer
from tympan.runs.train import train
from tympan.runs.unbroken import fit, told

Clip = Callable[[Manifest, int, int, int], Example]
SKIP = {"bad_samples": "skip", "bad_sample_budget": 0.1}
LARGEST = 40


def corpus(tmp_path: Path, **sections: Any) -> tuple[Run, Parts]:
    """A run on tones, and its parts."""
    rows = ["path,diameter"]
    for n in range(LARGEST):
        put_sound(str(tmp_path / f"{n}.wav"), tone(200 + 10 * n, 0.1, 8000), 8000)
        rows.append(f"{n}.wav,{n + 1}")
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    data = {"type": "manifest", "path": str(tmp_path / "t.csv"), "sample_rate": 8000, "duration": 0.1}
    run = run_of(tmp_path, data=data, split={"seed": 1}, **{"training": {"max_epochs": 2, "batch_size": 4}, **sections})
    return run, run.divide()[0]


def empty(tmp_path: Path, indices: Sequence[int]) -> None:
    for index in indices:
        (tmp_path / f"{index}.wav").write_bytes(b"")


def with_workers(run: Run, workers: int) -> Run:
    return run.model_copy(update={"loader": run.loader.model_copy(update={"num_workers": workers})})


def names(folder: Path) -> list[str]:
    with (folder / "bad_samples.csv").open(newline="") as file:
        return [row["id"] for row in csv.DictReader(file)]


def fitted(
    run: Run, parts: Parts, folder: Path, checkpoint: Path | None = None, console: Console | None = None, until: int = 0
) -> dict[str, torch.Tensor]:
    """The weights that training alone comes to, where it is not stopped after a step."""

    class Stops(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == until:
                raise KeyboardInterrupt

    folder.mkdir(exist_ok=True)
    prepared, quiet = prepare(run, parts, folder=folder), Console(quiet=True)
    made = fit(prepared, folder, console or quiet, "tiny", {}, checkpoint, [Stops()])
    return made.pipeline.state_dict()


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_a_run_leaves_them_out_and_says_so(tmp_path: Path) -> None:
    run, parts = corpus(tmp_path, loader={"num_workers": 0, **SKIP})
    bad = [parts.train[1], parts.train[5], parts.validation[0]]
    empty(tmp_path, bad)
    ids = {f"{index}.wav" for index in bad}
    with pytest.warns(BadSampleWarning, match=r"\d+\.wav; others are heard .*bad_samples\.csv") as said:
        made = train(run, console=Console(quiet=True))
    assert len([one for one in said if one.category is BadSampleWarning]) == 1
    assert sorted(names(made.folder)) == sorted(ids)
    (note,) = (note for note in folders.summary(made.folder)["notes"] if "bad_samples.csv" in note)
    assert note.startswith("3 recordings") and all(id in note for id in ids)
    assert "3 recordings of training and validation could not" in (made.folder / "report" / "index.html").read_text()


def test_others_take_their_places_with_any_workers_and_after_a_stop(tmp_path: Path) -> None:
    features = {"type": "mel", "standardize": "dataset"}
    checkpoint = {"save_every_n_steps": 2}
    run, parts = corpus(tmp_path, loader={"num_workers": 0, **SKIP}, features=features, checkpoint=checkpoint)
    empty(tmp_path, [parts.train[1], parts.train[5], parts.validation[0]])
    with pytest.warns(BadSampleWarning):
        plain = fitted(run, parts, tmp_path / "plain")
    with pytest.warns(BadSampleWarning):
        assert same(fitted(with_workers(run, 2), parts, tmp_path / "beside"), plain)
    assert sorted(names(tmp_path / "beside")) == sorted(names(tmp_path / "plain"))
    with pytest.warns(BadSampleWarning):
        with pytest.raises(KeyboardInterrupt):
            fitted(run, parts, tmp_path / "stopped", until=5)
        last, _ = last_checkpoint(tmp_path / "stopped" / "checkpoints")
        assert last is not None and last.name == "checkpoint-4"
        assert same(fitted(run, parts, tmp_path / "stopped", last), plain)
    assert sorted(names(tmp_path / "stopped")) == sorted(names(tmp_path / "plain"))


def test_more_than_the_budget_end_the_run_and_are_named(tmp_path: Path) -> None:
    run, parts = corpus(tmp_path, loader={"num_workers": 2, "bad_samples": "skip", "bad_sample_budget": 0.8})
    empty(tmp_path, parts.train)
    most = int(0.8 * len(parts.train))
    says = rf"^more recordings cannot .* the {most} that .* allows: (\d+\.wav: [^;]*; [^;]*; ){{19}}\d+\.wav: .* and "
    with pytest.raises(ValueError, match=says + r"\d more; .*bad_samples\.csv names all"):
        train(run, console=Console(quiet=True))
    (folder,) = (tmp_path / "runs").iterdir()
    # Two processes may each find the last one at once.
    assert len(names(folder)) in (most + 1, most + 2) and len(names(folder)) == len(set(names(folder)))


def test_two_processes_that_find_one_at_once_list_it_once(tmp_path: Path) -> None:
    run, _ = corpus(tmp_path)
    bad, fork = BadSamples(run.data, LARGEST, tmp_path / "bad_samples.csv"), multiprocessing.get_context("fork")
    together = fork.Barrier(2)

    def finds() -> None:
        for index in range(LARGEST):
            together.wait(30)
            bad.add(index, "empty")

    both = [fork.Process(target=finds) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert sorted(names(tmp_path)) == sorted(f"{index}.wav" for index in range(LARGEST))


def test_one_of_the_test_part_is_an_error(tmp_path: Path) -> None:
    run, parts = corpus(tmp_path, loader={"num_workers": 0, **SKIP})
    empty(tmp_path, parts.test[:1])
    prepared = Prepared(run, parts, tmp_path)
    with pytest.raises(ValueError, match=f"/{parts.test[0]}.wav is empty"):
        next(prepared.heard("test"))
    with pytest.raises(ValueError, match=f"/{parts.test[0]}.wav is empty"):
        prepared.clips("test")[0]


def test_what_is_no_fault_of_a_recording_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that cannot be reached, a cache that is full."""
    run, parts = corpus(tmp_path, loader={"num_workers": 0, **SKIP})
    bad = Prepared(run, parts, tmp_path).bad

    def raises(error: OSError) -> None:
        raise error

    for error in (ConnectionError("away"), OSError(28, "full")):
        with pytest.raises(type(error)):
            bad.unless_bad(parts.train[0], lambda error=error: raises(error))
    assert bad.unless_bad(parts.train[0], lambda: raises(OSError(5, "cannot be read"))) is None
    assert names(tmp_path) == [f"{parts.train[0]}.wav"]


def test_none_left_is_told(tmp_path: Path) -> None:
    run, parts = corpus(tmp_path, loader={"num_workers": 0, **SKIP})
    few = Parts(train=parts.train, validation=parts.validation[:2], test=[])
    empty(tmp_path, few.validation)
    with pytest.raises(ValueError, match="none of 2 recordings can be used"):
        Prepared(run, few, tmp_path).clips("validation")[0]


def test_people_have_codes_in_the_report(tmp_path: Path) -> None:
    some = {**SKIP, "bad_sample_budget": 0.5}
    data = {"type": "speech_folder", **fabricate(str(tmp_path / "clinic"))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = run_of(tmp_path, data=data, target={"type": "binary", "labels": ["dysarthria"]}, loader=some)
        prepared = Prepared(run, run.divide()[0], tmp_path)
    assert told(prepared, tmp_path) == []
    index = prepared.parts.train[0]
    prepared.bad.add(index, "it hums")
    with pytest.warns(BadSampleWarning):
        (note,) = told(prepared, tmp_path)
    id = run.data.describe(index).id
    code = next(line.split(",")[0] for line in (tmp_path / "ids.csv").read_text().splitlines() if line.endswith(id))
    assert note.endswith(f": {code}.") and id not in note and names(tmp_path) == [id]


def ending(at: str, how: Callable[[Manifest], None]) -> Clip:
    """A clip whose reading does something first where it is of a certain recording."""
    plain = Manifest.clip

    def clip(self: Manifest, index: int, epoch: int, seed: int) -> Example:
        if self.describe(index).id == at:
            how(self)
        return plain(self, index, epoch, seed)

    return clip


def crash(_: object) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def refuse(_: object) -> None:
    raise ValueError("it does not end")


def test_a_recording_that_ends_its_reader_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training goes on from the last checkpoint to the weights of a run that knew it from the beginning."""
    checkpoint = {"save_every_n_steps": 1}
    run, parts = corpus(tmp_path, loader={"num_workers": 2, "prefetch_size": 1, **SKIP}, checkpoint=checkpoint)
    clips = Prepared(run, parts).clips("train", 2, shuffle=True)
    late = next(p for p in range(len(clips) - 1, 0, -1) if clips.at(p)[0] == 0)
    id = f"{clips.at(late)[1]}.wav"  # the last of the first epoch, when there are checkpoints
    with monkeypatch.context() as patch, pytest.warns(BadSampleWarning):
        patch.setattr(Manifest, "clip", ending(id, refuse))
        plain = fitted(with_workers(run, 0), parts, tmp_path / "plain")
    console = Console(record=True, file=io.StringIO())
    with monkeypatch.context() as patch, pytest.warns(BadSampleWarning):
        patch.setattr(Manifest, "clip", ending(id, crash))
        made = fitted(run, parts, tmp_path / "made", console=console)
    (said,) = (line for line in console.export_text().splitlines() if "goes on without it from step" in line)
    assert int(said.split()[-1]) > 0
    assert names(tmp_path / "made") == [id] and same(made, plain)
    logs = [(tmp_path / name / "log.jsonl").read_text().splitlines() for name in ("made", "plain")]
    steps = [[json.loads(line)["step"] for line in log] for log in logs]
    assert steps[0] == steps[1]


def test_a_recording_that_ends_its_reader_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, parts = corpus(tmp_path, loader={"num_workers": 2})
    index = parts.train[3]
    monkeypatch.setattr(Manifest, "clip", ending(f"{index}.wav", crash))
    says = rf"recording {index}\.wav in .*/{index}\.wav ends the process that reads it \(SIGSEGV\); .*bad_samples: skip"
    with pytest.raises(ValueError, match=says):
        train(run, console=Console(quiet=True))


def test_a_reader_that_ends_raises_nothing_where_nobody_waits_for_it(tmp_path: Path) -> None:
    """torch's handler of SIGCHLD raises amid anything: a lock of logging was left taken, and other threads hung."""
    run, parts = corpus(tmp_path, loader={"num_workers": 2})
    seen = []

    class Looks(TrainerCallback):
        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            seen.append(signal.getsignal(signal.SIGCHLD))

    (tmp_path / "made").mkdir()
    prepared = prepare(run, parts, folder=tmp_path / "made")
    fit(prepared, tmp_path / "made", Console(quiet=True), "tiny", {}, None, [Looks()])
    assert seen and set(seen) == {signal.SIG_DFL}
    assert callable(signal.getsignal(signal.SIGCHLD))  # torch's is there again for loaders of others


def test_a_batch_that_a_reader_took_with_it_tells_of_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection is gone a moment before the system says that the process has ended."""
    calls = iter([None, None, RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")])

    def ended() -> None:
        if error := next(calls):
            raise error

    def reset(*_: Any, **__: Any) -> None:
        raise ConnectionResetError("reset by peer")

    monkeypatch.setattr("torch._C._error_if_any_worker_fails", ended)
    monkeypatch.setattr(Trainer, "train", reset)
    trainer = SurvivingTrainer.__new__(SurvivingTrainer)
    dismissed: list[bool] = []
    monkeypatch.setattr(trainer, "_dismiss", lambda: dismissed.append(True), raising=False)
    with pytest.raises(RuntimeError, match="pid 7"):
        trainer.train()
    assert dismissed, "once it is known"


def test_a_reader_that_memory_ended_is_not_the_recordings_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, parts = corpus(tmp_path, loader={"num_workers": 2, **SKIP})
    index = parts.train[3]

    def once(_: object) -> None:
        if not (tmp_path / "ended").exists():
            (tmp_path / "ended").touch()
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(Manifest, "clip", ending(f"{index}.wav", once))
    with pytest.raises(
        ValueError, match=rf"(Killed|exited unexpectedly)\) while it read recording {index}\.wav .*want of memory"
    ):
        train(run, console=Console(quiet=True))
    assert BadSamples(run.data, 1, next(tmp_path.glob("runs/*/bad_samples.csv"))).known == {}
