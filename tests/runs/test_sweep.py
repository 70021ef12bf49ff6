"""Sweeps: what is tried, what of it is kept, and what a death costs."""

import csv
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from rich.console import Console
from ruamel.yaml import YAML
from transformers import TrainerControl, TrainerState, TrainingArguments
from typer.testing import CliRunner

from runs_helpers import write
from tympan.cli import app
from tympan.component import AssumptionWarning
from tympan.runs import agent, trials
from tympan.runs.configuration import ConfigurationError, load, read
from tympan.runs.parameter import Parameter
from tympan.runs.space import Space
from tympan.runs.sweep import Sweep

QUIET = Console(quiet=True)
# In the words of kac_prediction's sweeps: random search of rate, dropout, batch (5,000 is all), depth and optimiser.
KAC: dict[str, Any] = {
    "program": "scripts/train.py",
    "method": "random",
    "metric": {"name": "evaluation_loss", "goal": "minimize"},
    "parameters": {
        "batch_size": {"values": [1, 8, 64, 5000]},
        "depth": {"values": ["tiny", "small"]},
        "dropout": {"distribution": "uniform", "min": 1e-4, "max": 0.25},
        "learning_rate": {"distribution": "log_uniform_values", "min": 1e-4, "max": 7e-3},
        "optimiser": {"values": ["adam", "sgd"]},
        "num_of_epochs": {"value": 1},
    },
}
SPACE: dict[str, Any] = {
    "method": "random",
    "metric": {"name": "val/mae", "goal": "minimize"},
    "parameters": {
        "learning_rate": {"distribution": "log_uniform_values", "min": 1e-3, "max": 1e-1},
        "model": {"parameters": {"width": {"values": [4, 8]}}},
    },
}


def file(path: Path, **changes: Any) -> Path:
    with path.open("w", encoding="utf-8") as out:
        YAML().dump({**SPACE, **changes}, out)
    return path


def plan(tmp_path: Path, space: dict[str, Any] | None = None, **fields: Any) -> Sweep:
    training = {"max_epochs": 1, "batch_size": 16}
    config = write(tmp_path / "run.yaml", training=training)
    return Sweep(config, file(tmp_path / "space.yaml", **(space or {})), folder=tmp_path / "sweep", **fields)


def imitated(monkeypatch: pytest.MonkeyPatch, figure: Any) -> list[Any]:
    """A training that takes no time: `figure(run)` is what validation finds; the runs that were trained."""
    seen, arguments = [], TrainingArguments("unused", report_to=[])

    def train(run: Any, *, console: Console, callbacks: Any) -> None:
        seen.append(run)
        for value in np.atleast_1d(figure(run)):
            control = TrainerControl()
            callbacks[0].on_evaluate(arguments, TrainerState(), control, metrics={"eval_mae": float(value)})
            if control.should_training_stop:
                return

    monkeypatch.setattr(trials, "train", train)
    return seen


def rate(run: Any) -> float:
    return abs(math.log(run.optimizer.learning_rate / 0.01))


def test_every_distribution_draws_what_it_says() -> None:
    def drawn(**fields: Any) -> np.ndarray:
        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(1))
        parameter = Parameter(**fields)
        return np.array([parameter.draw("x", study.ask()) for _ in range(300)])

    uniform = drawn(min=1.0, max=3.0)
    assert uniform.min() >= 1
    assert uniform.max() <= 3
    assert set(drawn(min=2, max=4)) == {2, 3, 4}
    assert set(drawn(distribution="q_log_uniform_values", min=8, max=32, q=8)) == {8, 16, 24, 32}
    assert set(drawn(distribution="q_uniform", min=0.1, max=0.95, q=0.25)) == {0.25, 0.5, 0.75}
    logs = np.log10(drawn(distribution="log_uniform_values", min=1e-4, max=1e-2))
    assert abs(np.median(logs) + 3) < 0.2
    assert abs(np.median(np.log(drawn(distribution="log_uniform", min=-2, max=0))) + 1) < 0.2
    assert abs(np.median(np.log(drawn(distribution="inv_log_uniform", min=0, max=2))) + 1) < 0.2
    normal = drawn(distribution="normal", mu=5.0, sigma=2.0)
    assert abs(normal.mean() - 5) < 0.5
    assert abs(normal.std() - 2) < 0.3
    assert (drawn(distribution="log_normal", mu=0.0, sigma=1.0) > 0).all()
    assert set(drawn(distribution="q_normal", mu=0.0, sigma=1.0, q=2)) <= {-4, -2, 0, 2, 4}
    likely = drawn(values=["a", "b"], probabilities=[0.9, 0.1])
    assert 0.8 < (likely == "a").mean() < 0.98
    assert set(drawn(value=[1, 2]).ravel()) == {1, 2}


@pytest.mark.parametrize(
    ("parameter", "says"),
    [
        ({"min": 1}, "needs max and min"),
        ({"min": 2, "max": 1}, "not below"),
        ({"min": 0, "max": 1, "distribution": "log_uniform_values"}, "logarithm"),
        ({"values": [1, 2], "probabilities": [0.5, 0.6]}, "sum to 1"),
        ({"values": [1, 2], "probabilities": [1.5, -0.5]}, "0 or more"),
        ({"values": []}, "none to choose"),
        ({"min": 0.0, "max": math.inf}, "too far apart"),
        ({"min": 1, "max": 1000, "distribution": "log_uniform"}, "they are logarithms"),
        ({"distribution": "beta"}, "log_uniform"),
    ],
)
def test_a_parameter_that_says_too_little_is_refused(parameter: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Parameter(**parameter)


def test_a_sweep_of_kac_prediction_is_read_as_it_is(tmp_path: Path) -> None:
    space = read(Space, file(tmp_path / "kac.yaml", **KAC), ())
    assert list(space.parameters) == [
        "training.batch_size", "model.capacity", "model.dropout", "optimizer.learning_rate", "optimizer.name",
        "training.max_epochs",
    ]  # fmt: skip
    assert space.metric is not None
    assert space.metric.name == "val_loss"
    assert space.unread == ["program"]
    sections = {"model": {"type": "crepe"}, "features": "waveform", "data": {
        "type": "circular_membrane", "size": 60, "duration": "1024 samples"}}  # fmt: skip
    Sweep(write(tmp_path / "run.yaml", **sections), tmp_path / "kac.yaml")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"parameters": {"lerning_rate": {"value": 1}}}, "did you mean 'learning_rate'"),
        ({"parameters": {"model.widht": {"values": [1]}}}, "did you mean 'width'"),
        ({"parameters": {"optimiser": {"values": ["adam", "lion"]}}}, "optimizer.name"),
        ({"parameters": {"lr": {"value": 1}, "optimizer.learning_rate": {"value": 1}}}, "given twice"),
        ({"metric": {"name": "val_pearsn"}}, "did you mean 'val_pearson'"),
        ({"parameters": {"checkpoint.run_dir": {"value": "x"}}}, "the same for all trials"),
        ({"parameters": {"seeds": {"value": [1, 2]}}}, "the same for all trials"),
        ({"method": "grid"}, "a grid visits"),
        ({"metod": "grid"}, "did you mean 'method'"),
    ],
)
def test_mistakes_are_told_before_any_training(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    with (
        pytest.raises(ConfigurationError, match=says)
        if "grid" not in str(change.get("method"))
        else pytest.raises(ValueError, match=says)
    ):
        plan(tmp_path, change)
    assert not (tmp_path / "sweep").exists()


def test_a_real_sweep_leaves_a_configuration_that_trains(tmp_path: Path) -> None:
    found = trials.sweep(plan(tmp_path, trials=2), console=QUIET)
    assert [trial.state for trial in found] == ["complete"] * 2
    assert found[0].figure <= found[1].figure
    best = load(tmp_path / "sweep" / "best.yaml")
    assert best.model.width == found[0].values["model.width"]
    assert best.test
    assert best.checkpoint == load(tmp_path / "run.yaml").checkpoint
    rows = list(csv.DictReader((tmp_path / "sweep" / "trials.csv").read_text().splitlines()))
    assert [float(row["val_mae"]) for row in rows] == [t.figure for t in sorted(found, key=lambda t: t.number)]
    assert (tmp_path / "sweep" / "trials.png").read_bytes().startswith(b"\x89PNG")
    # The test part was not heard, and the figure is the best of the log.
    folder = tmp_path / "sweep" / "trials" / f"{found[0].number:04d}"
    assert list(json.loads((folder / "metrics.json").read_text())) == ["validation"]
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert min(line["val_mae"] for line in log if "val_mae" in line) == found[0].figure


@pytest.mark.parametrize("method", [pytest.param("random", marks=pytest.mark.slow), "tpe"])
def test_what_is_tried_is_a_function_of_the_seed_also_after_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    imitated(monkeypatch, rate)
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    whole = trials.sweep(plan(tmp_path / "a", method=method, trials=14), console=QUIET)
    for count in (3, 11, 14):
        again = trials.sweep(plan(tmp_path / "b", method=method, trials=count), console=QUIET)
    assert [trial.values for trial in again] == [trial.values for trial in whole]
    other = trials.sweep(plan(tmp_path / "c", method=method, trials=14, seed=1), console=QUIET)
    assert [trial.values for trial in other] != [trial.values for trial in whole]


@pytest.mark.parametrize("seed", [5000, -1])
@pytest.mark.parametrize("method", ["random", "tpe"])
def test_any_whole_number_is_a_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, seed: int) -> None:
    imitated(monkeypatch, rate)
    assert len(trials.sweep(plan(tmp_path, method=method, trials=2, seed=seed), console=QUIET)) == 2


@pytest.mark.parametrize("sections", [{"seeds": [1, 2]}, {"split": {"folds": 3}}])
def test_the_best_of_several_trainings_is_no_figure_of_a_trial(tmp_path: Path, sections: dict[str, Any]) -> None:
    config = write(tmp_path / "run.yaml", **sections)
    with pytest.raises(ConfigurationError, match="one training"):
        Sweep(config, file(tmp_path / "space.yaml"))


def test_a_goal_that_seeks_the_worst_is_told(tmp_path: Path) -> None:
    with pytest.warns(AssumptionWarning, match="goal: maximize"):
        plan(tmp_path, {"metric": {"name": "val_pearson"}})


def test_a_sweep_without_a_figure_ends_with_status_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imitated(monkeypatch, lambda run: math.nan)
    sweep = plan(tmp_path)
    arguments = ["sweep", str(sweep.config), str(sweep.file), "--trials", "1", "--out", str(sweep.out)]
    assert CliRunner().invoke(app, arguments).exit_code == 1


def test_a_name_leads_to_no_other_folder(tmp_path: Path) -> None:
    sweep = Sweep(write(tmp_path / "run.yaml"), file(tmp_path / "space.yaml", name="../../a b/c"))
    assert sweep.out.parent == Path("sweeps")


def test_a_grid_is_whole_also_when_a_process_dies_before_it_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = imitated(monkeypatch, rate)
    parameters = {"learning_rate": {"values": [0.1, 0.01]}, "model.width": {"values": [4, 8, 16]}}
    sweep = plan(tmp_path, {"method": "grid", "parameters": parameters}, seed=7)
    study = sweep.begin()
    study.enqueue_trial(sweep.space.grid()[0])
    study.ask()  # and no more: nobody is known to try it
    trials.sweep(sweep, console=QUIET)
    assert len({(run.optimizer.learning_rate, run.model.width) for run in seen}) == len(seen) == 6


@pytest.mark.slow
def test_parzen_estimators_come_nearer_than_chance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imitated(monkeypatch, rate)
    mean = {}
    for method in ("random", "tpe"):
        (tmp_path / method).mkdir()
        found = trials.sweep(plan(tmp_path / method, method=method, trials=40), console=QUIET)
        mean[method] = np.mean([trial.figure for trial in found if trial.number >= 20])
    assert mean["tpe"] < 0.6 * mean["random"]


def test_a_grid_visits_every_combination_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = imitated(monkeypatch, rate)
    parameters = {"learning_rate": {"values": [0.1, 0.01]}, "model.width": {"values": [4, 8, 16]}}
    found = trials.sweep(plan(tmp_path, {"method": "grid", "parameters": parameters}), console=QUIET)
    assert len({(run.optimizer.learning_rate, run.model.width) for run in seen}) == len(seen) == len(found) == 6


def test_a_trial_that_fails_does_not_end_the_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def figure(run: Any) -> float:
        if run.model.width == 4:
            raise ValueError("the loss is not finite")
        return math.nan if rate(run) > 1.5 else rate(run)

    imitated(monkeypatch, figure)
    found = trials.sweep(plan(tmp_path, trials=12), console=QUIET)
    assert len(found) == 12
    notes = {trial.note for trial in found if trial.state == "failed"}
    assert notes == {"the loss is not finite", "val_mae was never a finite number"}
    assert all(trial.figure is not None for trial in found if trial.state == "complete")


def test_what_is_behind_is_ended_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imitated(monkeypatch, lambda run: rate(run) + np.linspace(1, 0, 9))
    early = {"early_terminate": {"type": "hyperband", "min_iter": 1, "max_iter": 9}}
    found = trials.sweep(plan(tmp_path, early, trials=20), console=QUIET)
    states = [trial.state for trial in found]
    assert {"complete", "ended early"} == set(states)
    assert states == sorted(states)  # those that were ended early are never the best


def test_a_good_figure_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = imitated(monkeypatch, rate)
    trials.sweep(plan(tmp_path, {"metric": {"name": "mae", "target": 1.0}}, trials=40), console=QUIET)
    assert len(seen) < 40
    assert rate(seen[-1]) <= 1.0
    assert all(rate(run) > 1.0 for run in seen[:-1])


def dies_with_a_trial(sweep: Sweep) -> None:
    """What a killed process leaves behind: a trial that runs, of nobody."""
    trial = trials._claim(sweep, sweep.begin())
    assert trial is not None
    host, _, began = trial.user_attrs["process"]
    trial.set_user_attr("process", [host, 2**22 + 1, began])  # beyond the largest number of a process


def killed_with_a_trial(sweep: Sweep) -> None:
    """The same by a process that is really killed."""
    script = (
        "import sys, os; from pathlib import Path; from tympan.runs import trials\n"
        "from tympan.runs.sweep import Sweep\n"
        "s = Sweep(Path(sys.argv[1]), Path(sys.argv[2]), folder=Path(sys.argv[3]), trials=3)\n"
        "trials._claim(s, s.begin()); os.kill(os.getpid(), 9)"
    )
    paths = [str(p) for p in (sweep.config, sweep.file, sweep.out)]
    subprocess.run([sys.executable, "-c", script, *paths], check=False)


@pytest.mark.parametrize("death", [dies_with_a_trial, pytest.param(killed_with_a_trial, marks=pytest.mark.slow)])
def test_a_trial_whose_process_died_is_tried_again_and_only_so_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, death: Callable[[Sweep], None]
) -> None:
    seen = imitated(monkeypatch, rate)
    sweep = plan(tmp_path, trials=3)
    for _ in range(2):
        death(sweep)
    found = trials.sweep(sweep, console=QUIET)
    notes = [trial.note for trial in sorted(found, key=lambda t: t.number)]
    # The first died twice: it is not tried a third time. Three trials are counted, of which one came to nothing.
    assert notes == ["its process died", "trial 0 again; its process died", "", ""]
    assert len(seen) == 2
    values = {trial.number: trial.values for trial in found}
    assert values[0] == values[1]


def test_a_trial_of_a_living_process_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imitated(monkeypatch, rate)
    sweep = plan(tmp_path, trials=2)
    study = sweep.begin()
    trials._claim(sweep, study)
    found = trials.sweep(sweep, console=QUIET)
    assert len(found) == 1
    assert [t.state for t in sweep.study().trials] == [TrialState.RUNNING, TrialState.COMPLETE]


def test_another_sweep_is_not_mixed_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imitated(monkeypatch, rate)
    trials.sweep(plan(tmp_path, trials=1), console=QUIET)
    before = (tmp_path / "sweep" / "journal.log").read_bytes()
    with pytest.raises(ValueError, match="another seed"):
        trials.sweep(plan(tmp_path, trials=2, seed=3), console=QUIET)
    with pytest.raises(ValueError, match="another space"):
        trials.sweep(plan(tmp_path, {"method": "tpe"}, trials=2), console=QUIET)
    assert (tmp_path / "sweep" / "journal.log").read_bytes() == before
    (tmp_path / "sweep" / "sweep.json").unlink()
    with pytest.raises(ValueError, match="holds no sweep"):
        trials.sweep(plan(tmp_path, trials=2), console=QUIET)


@pytest.mark.slow
def test_two_processes_share_the_trials(tmp_path: Path) -> None:
    found = trials.sweep(plan(tmp_path, trials=4), workers=2, console=QUIET)
    assert sorted(trial.number for trial in found) == [0, 1, 2, 3]
    assert all(trial.state == "complete" for trial in found)


# An agent of Weights & Biases.


STUB = """
import json, os
run = None
class Config(dict):
    def update(self, other, allow_val_change=False):
        super().update(other)
class Run:
    def __init__(self): self.config = Config(json.loads(os.environ["STUB_CONFIG"]))
    def log(self, line, step): open(os.environ["STUB_LOG"], "a").write(json.dumps(line) + "\\n")
    def finish(self): pass
def init(**kwargs):
    global run
    assert run is None, "begun twice"
    run = Run()
    return run
class errors:
    class Error(Exception): pass
"""


@pytest.mark.slow
@pytest.mark.parametrize("form", ["{}={}", "--{}={}"])
def test_an_agent_of_wandb_drives_a_training(tmp_path: Path, form: str) -> None:
    """A stub of the agent: it starts the command of the sweep's template with the parameters that its server chose."""
    (tmp_path / "stub").mkdir()
    (tmp_path / "stub" / "wandb.py").write_text(STUB)
    config = write(tmp_path / "run.yaml", checkpoint={"run_dir": str(tmp_path / "run")})
    chosen = {"learning_rate": 0.003, "training.max_epochs": 1}
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "stub"), *sys.path]),
        "WANDB_SWEEP_ID": "abc",
        "STUB_CONFIG": json.dumps({**chosen, "model.width": 4}),
        "STUB_LOG": str(tmp_path / "wandb.jsonl"),
    }
    given = [form.format(name, value) for name, value in chosen.items()]
    command = [sys.executable, "-m", "tympan", "train", str(config), *given]
    subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    run = load(tmp_path / "run" / "run.yaml")
    assert run.optimizer.learning_rate == 0.003
    assert run.training.max_epochs == 1
    assert run.model.width == 4  # which only wandb.config says
    lines = [json.loads(line) for line in (tmp_path / "wandb.jsonl").read_text().splitlines()]
    assert any("val_mae" in line for line in lines)


def test_nested_parameters_of_an_agent_leave_the_rest_of_a_section(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = SimpleNamespace(config={"model": {"width": 4}, "learning_rate": 0.003})
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(run=session))
    monkeypatch.setenv("WANDB_SWEEP_ID", "abc")
    run = load(write(tmp_path / "run.yaml"), agent.overrides([]))
    assert (run.model.type, run.model.width, run.optimizer.learning_rate) == ("cnn", 4, 0.003)


def test_without_an_agent_short_names_are_no_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_SWEEP_ID", raising=False)
    assert agent.overrides(["--model.width=3", "lr=1"]) == ["model.width=3", "lr=1"]


def test_the_sweep_of_the_readme_fits_its_configuration() -> None:
    configs = Path(__file__).parents[2] / "configs"
    sweep = Sweep(configs / "drum_diameter.yaml", configs / "sweeps" / "crepe.yaml")
    assert sweep.goal.name == "val_mae"
    assert len(sweep.space.parameters) == 5
