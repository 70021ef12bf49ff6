"""A run does what its configuration says, and leaves what it promises."""

import json
import multiprocessing
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from corpora import speech_folder
from runs_helpers import log, write
from tympan.data import Example
from tympan.objectives import Target
from tympan.runs.configuration import load
from tympan.runs.encode import Encode
from tympan.runs.folder import make
from tympan.runs.run import Run
from tympan.runs.surviving import SurvivingTrainer
from tympan.runs.tracking import TrackerWarning
from tympan.runs.train import Result, train
from tympan.serving.artifact import Artifact


def run_of(tmp_path: Path, **sections: Any) -> Run:
    return load(write(tmp_path / "run.yaml", checkpoint={"checkpoint_dir": str(tmp_path / "runs"),
                                                         **sections.pop("checkpoint", {})}, **sections))  # fmt: skip


def trained(tmp_path: Path, **sections: Any) -> Result:
    return train(run_of(tmp_path, **sections), console=Console(quiet=True))


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return trained(tmp_path_factory.mktemp("run"), training={"max_epochs": 4, "batch_size": 16})


def test_everything_that_was_made_is_where_the_result_says(result: Result) -> None:
    assert result.status == "complete"
    missing = [name for name, path in result.paths.items() if not path.exists()]
    assert not missing
    assert result.best_checkpoint is not None
    assert (result.best_checkpoint / "model.safetensors").is_file()


def test_the_table_has_baselines_and_references_beside_the_model(result: Result) -> None:
    assert set(result.metrics) == {"validation", "test"}
    who = result.metrics["test"]
    assert set(who) == {
        "model",
        *(f"baseline/{b}" for b in ("mean", "ridge", "ridge_on_peaks")),
        "reference/closed_form_inverse",
    }
    figure = who["model"]["diameter"]["mae"]
    assert figure["unit"] == "m"
    assert figure["n"] == 5
    assert figure["low"] is None
    assert "groups" in figure["note"]
    assert json.loads(result.paths["metrics"].read_text()) == result.metrics
    # The inverse is told the tension, and is right wherever the clip is long enough.
    assert who["reference/closed_form_inverse"]["diameter"]["mae"]["value"] < 0.05


def test_a_drum_is_in_one_part_alone(result: Result) -> None:
    split = json.loads(result.paths["split"].read_text())
    parts = [set(split[part]["group_names"]) for part in ("train", "validation", "test")]
    assert sum(map(len, parts)) == len(set().union(*parts)) == 12


def test_the_target_was_fitted_on_the_training_part_alone(result: Result) -> None:
    run = load(result.paths["run"])
    split = json.loads(result.paths["split"].read_text())
    diameters = [run.data.values(int(i))["diameter"] for i in split["train"]["ids"]]
    assert run.target is not None
    assert run.target.model_dump()["mean"] == pytest.approx([np.mean(diameters)])


def test_the_log_has_training_and_validation_lines(result: Result) -> None:
    lines = log(result)
    assert any("loss" in line and "learning_rate" in line for line in lines)
    validations = [line for line in lines if "val_loss" in line]
    assert [line["step"] for line in validations] == [3, 6, 9, 12, 13]  # 50 clips are 3.125 batches; and the last
    assert all({"step", "epoch", "val_mae"} <= set(line) for line in validations)


def test_the_artifact_says_what_the_best_checkpoint_says(result: Result) -> None:
    assert result.best_checkpoint is not None
    artifact = Artifact.load(result.folder)
    kept = load_file(result.best_checkpoint / "model.safetensors")
    for name, tensor in artifact.pipeline.state_dict().items():
        assert torch.equal(tensor, kept[name])
    run = load(result.paths["run"])
    rows = {r["id"]: r["prediction"] for r in pq.read_table(result.paths["predictions"]).to_pylist()}
    example = run.data[int(next(iter(rows)))]
    (heard,) = artifact.hear([example.waveform])
    assert artifact.decode(heard)["diameter"][0, 0] == pytest.approx(rows[example.id], abs=1e-6)


def test_a_second_run_is_equal_to_the_bit(result: Result, tmp_path: Path) -> None:
    again = trained(tmp_path, training={"max_epochs": 4, "batch_size": 16})
    assert again.folder != result.folder
    assert again.metrics == result.metrics
    before, after = (load_file(r.paths["last_checkpoint"] / "model.safetensors") for r in (result, again))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_workers_do_not_change_the_result(result: Result, tmp_path: Path) -> None:
    again = trained(tmp_path, training={"max_epochs": 4, "batch_size": 16}, loader={"num_workers": 2})
    assert again.metrics == result.metrics


def test_workers_end_with_their_training_and_nobody_waits_for_them(tmp_path: Path) -> None:
    """The garbage collector waited 5 s for each, amid the next training."""
    trained(tmp_path, training={"max_epochs": 1, "batch_size": 16}, loader={"num_workers": 2}, seeds=[0, 1])
    assert not multiprocessing.active_children()


def test_resuming_in_mid_epoch_is_exact(result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Order, augmentation and schedule follow from the position alone, so the stock Trainer resumes to the bit."""
    changes: dict[str, Any] = {
        "training": {"max_epochs": 3, "batch_size": 16},
        "augmentations": [{"type": "time_shift", "max_shift": 0.01}, {"type": "gain", "p": 0.5}],
        "checkpoint": {"save_top_k": 9},
    }
    straight = trained(tmp_path / "a", **changes)
    kept = straight.folder / "checkpoints" / "checkpoint-6"
    assert kept.is_dir()
    plain = SurvivingTrainer.train
    monkeypatch.setattr(SurvivingTrainer, "train", lambda self, **_: plain(self, resume_from_checkpoint=str(kept)))
    resumed = trained(tmp_path / "b", **changes)
    before, after = (load_file(r.paths["last_checkpoint"] / "model.safetensors") for r in (straight, resumed))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_best_checkpoints_and_the_last_are_kept(tmp_path: Path) -> None:
    made = trained(tmp_path, training={"max_epochs": 6, "batch_size": 16}, checkpoint={"save_top_k": 2})
    losses = {int(line["step"]): line["val_loss"] for line in log(made) if "val_loss" in line}
    best = sorted(losses, key=lambda step: losses[step])[:2]
    kept = {int(p.name.split("-")[1]) for p in (made.folder / "checkpoints").iterdir()}
    assert kept == {*best, max(losses)}
    assert made.best_checkpoint is not None
    assert made.best_checkpoint.name == f"checkpoint-{best[0]}"


def test_training_stops_when_validation_no_longer_improves(tmp_path: Path) -> None:
    made = trained(
        tmp_path,
        optimizer={"learning_rate": 1e-9},
        training={"max_epochs": 50, "batch_size": 16, "early_stopping_patience": 2},
    )
    assert made.status == "stopped"
    assert len([line for line in log(made) if "val_loss" in line]) == 3


@pytest.mark.parametrize(("interval", "steps"), [(3, [3, 6, 7]), (0.5, [2, 4, 6, 7])])
def test_validation_comes_every_few_steps_or_fractions_of_an_epoch(
    tmp_path: Path, interval: float, steps: list[int]
) -> None:
    training = {"max_epochs": 2, "batch_size": 16, "val_check_interval": interval}
    assert [line["step"] for line in log(trained(tmp_path, training=training)) if "val_loss" in line] == steps


def test_without_validation_the_last_checkpoint_is_evaluated(tmp_path: Path) -> None:
    made = trained(tmp_path, split={"validation": "none"})
    assert set(made.metrics) == {"test"}
    assert made.best_checkpoint == made.paths["last_checkpoint"]


def test_the_rate_falls_on_a_plateau(tmp_path: Path) -> None:
    made = trained(
        tmp_path,
        optimizer={"learning_rate": 1e-7, "scheduler": "reduce_on_plateau"},
        training={"max_epochs": 13, "batch_size": 60, "early_stopping": False},
        logging={"log_every_n_steps": 1, "tensorboard": True},
    )
    rates = [line["learning_rate"] for line in log(made) if "learning_rate" in line]
    assert rates[0] == 1e-7
    assert rates[-1] == pytest.approx(1e-8)
    assert list((made.folder / "tensorboard").iterdir())


def test_accumulation_takes_fewer_steps(tmp_path: Path) -> None:
    made = trained(tmp_path, training={"max_epochs": 2, "batch_size": 8, "accumulate_grad_batches": 3})
    assert made.best_checkpoint is not None
    assert max(line["step"] for line in log(made)) == 5  # 2 epochs of 50 clips, 24 a step


def test_folds_pool_what_no_model_had_heard(tmp_path: Path) -> None:
    made = trained(tmp_path, split={"folds": 3, "validation": "none"}, training={"max_epochs": 1, "batch_size": 16})
    assert set(made.metrics) == {"out_of_fold"}
    figure = made.metrics["out_of_fold"]["model"]["diameter"]["mae"]
    assert (figure["n"], figure["groups"]) == (60, 12)
    assert figure["low"] < figure["value"] < figure["high"]
    rows = pq.read_table(made.paths["predictions"]).to_pylist()
    assert sorted(row["id"] for row in rows) == [f"{i:06d}" for i in range(60)]
    assert made.paths["fold-2"].is_dir()


def test_seeds_repeat_the_run_on_one_split(tmp_path: Path) -> None:
    made = trained(tmp_path, seeds=[1, 2], training={"max_epochs": 1, "batch_size": 16})
    each = [json.loads((made.paths[f"seed-{s}"] / "metrics.json").read_text()) for s in (1, 2)]
    values = [m["test"]["model"]["diameter"]["mae"]["value"] for m in each]
    assert values[0] != values[1]
    assert made.metrics["test"]["model"]["diameter"]["mae"]["value"] == pytest.approx(np.mean(values))
    splits = [json.loads((made.paths[f"seed-{s}"] / "split.json").read_text())["sha256"] for s in (1, 2)]
    assert splits[0] == splits[1]


def test_labels_are_learned_from_a_speech_folder_with_unknown_cells(tmp_path: Path) -> None:
    corpus = speech_folder.fabricate(str(tmp_path / "corpus"))
    table = tmp_path / "corpus" / "train.csv"
    table.write_text(table.read_text().replace("clinic-ann-1,ann,50,0", "clinic-ann-1,ann,50,"))
    made = trained(
        tmp_path,
        data={"type": "speech_folder", **corpus},
        split={"folds": 2, "validation": "none"},
        target={"type": "binary", "labels": ["dysarthria"]},
        loss={"type": "bce", "positive_weights": "auto"},
        training={"max_epochs": 1, "batch_size": 4},
    )
    who = made.metrics["out_of_fold"]
    baselines = {f"baseline/{name}" for name in ("majority", "prior", "logistic", "mfcc_svm")}
    assert set(who) == {"model", *baselines, *(f"control/{name}" for name in ("recording", "silence", "speaker"))}
    assert who["model"]["dysarthria"]["auroc"]["n"] == 11  # of 12: one cell is empty


def test_several_targets_share_a_backbone(tmp_path: Path) -> None:
    made = trained(
        tmp_path,
        target=None,
        targets={
            "size": {"target": {"type": "continuous", "quantities": {"diameter": "m"}}, "weight": 2.0},
            "pitch": {"target": {"type": "continuous", "quantities": {"f0": "Hz"}, "scale": "log"}, "metrics": ["mae"]},
        },
        training={"max_epochs": 1, "batch_size": 16},
    )
    model = made.metrics["test"]["model"]
    assert set(model["f0"]) == {"mae"}
    assert model["f0"]["mae"]["unit"] == "Hz"
    assert {"val_size_mae", "val_pitch_mae"} <= set(next(line for line in log(made) if "val_loss" in line))


@pytest.mark.slow
def test_a_users_own_source_and_a_target_with_a_rate(tmp_path: Path) -> None:
    made = trained(
        tmp_path,
        data={"type": "user_parts.envelope", "size": 80, "sample_rate": 8000, "duration": 2.0},
        features={
            "type": "mel",
            "n_mels": 8,
            "window": 0.032,
            "hop": 0.0125,
            "normalize": "none",
            "standardize": "none",
        },
        model={"type": "cnn", "width": 16, "stride": 1},
        target={"type": "continuous", "quantities": {"level": "V"}, "rate": 4.0},
        training={"max_epochs": 15, "batch_size": 8},
    )
    who = made.metrics["test"]
    baselines = {f"baseline/{name}" for name in ("mean", "mean_curve", "lagged_ridge", "shuffled_song")}
    assert set(who) == {"model", "reference/persistence", *baselines}
    assert who["model"]["level"]["pearson"]["value"] > 0.8
    assert who["model"]["level"]["mae"]["value"] < 0.6 * who["baseline/mean"]["level"]["mae"]["value"]
    rows = pq.read_table(made.paths["predictions"]).to_pylist()
    assert [row["time"] for row in rows[:8]] == [i / 4 for i in range(8)]
    # Twice the length is answered in overlapping windows, or at its start, as the data's crop says.
    artifact = Artifact.load(made.folder)
    (heard,) = artifact.hear([np.zeros((1, 32000), np.float32)])
    assert heard["target"].shape == (1, 8)


def test_a_target_with_a_rate_begins_where_its_clip_begins() -> None:
    target = Target.model_validate({"type": "continuous", "quantities": {"level": "V"}, "rate": 4.0})
    example = Example(np.zeros((1, 8000), np.float32), {"level": np.arange(20.0)}, "a", {}, start=1.5)
    assert Encode({"y": target})(example)["y"][0].tolist() == list(range(6, 20))
    late = Example(np.zeros((1, 8000), np.float32), {"level": np.arange(20.0)}, "a", {}, start=9.0)
    assert Encode({"y": target})(late)["y"].isnan().all()


def test_a_tracker_that_fails_does_not_stop_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch.utils.tensorboard

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(torch.utils.tensorboard.SummaryWriter, "add_scalar", refuse)
    with pytest.warns(TrackerWarning, match="no space left"):
        made = trained(tmp_path, logging={"tensorboard": True}, training={"max_epochs": 1, "batch_size": 16})
    assert made.status == "complete"


def test_wandb_writes_offline_with_what_the_configuration_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    given: dict[str, Any] = {}
    plain = wandb.init

    def remember(**kwargs: Any) -> Any:
        given.update(kwargs)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own dependencies
            return plain(**kwargs)

    monkeypatch.setattr(wandb, "init", remember)
    made = trained(
        tmp_path,
        logging={"wandb_project": "drums", "wandb_entity": "us", "wandb_run_name": "one", "wandb_tags": ["a"]},
        training={"max_epochs": 1, "batch_size": 16},
    )
    assert (given["project"], given["entity"], given["name"], given["tags"]) == ("drums", "us", "one", ["a"])
    assert given["mode"] == "offline"
    assert given["config"]["model"] == {"type": "cnn", **load(made.paths["run"]).model.model_dump(exclude={"type"})}
    assert list((made.folder / "wandb").glob("offline-run-*"))


def test_a_missing_device_is_refused_by_name(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has cuda")
    with pytest.raises(ValueError, match="this machine has no cuda; it has cpu"):
        trained(tmp_path, hardware={"device": "cuda"})


def test_bf16_trains(tmp_path: Path) -> None:
    made = trained(tmp_path, hardware={"precision": "bf16"}, training={"max_epochs": 1, "batch_size": 16})
    assert np.isfinite([line["loss"] for line in log(made) if "loss" in line]).all()


def test_two_runs_that_start_at_once_have_folders_of_their_own(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    with ThreadPoolExecutor(5) as pool:
        assert len(set(pool.map(make, [run] * 5))) == 5
