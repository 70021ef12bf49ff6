"""The state of a training, from the configuration to its end."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

import saved
from runs_helpers import run_of, trained
from tympan.runs import state as states
from tympan.runs.state import TrainState
from tympan.runs.state_parts import MetaDataLoaderState, MetricState, RNGState
from tympan.runs.train import train

TRAINING = {"max_epochs": 3, "batch_size": 16}


@pytest.mark.slow
def test_a_training_may_begin_and_go_on_from_its_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = trained(tmp_path / "whole", training=TRAINING)
    run = run_of(tmp_path, training=TRAINING)
    begun = TrainState.from_config(run)
    assert begun.status == "initialized" and begun.optimizer_state.last_step == 0 and begun.same_as(run)
    folder = saved.interrupted(begun.configuration(), 5, monkeypatch)
    stopped = TrainState.from_checkpoint(folder / "checkpoints" / "checkpoint-5")
    assert stopped.status == "stopped" and stopped.optimizer_state.last_step == 5
    assert stopped.meta_dataloader_state.dataloader_states[0].last_batch_idx == 5
    assert stopped.checkpoint_state.checkpoint_dir == folder / "checkpoints"
    result = train(stopped, console=saved.QUIET)
    assert result.folder == folder and result.metrics == whole.metrics
    end = result.state
    assert end and end.status == "complete" and end.optimizer_state.last_step == 10
    assert {"train/loss", "val/loss"} <= set(end.metric_state.metrics)
    model = end.model_state
    assert model.model_loaded and model.model_dtype == torch.float32 and model.model_device == torch.device("cpu")
    assert model.best_model_path and model.best_model_path.is_file() and model.last_model_path
    assert end.optimizer_state.moments_path and end.optimizer_state.moments_path.is_file()
    weights = json.loads((folder / "summary.json").read_text())["parameters"]
    assert end.optimizer_state.moments_ram_size_bytes == 2 * 4 * weights < 2 * model.model_ram_size_bytes


def test_it_is_the_same_after_writing_and_reading(tmp_path: Path) -> None:
    state = TrainState.from_config(run_of(tmp_path))
    state.to_checkpoint(tmp_path)
    assert TrainState.read(tmp_path / states.STATE).model_dump_json() == state.model_dump_json()


def test_generators_go_on_where_they_were() -> None:
    torch.randn(3), np.random.default_rng().random()
    kept = RNGState.now(1)
    drawn = torch.rand(5), np.random.rand(5), np.random.randn(1)  # noqa: NPY002
    RNGState.model_validate_json(kept.model_dump_json()).restore()
    again = torch.rand(5), np.random.rand(5), np.random.randn(1)  # noqa: NPY002
    assert all((np.asarray(a) == np.asarray(b)).all() for a, b in zip(drawn, again, strict=True))


def test_names_of_metrics_and_numbers_of_weights_are_validated() -> None:
    assert MetricState(metrics={"train/loss": 1.0, "val/mae": None})
    for name in ("loss", "test/loss", "train/"):
        with pytest.raises(ValidationError, match="begins with train/ or val/"):
            MetricState(metrics={name: 1.0})
    with pytest.raises(ValidationError, match="2 sampling weights for 0 sources"):
        MetaDataLoaderState(split="train", sampling_weights=[1, 2], dataloader_states=[])


def test_an_older_state_is_brought_forward_and_a_newer_one_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    TrainState.from_config(run_of(tmp_path)).to_checkpoint(tmp_path)
    file = tmp_path / states.STATE
    told = json.loads(file.read_text())
    file.write_text(json.dumps({**told, "schema_version": 2}))
    with pytest.raises(ValueError, match="has version 2, and this tympan knows 1"):
        TrainState.read(file)
    del told["status"]
    file.write_text(json.dumps({**told, "state": "stopped"}))  # as if it had once been called so
    with pytest.raises(ValueError, match="is no state of a training"):
        TrainState.read(file)
    monkeypatch.setattr(states, "MIGRATIONS", [lambda old: {"status": old.pop("state"), **old}])
    assert TrainState.read(file).status == "stopped" and TrainState.read(file).schema_version == 2


def test_a_checkpoint_that_is_not_whole_has_no_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = saved.interrupted(run_of(tmp_path), 2, monkeypatch)
    checkpoint = folder / "checkpoints" / "checkpoint-2"
    (checkpoint / "optimizer.pt").unlink()
    with pytest.raises(ValueError, match=r"optimizer\.pt is missing"):
        TrainState.from_checkpoint(checkpoint)
    with pytest.raises(FileNotFoundError, match="is no folder"):
        TrainState.from_checkpoint(tmp_path / "nowhere")
