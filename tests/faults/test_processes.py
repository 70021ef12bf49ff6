"""Several processes learn what one learns from the batches of all, end together, and go on with another number."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file

import saved
from corpora.speech_folder import fabricate
from runs_helpers import write
from tympan.component import AssumptionWarning
from tympan.data import storage
from tympan.runs import ranks, sharded, trainer
from tympan.runs.asked import Interrupted
from tympan.runs.checkpoint import last_checkpoint
from tympan.runs.configuration import load
from tympan.runs.hardware import spread
from tympan.runs.train import resume, train

TWO = ("hardware.distributed=true", "hardware.num_gpus=2")
PLAIN: dict[str, Any] = {"type": "tcn", "width": 8, "layers": 2, "dropout": 0.0}
NORMED: dict[str, Any] = {"type": "timm", "name": "test_efficientnet"}


def config(tmp_path: Path, model: dict[str, Any] = PLAIN) -> Path:
    """A run of recordings whose second quantity is unknown in half of them, in batches that do not divide them."""
    data = {"type": "speech_folder", **fabricate(str(tmp_path / "clinic"))}
    own = {
        "name": "clinic",
        "data": data,
        "split": {"validation": 0.25},
        "model": model,
        "target": {"type": "continuous", "quantities": {"age": "", "rating": ""}},
        "augmentations": [{"type": "gaussian_noise", "p": 1.0}],
        "training": {"max_epochs": 5, "batch_size": 2, "early_stopping": False},
        "optimizer": {"name": "sgd", "learning_rate": 0.01},
        "logging": {"log_every_n_steps": 1, "worst_examples": 0},
        "checkpoint": {"checkpoint_dir": str(tmp_path / "runs")},
        "hardware": {"device": "cpu"},
        "test": False,
    }
    return write(tmp_path / "run.yaml", **own)


def command(*words: str) -> subprocess.Popen[str]:
    """The program, in a group of its own."""
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "tympan", *words],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def done(*words: str) -> Path:
    """The folder of a run that came to its end."""
    process = command(*words)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return Path(out.splitlines()[-1])


def figures(folder: Path, name: str) -> dict[int, float]:
    """A figure of the log by step."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return {line["step"]: line[name] for line in lines if name in line}


def same(left: dict[int, float], right: dict[int, float], within: float) -> None:
    assert left.keys() == right.keys() and left
    for step, value in left.items():
        assert value == pytest.approx(right[step], rel=within), step


def learned_the_same(two: Path, one: Path, within: float) -> None:
    """Two runs have the same figures at every step, and end with the same weights."""
    for name in ("loss", "val_loss", "val_mae"):
        same(figures(two, name), figures(one, name), within)
    last = [load_file(f / "model" / "model.safetensors") for f in (two, one)]
    for name, weights in last[0].items():
        torch.testing.assert_close(weights, last[1][name], rtol=10 * within, atol=10 * within)


def forked(act: Callable[[], Any]) -> list[str]:
    """Do it in two processes that share all that is imported; what error each of them ended with, if any."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pids, said = [], [tempfile.TemporaryFile("w+") for _ in range(2)]  # noqa: SIM115 - closed below
    for rank in range(2):
        if not (pid := os.fork()):
            own = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
            os.environ.update(own, MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
            warnings.simplefilter("ignore", AssumptionWarning)
            try:
                act()
            except BaseException as error:  # noqa: BLE001 - whatever it is, this process ends here
                said[rank].write(f"{type(error).__name__}: {error}")
                said[rank].flush()
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
    told = []
    for file in said:
        file.seek(0)
        told.append(file.read())
        file.close()
    return told


FORKS = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")


@FORKS
@pytest.mark.parametrize(
    ("model", "within"),
    [
        pytest.param(PLAIN, 1e-6, id="plain"),
        pytest.param(NORMED, 1e-3, marks=pytest.mark.slow, id="batch norm"),
    ],
)
def test_two_processes_learn_what_one_learns_from_twice_the_batch(
    model: dict[str, Any], within: float, tmp_path: Path
) -> None:
    path = config(tmp_path, model)
    assert forked(lambda: train(load(path), console=saved.QUIET)) == ["", ""]
    (two,) = (tmp_path / "runs").iterdir()
    one = train(load(path, ["training.batch_size=4"]), console=saved.QUIET).folder
    assert "num_gpus: 2" in (two / "run.yaml").read_text(encoding="utf-8")
    learned_the_same(two, one, within)


@FORKS
@pytest.mark.parametrize(
    ("model", "large", "batches", "within"),
    [
        pytest.param(PLAIN, sharded.LARGE, 1, 1e-6, marks=pytest.mark.slow, id="whole"),
        pytest.param(PLAIN, 1, 2, 1e-6, id="by block, accumulated"),
        pytest.param(NORMED, 1, 1, 1e-3, marks=pytest.mark.slow, id="batch norm"),
    ],
)
def test_two_processes_that_share_the_weights_out_learn_the_same(
    model: dict[str, Any], large: int, batches: int, within: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = config(tmp_path, model)
    steps = f"training.batch_size={2 // batches}", f"training.accumulate_grad_batches={batches}"
    spread_out = ["hardware.distributed=true", "hardware.fsdp=true", *steps]
    monkeypatch.setattr(sharded, "LARGE", large)
    assert forked(lambda: train(load(path, spread_out), console=saved.QUIET)) == ["", ""]
    (two,) = (tmp_path / "runs").iterdir()
    one = train(load(path, ["training.batch_size=4"]), console=saved.QUIET).folder
    assert "fsdp: true" in (two / "run.yaml").read_text(encoding="utf-8")
    learned_the_same(two, one, within)


@pytest.mark.slow
def test_the_program_starts_them_as_torchrun_does(tmp_path: Path) -> None:
    path = str(config(tmp_path))
    ours = done("train", path, *TWO)
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "tympan", "train", path]
    theirs = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True, timeout=300)
    same(figures(ours, "loss"), figures(Path(theirs.stdout.splitlines()[-1]), "loss"), 0)


def test_steps_that_are_put_together_know_all_that_their_batches_know(tmp_path: Path) -> None:
    path = config(tmp_path)
    parts, whole = (
        train(load(path, overrides), console=saved.QUIET).folder
        for overrides in (["training.batch_size=2", "training.accumulate_grad_batches=3"], ["training.batch_size=6"])
    )
    same(figures(parts, "loss"), figures(whole, "loss"), 1e-6)


@FORKS
@pytest.mark.parametrize(
    ("before", "fsdp"),
    [
        (2, False),
        (1, True),
        pytest.param(1, False, marks=pytest.mark.slow),
        pytest.param(2, True, marks=pytest.mark.slow),
    ],
)
def test_it_goes_on_with_another_number_of_processes(
    before: int, fsdp: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = ["hardware.distributed=true", f"hardware.fsdp={str(fsdp).lower()}"]
    moments = ["optimizer.momentum=0.9"]
    run = load(config(tmp_path), [f"training.batch_size={4 // before}", *moments, *shared])
    monkeypatch.setattr(saved.Stops, "step", 3)
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "Tracker", saved.Stops)  # which process 0 has alone
        if before == 1:
            with pytest.raises(Interrupted):
                train(run, console=saved.QUIET)
        else:
            first, second = forked(lambda: train(run, console=saved.QUIET))
            assert first.startswith("Interrupted: ") and second == "SystemExit: 0"
    (folder,) = (tmp_path / "runs").iterdir()
    assert max(figures(folder, "loss")) == 3
    if before == 1:
        assert forked(lambda: resume(folder, shared, console=saved.QUIET)) == ["", ""]
    else:
        with pytest.warns(UserWarning, match=r"goes on with 1 process\(es\) in place of 2, 4 clips a step as ever"):
            resume(folder, ["hardware.num_gpus=1"], console=saved.QUIET)
    whole = train(load(config(tmp_path / "whole"), ["training.batch_size=4", *moments]), console=saved.QUIET).folder
    same(figures(folder, "loss"), figures(whole, "loss"), 1e-6)


@FORKS
def test_what_one_process_cannot_read_is_told_and_ends_all(tmp_path: Path) -> None:
    path = config(tmp_path)
    (bad,) = (tmp_path / "clinic" / "recordings" / "clinic-bob-1").glob("waveform.*")
    bad.write_bytes(b"no sound at all")
    told = forked(lambda: train(load(path), console=saved.QUIET))
    assert sum("clinic-bob-1" in error for error in told) >= 1
    assert all(error.startswith(("ValueError", "OSError", "Lost: process")) for error in told), told


@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_run_and_it_can_be_resumed(tmp_path: Path) -> None:
    path = str(config(tmp_path))
    folder = tmp_path / "killed"
    process = command("train", path, *TWO, "training.max_epochs=100000", f"checkpoint.run_dir={folder}")
    while not any((folder / "checkpoints").glob("checkpoint-*")):
        assert process.poll() is None
        time.sleep(0.05)
    ranked = [p for p in psutil.Process(process.pid).children() if p.environ().get("RANK") == "1"]
    ranked[0].kill()
    began = time.monotonic()
    _, err = process.communicate(timeout=300)
    assert time.monotonic() - began < 30
    assert process.returncode == 137 and "process 1 of 2 was ended by SIGKILL; `tympan resume` goes on" in err
    assert not list((folder / "checkpoints").glob(f"{storage.ASIDE}*/*/seal.json"))
    assert last_checkpoint(folder / "checkpoints")[0] is not None


def test_steps_are_shared_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = load(config(tmp_path))
    with pytest.warns(
        UserWarning, match=r"goes on with 1 process.* in place of 2, 4 clips .*accumulate_grad_batches: 2"
    ):
        assert spread(run, 2).training.accumulate_grad_batches == 2
    monkeypatch.setattr(ranks, "processes", lambda: 2)
    with pytest.warns(UserWarning, match="2 clips a step as ever"):
        own = spread(run, 1)
    assert (own.training.batch_size, own.hardware.num_gpus, own.hardware.distributed) == (1, 2, True)
    monkeypatch.setattr(ranks, "processes", lambda: 3)
    with pytest.raises(ValueError, match="3 processes cannot share the 2 clips of a step"):
        spread(run, 1)


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"hardware": {"num_gpus": 2}}, "several processes are for distributed: true"),
        ({"hardware": {"distributed": True}, "loader": {"bad_samples": "skip"}}, "skip is for one process"),
        ({"hardware": {"distributed": True, "precision": "auto"}}, "auto measures one process"),
        ({"hardware": {"fsdp": True}}, "what is to be shared out needs several processes"),
        ({"hardware": {"distributed": True, "fsdp": True, "channels_last": True}}, "leave one of both out"),
        ({"hardware": {"distributed": True, "fsdp": True, "precision": "fp16"}}, "do not share under fsdp"),
    ],
)
def test_what_several_processes_cannot_is_refused(sections: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said):
        load(write(tmp_path / "run.yaml", **sections))
