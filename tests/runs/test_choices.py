"""Every option of a run's configuration acts."""

import io
import json
import multiprocessing
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.utils.tensorboard
from rich.console import Console
from safetensors.torch import load_file

from runs_helpers import ONE_EPOCH, log, run_of, trained, write
from tympan.data.synthesizers.circular_membrane import CircularMembrane
from tympan.runs import member as training
from tympan.runs import probe
from tympan.runs.checkpoint import Keeper
from tympan.runs.configuration import ConfigurationError, load
from tympan.runs.prepare import prepare
from tympan.runs.tracking import TrackerWarning
from tympan.runs.train import train

WEIGHTS = "model.safetensors"
IMAGE = {
    "data": {"type": "circular_membrane", "size": 60, "sample_rate": 16000, "duration": 0.4},
    "features": {"type": "mel", "n_mels": 32, "window": 0.02, "hop": 0.01},
    "model": {"type": "timm", "name": "test_resnet"},
}


def test_each_part_has_metrics_of_its_own(tmp_path: Path) -> None:
    metrics = {"train": ["mae"], "validation": ["loss", "mse"], "test": ["r2", "mae"]}
    result = trained(tmp_path, metrics=metrics, logging={"log_every_n_steps": 2})
    lines = log(result)
    named = {key for line in lines for key in line if key.startswith(("train_", "val_"))}
    assert named == {"train_mae", "val_loss", "val_mse"}
    assert all(("train_mae" in line) == ("loss" in line) for line in lines)
    assert set(result.metrics["validation"]["model"]["diameter"]) == {"mse"}
    assert set(result.metrics["test"]["model"]["diameter"]) == {"r2", "mae"}


def test_a_training_metric_is_that_of_the_batches_since_the_line_before(tmp_path: Path) -> None:
    """With a learning rate of almost nothing, the error of the first batch is that of the pipeline at its start."""
    run = run_of(
        tmp_path, metrics={"train": ["mae"]}, optimizer={"learning_rate": 1e-12}, training={**ONE_EPOCH, "max_steps": 1}
    )
    result = train(run, console=Console(quiet=True))
    prepared = prepare(run, run.divide()[0])
    clips = prepared.clips("train", shuffle=True)
    batch = prepared.collate([clips[i] for i in range(16)])
    said = prepared.pipeline().predict(batch["waveform"])["target"]["diameter"]
    truth = prepared.run.outputs["target"].target.truth(batch["target"]["target"])["diameter"]
    assert log(result)[0]["train_mae"] == pytest.approx(abs(said - truth).mean(), rel=1e-5)


def test_a_bare_list_is_for_validation_and_test(tmp_path: Path) -> None:
    output = run_of(tmp_path, metrics=["loss", "mae"]).outputs["target"]
    assert [[m.type for m in output.figures(p)] for p in ("train", "validation", "test")] == [[], ["mae"], ["mae"]]


@pytest.mark.parametrize(
    ("written", "monitor"),
    [
        ("val_loss", "val_loss"),
        ("val/loss", "val_loss"),
        ("loss", "val_loss"),
        ("eval_loss", "val_loss"),
        ("mae", "val_mae"),
        ("val/mae", "val_mae"),
        ("val_mae", "val_mae"),
    ],
)
def test_a_monitor_may_be_spelled_in_several_ways(written: str, monitor: str, tmp_path: Path) -> None:
    assert run_of(tmp_path, checkpoint={"monitor": written}).checkpoint.monitor == monitor


def test_an_unknown_monitor_is_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"'val_maee' is never computed; .*did you mean 'val_mae'"):
        run_of(tmp_path, checkpoint={"monitor": "maee"})
    with pytest.raises(ConfigurationError, match="never computed"):
        run_of(tmp_path, checkpoint={"monitor": "mae"}, metrics={"validation": ["mse"]})


@pytest.mark.parametrize(
    ("monitor", "mode", "best"),
    [
        ("r2", None, max),
        pytest.param("mae", None, min, marks=pytest.mark.slow),
        ("mae", "max", max),
    ],
)
def test_mode_is_the_metrics_own_direction_unless_said(
    monitor: str, mode: str | None, best: Any, tmp_path: Path
) -> None:
    checkpoint = {"monitor": monitor, "save_top_k": 1, "save_last": False, **({"mode": mode} if mode else {})}
    result = trained(
        tmp_path,
        checkpoint=checkpoint,
        training={"max_epochs": 3, "batch_size": 16},
        data={**IMAGE["data"], "duration": 0.1, "size": 120},
    )
    seen = {line["step"]: line[f"val_{monitor}"] for line in log(result) if "val_loss" in line}
    assert result.best_checkpoint is not None
    assert seen[int(result.best_checkpoint.name.rsplit("-", 1)[1])] == best(seen.values())


def test_the_log_comes_every_n_steps(tmp_path: Path) -> None:
    for n, expected in ((1, [1, 2, 3, 4]), (3, [1, 3])):
        lines = log(trained(tmp_path, logging={"log_every_n_steps": n}))
        assert [line["step"] for line in lines if "loss" in line] == expected


def test_the_device_and_the_precision_that_were_taken_are_said_and_written_down(tmp_path: Path) -> None:
    console = Console(record=True, quiet=False, file=io.StringIO(), width=200)
    result = train(run_of(tmp_path), console=console)
    taken = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert f"device: {taken} (auto)" in console.export_text()
    assert load(result.folder / "run.yaml").hardware.precision == ("fp16" if taken == "cuda" else "fp32")
    assert json.loads((result.folder / "summary.json").read_text())["device"] == taken


def test_precision_auto_times_three_steps_of_each_and_keeps_the_fastest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(float(t) for t in range(0, 10**6))
    spent = {("fp32", False): 9, ("fp32", True): 8, ("bf16", False): 7, ("bf16", True): 3}
    order = [choice for choice in spent for _ in range(1 + probe.STEPS)]
    calls = [0]

    def perf_counter() -> float:
        step, end = divmod(calls[0], 2)
        calls[0] += 1
        if step >= len(order):
            return next(clock)
        return step * 100.0 + (spent[order[step]] if end else 0)

    monkeypatch.setattr(probe.time, "perf_counter", perf_counter)
    monkeypatch.setattr(probe, "has_bf16", lambda kind: True)
    console = Console(record=True, file=io.StringIO(), width=300)
    run = run_of(tmp_path, hardware={"precision": "auto"}, **IMAGE)
    hardware = probe.fastest(prepare(run, run.divide()[0]), torch.device("cpu"), console.print)
    assert (hardware.precision, hardware.channels_last) == ("bf16", True)
    assert "fp32 9000 ms, fp32 channels_last 8000 ms, bf16 7000 ms, bf16 channels_last 3000 ms" in console.export_text()


def test_precision_auto_does_not_wait_for_bf16_where_the_processor_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("probe", "train"):
        monkeypatch.setattr(f"tympan.runs.{module}.has_bf16", lambda kind: False)
    console = Console(record=True, file=io.StringIO(), width=300)
    train(run_of(tmp_path, hardware={"device": "cpu", "precision": "auto"}, **IMAGE), console=console, dry_run=True)
    assert re.search(
        r"fp32 \d+ ms, fp32 channels_last \d+ ms a step; this processor has no bf16", console.export_text()
    )
    train(run_of(tmp_path, hardware={"device": "cpu", "precision": "bf16"}, **IMAGE), console=console, dry_run=True)
    assert "hardware.precision fp32 is many times faster" in console.export_text()


def test_what_auto_chose_is_in_run_yaml_and_is_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {"precision": "bf16", "channels_last": True}
    monkeypatch.setattr(probe, "fastest", lambda prepared, *_: prepared.run.hardware.model_copy(update=chosen))
    result = trained(tmp_path, hardware={"precision": "auto"}, **IMAGE)
    again = load(result.folder / "run.yaml")
    assert (again.hardware.precision, again.hardware.channels_last) == ("bf16", True)
    monkeypatch.setattr(probe, "fastest", lambda *_: pytest.fail("it was chosen already"))
    repeated = train(again, console=Console(quiet=True))
    assert [line.get("loss") for line in log(repeated)] == [line.get("loss") for line in log(result)]


def test_channels_last_is_how_weights_lie_and_changes_no_result(tmp_path: Path) -> None:
    seen = []
    hook = torch.nn.modules.module.register_module_forward_pre_hook(
        lambda module, _: (
            seen.append(module.weight.is_contiguous(memory_format=torch.channels_last))
            if isinstance(module, torch.nn.Conv2d) and module.weight.shape[2] > 1 < module.weight.shape[1]
            else None
        )
    )
    plain = trained(tmp_path, **IMAGE)
    assert seen and not any(seen)
    seen.clear()
    last = trained(tmp_path, hardware={"channels_last": True}, **IMAGE)
    hook.remove()
    assert any(seen)
    a, b = (log(result)[0]["loss"] for result in (plain, last))
    assert a == pytest.approx(b, rel=1e-4)


def test_test_data_are_heard_once_and_after_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[str, int]] = []
    phase = ["training"]
    synthesize, fit = CircularMembrane.__getitem__, training.fit

    def fitted(*arguments: Any) -> Any:
        trained = fit(*arguments)
        phase[0] = "after"
        return trained

    def listened(self: CircularMembrane, index: int) -> Any:
        heard.append((phase[0], index))
        return synthesize(self, index)

    monkeypatch.setattr(training, "fit", fitted)
    monkeypatch.setattr(CircularMembrane, "__getitem__", listened)
    result = trained(tmp_path)
    split = json.loads(result.paths["split"].read_text())
    test = {int(i) for i in split["test"]["ids"]}
    assert not test & {i for when, i in heard if when == "training"}
    assert test <= {i for when, i in heard if when == "after"}
    heard.clear()
    without = trained(tmp_path, test=False)
    assert not test & {i for _, i in heard}, "test: false leaves it unheard"
    assert set(without.metrics) == {"validation"}
    assert (without.folder / "report" / "index.html").is_file()


def test_neither_validation_nor_test_still_gives_a_model_and_a_page(tmp_path: Path) -> None:
    result = trained(tmp_path, test=False, split={"validation": "none"}, training=ONE_EPOCH)
    assert result.metrics == {}
    assert (result.folder / "model" / "model.safetensors").is_file()
    assert "not evaluated" in (result.folder / "report" / "index.html").read_text()


def test_folders_that_are_missing_are_made_and_a_run_has_a_name_of_its_own(tmp_path: Path) -> None:
    result = trained(tmp_path, name=None, checkpoint={"checkpoint_dir": str(tmp_path / "a" / "b")})
    assert result.folder.parent == tmp_path / "a" / "b"
    name, date, time, same = result.folder.name.split("-")
    assert (name, len(date), len(time), len(same)) == ("run", 8, 6, 6)


def test_a_folder_that_is_asked_for_is_taken_and_never_overwritten(tmp_path: Path) -> None:
    wanted = tmp_path / "deep" / "mine"
    result = trained(tmp_path, checkpoint={"run_dir": str(wanted)})
    assert result.folder == wanted
    before = {p: p.read_bytes() for p in wanted.rglob("*") if p.is_file()}
    with pytest.raises(ValueError, match=r"run_dir: .*mine holds a run already, and nothing"):
        trained(tmp_path, checkpoint={"run_dir": str(wanted)})
    assert before == {p: p.read_bytes() for p in wanted.rglob("*") if p.is_file()}
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="is there already"):
        trained(tmp_path, checkpoint={"run_dir": str(tmp_path / "file")})


def test_config_json_keeps_where_the_model_came_from(tmp_path: Path) -> None:
    result = trained(tmp_path)
    told = json.loads((result.folder / "model" / "config.json").read_text())
    from tympan import __version__

    origin = told["provenance"]
    assert told["tympan"] == __version__
    assert origin["id"] == result.folder.name
    assert origin["epoch"] == pytest.approx(4 / 3.125)
    assert origin["data"]["type"] == "circular_membrane"
    assert origin["data"]["size"] == 60
    assert origin["split"] == json.loads(result.paths["split"].read_text())["sha256"]
    lines = log(result)
    assert origin["losses"]["train"] == pytest.approx([line["loss"] for line in lines if "loss" in line][-1])
    assert origin["losses"]["validation"] == pytest.approx(
        [line["val_loss"] for line in lines if "val_loss" in line][-1]
    )
    std = told["outputs"]["target"]["target"]["std"][0]
    mse = result.metrics["test"]["model"]["diameter"]["mse"]["value"]
    assert origin["losses"]["test"] == pytest.approx(mse / std**2, rel=1e-5)


def test_paths_of_this_machine_are_not_in_the_artifact(tmp_path: Path) -> None:
    result = trained(tmp_path)
    assert str(tmp_path) not in (result.folder / "model" / "config.json").read_text()


def test_wandb_is_off_without_a_project_and_offline_with_one(tmp_path: Path) -> None:
    assert run_of(tmp_path).logging.wandb_mode == "off"
    assert run_of(tmp_path, logging={"wandb_project": "p"}).logging.wandb_mode == "offline"
    tracked = run_of(tmp_path).tracked()
    assert (tracked.logging.wandb_mode, tracked.logging.wandb_project) == ("offline", "tympan")
    assert run_of(tmp_path).tracked("online").logging.wandb_mode == "online"
    assert (
        run_of(tmp_path, logging={"wandb": "offline", "wandb_project": "p"}).tracked().logging.wandb_mode == "offline"
    )


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_wandb_without_a_login_logs_offline_and_never_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.warns(TrackerWarning, match="wandb logs offline .*wandb sync"):
        result = trained(tmp_path, logging={"wandb": "online", "wandb_project": "p"})
    assert list(result.folder.glob("wandb/offline-run-*"))


def full_after_a_checkpoint(file: Path, said: Path) -> None:
    """Train in a process whose files may not grow any more once the first checkpoint is there."""
    import resource

    saved = Keeper.on_save

    def full(self: Any, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        saved(self, args, state, control, **kwargs)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

    Keeper.on_save = full
    try:
        train(load(file), console=Console(quiet=True))
    except OSError as error:
        said.write_text(str(error))


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on files")
def test_a_full_disk_ends_the_run_with_its_reason_and_keeps_what_was_saved(tmp_path: Path) -> None:
    file = write(
        tmp_path / "run.yaml",
        training={"max_epochs": 3, "batch_size": 16},
        checkpoint={"checkpoint_dir": str(tmp_path / "runs")},
    )
    said = tmp_path / "said"
    process = multiprocessing.get_context("fork").Process(target=full_after_a_checkpoint, args=(file, said))
    process.start()
    process.join()
    assert "checkpoint-6 could not be written" in said.read_text()
    assert "bytes are free there. Kept: checkpoint-3" in said.read_text()
    (folder,) = (tmp_path / "runs").iterdir()
    assert [p.name for p in (folder / "checkpoints").iterdir()] == ["checkpoint-3"]
    assert (folder / "checkpoints" / "checkpoint-3" / "model.safetensors").stat().st_size > 5000


@pytest.mark.parametrize(
    ("sections", "why"),
    [
        ({"hardware": {"precision": "auto", "channels_last": True}}, "precision auto decides it"),
        ({"hardware": {"precision": "fp16", "device": "cpu"}}, "fp16 does not train on cpu"),
        ({"optimizer": {"plateau_patience": 2}}, "plateau_patience is reduce_on_plateau's"),
        ({"optimizer": {"scheduler": "reduce_on_plateau", "plateau_patience": 10}}, "below early_stopping_patience"),
        ({"split": {"folds": 3}, "test": False}, "folds are scored on their test parts"),
        ({"metrics": {"test": []}}, "at least 1"),
    ],
)
def test_conflicts_are_refused_by_field(sections: dict[str, Any], why: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=why):
        run_of(tmp_path, **sections)


@pytest.fixture
def loaders(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The options of every DataLoader that is made."""
    asked: list[dict[str, Any]] = []
    plain = torch.utils.data.DataLoader.__init__

    def init(self: Any, *arguments: Any, **options: Any) -> None:
        asked.append(options)
        plain(self, *arguments, **options)

    monkeypatch.setattr(torch.utils.data.DataLoader, "__init__", init)
    return asked


def test_no_more_workers_than_cores_are_started(
    tmp_path: Path, loaders: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    trained(tmp_path, loader={"num_workers": 4}, training={**ONE_EPOCH, "max_steps": 1})
    assert {options.get("num_workers", 0) for options in loaders} == {1}


def test_workers_read_as_many_batches_ahead_as_asked(tmp_path: Path, loaders: list[dict[str, Any]]) -> None:
    trained(tmp_path, loader={"num_workers": 1, "prefetch_size": 5}, training={**ONE_EPOCH, "max_steps": 1})
    assert {options.get("prefetch_factor") for options in loaders} == {5}


def test_the_gradient_is_clipped_to_the_norm_asked_for(tmp_path: Path) -> None:
    moved = []
    for norm in (1e-3, 0.0):
        result = trained(
            tmp_path,
            optimizer={"name": "sgd", "learning_rate": 0.1, "weight_decay": 0.0, "scheduler": "constant"},
            training={**ONE_EPOCH, "max_steps": 1, "gradient_clip_val": norm},
        )
        run = load(result.folder / "run.yaml")
        before, after = prepare(run, run.divide()[0]).pipeline(), load_file(result.paths["last_checkpoint"] / WEIGHTS)
        steps = [(after[name] - p.detach()).square().sum() for name, p in before.named_parameters()]
        moved.append(float(torch.stack(steps).sum().sqrt()))
    assert moved[0] == pytest.approx(0.1 * 1e-3, rel=0.01)
    assert moved[1] > 10 * moved[0]


def test_an_improvement_below_the_least_that_counts_is_none(tmp_path: Path) -> None:
    training = {"max_epochs": 9, "batch_size": 16, "early_stopping_patience": 2, "early_stopping_min_delta": 1e9}
    result = trained(tmp_path, training=training)
    assert result.status == "stopped"
    # The first is better than nothing by any measure; the next two are not better than that by so much.
    assert len([line for line in log(result) if "val_loss" in line]) == 3


def test_checkpoints_are_written_every_n_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    plain = Keeper.on_save

    def saved(self: Keeper, args: Any, state: Any, *rest: Any, **options: Any) -> None:
        seen.append(state.global_step)
        plain(self, args, state, *rest, **options)

    monkeypatch.setattr(Keeper, "on_save", saved)
    trained(tmp_path, split={"validation": "none"}, training=ONE_EPOCH, checkpoint={"save_every_n_steps": 2})
    assert seen == [2, 4]


@pytest.mark.parametrize("told", [True, False])
def test_trackers_are_given_the_configuration_if_asked(
    told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts: list[str] = []
    monkeypatch.setattr(torch.utils.tensorboard.SummaryWriter, "add_text", lambda self, name, text: texts.append(text))
    trained(tmp_path, logging={"tensorboard": True, "log_config": told}, training={**ONE_EPOCH, "max_steps": 1})
    assert bool(texts) == told
    assert all('"type": "circular_membrane"' in text for text in texts)


def test_a_null_scheduler_is_none(tmp_path: Path) -> None:
    assert run_of(tmp_path, optimizer={"scheduler": None}).optimizer.scheduler == "none"
