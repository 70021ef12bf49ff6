"""The trials of a sweep: who tries what, what comes of it, and what is done when a process dies."""

import fcntl
import json
import logging
import math
import multiprocessing
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import psutil
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..data import storage
from ..reports import sweep as page
from .asked import Interrupted
from .configuration import load
from .resolved import dump
from .space import Goal
from .sweep import Sweep
from .train import train

_ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


def sweep(plan: Sweep, *, workers: int = 1, console: Console | None = None) -> list[page.Trial]:
    """Try until there are enough trials; what was interrupted goes on, and the trials of processes that died are tried
    again. Several workers are processes of their own.

    Returns:
        All trials that ended, the best first. The folder holds them as trials.csv and trials.png, and the best
        configuration, test part included, as best.yaml.

    Raises:
        ValueError: the folder holds another sweep.
        RuntimeError: the workers die before they take a trial.
    """
    console = console or Console(stderr=True)
    study = plan.begin()
    if workers == 1:
        work(plan, console)
    else:
        _many(plan, workers, study)
    ended = [_told(trial) for trial in study.get_trials(states=_ENDED)]
    higher, name = plan.goal.goal == "maximize", plan.goal.name
    page.write_table(plan.out / "trials.csv", ended, name)
    page.write_picture(plan.out / "trials.png", ended, name, higher)
    ranked = page.in_order(ended, higher)
    if ranked and ranked[0].state == "complete":
        storage.write_text(plan.out / "best.yaml", dump(load(plan.config, plan.settings(dict(ranked[0].values)))))
    return ranked


def _told(trial: FrozenTrial) -> page.Trial:
    """What the journal holds of a trial, for people."""
    state = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "ended early"}.get(trial.state, "failed")
    seconds = trial.duration.total_seconds() if trial.duration else 0.0
    known = trial.user_attrs
    note = known.get("error", "its process died" if state == "failed" else "")
    if "of" in known:
        note = f"trial {known['of']} again; {note}".removesuffix("; ")
    figure = trial.value if state != "failed" else None
    return page.Trial(trial.number, state, figure, round(seconds, 1), known.get("values", {}), note)


def _many(plan: Sweep, workers: int, study: optuna.Study) -> None:
    threads = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(max((os.cpu_count() or 1) // workers, 1))
    try:
        while True:
            before = len(study.get_trials(deepcopy=False))
            spawn = multiprocessing.get_context("spawn")
            team = [spawn.Process(target=_worker, args=(plan,)) for _ in range(workers)]
            for process in team:
                process.start()
            for process in team:
                process.join()
            if not any(process.exitcode for process in team):
                return
            if len(study.get_trials(deepcopy=False)) == before:
                raise RuntimeError(f"the workers of the sweep in {plan.out} die before they take a trial")
    finally:
        os.environ.pop("OMP_NUM_THREADS")
        if threads is not None:
            os.environ["OMP_NUM_THREADS"] = threads


def _worker(plan: Sweep) -> None:
    logging.disable(logging.INFO)
    work(plan, Console(stderr=True))


def work(plan: Sweep, console: Console) -> None:
    """Try one trial after the other until there are enough."""
    study = plan.begin()
    while (trial := _claim(plan, study)) is not None:
        _try(plan, study, trial, console)


def _claim(plan: Sweep, study: optuna.Study) -> optuna.Trial | None:
    """The next trial with its values drawn, which no other process has; `None` when all are taken."""
    with _locked(plan.out / "lock"):
        _bury(plan, study)
        trials = study.get_trials(deepcopy=False)
        first = sum("again" not in trial.user_attrs for trial in trials)
        if not any(trial.state == TrialState.WAITING for trial in trials):
            if first >= plan.count or _good_enough(plan, trials):
                return None
            if plan.space.method == "grid":
                study.enqueue_trial(plan.space.grid()[first])
        # What a trial tries depends on the seed, its number and the trials before it alone.
        parzen = plan.space.method in ("tpe", "bayes")
        seed = (plan.seed * 1_000_003 + len(trials)) % 2**32
        study.sampler = optuna.samplers.TPESampler(seed=seed) if parzen else optuna.samplers.RandomSampler(seed)
        trial = study.ask()
        me = psutil.Process()
        trial.set_user_attr("process", [socket.gethostname(), me.pid, me.create_time()])
        chosen = {name: parameter.draw(name, trial) for name, parameter in plan.space.parameters.items()}
        trial.set_user_attr("values", chosen)
        return trial


def _good_enough(plan: Sweep, trials: Sequence[FrozenTrial]) -> bool:
    enough, sign = plan.goal.target, -1 if plan.goal.goal == "maximize" else 1
    reached = [trial.value for trial in trials if trial.state == TrialState.COMPLETE and trial.value is not None]
    return enough is not None and any(sign * value <= sign * enough for value in reached)


def _bury(plan: Sweep, study: optuna.Study) -> None:
    """End the trials whose processes died, and have them tried again."""
    for trial in study.get_trials(deepcopy=False, states=[TrialState.RUNNING]):
        if _lives(trial.user_attrs.get("process")):
            continue
        study.tell(trial.number, state=TrialState.FAIL)
        again = trial.user_attrs.get("again", 0) + 1
        if again <= plan.retries:
            # One that died before it had drawn all its values has those of the grid still to come.
            told = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
            study.enqueue_trial(told, {"again": again, "of": trial.number})


def _try(plan: Sweep, study: optuna.Study, trial: optuna.Trial, console: Console) -> None:
    folder = plan.out / "trials" / f"{trial.number:04d}"
    chosen = trial.user_attrs["values"]
    own = ("test=false", f"checkpoint.run_dir={json.dumps(str(folder))}", f"checkpoint.monitor={plan.goal.name}",
           f"checkpoint.mode={plan.goal.goal[:3]}", "checkpoint.save_top_k=1", "checkpoint.save_last=false",
           "checkpoint.upload=null", "logging.worst_examples=0")  # fmt: skip
    watch = _Watch(trial, plan.goal)
    try:
        train(load(plan.config, [*plan.settings(chosen), *own]), console=Console(quiet=True), callbacks=[watch])
        best = watch.best
    except Interrupted:
        raise
    except (ValueError, RuntimeError, OSError) as error:  # of this trial's values; the others go on
        trial.set_user_attr("error", str(error))
        study.tell(trial, state=TrialState.FAIL)
        console.print(f"trial {trial.number}: failed: {error}", highlight=False, markup=False, soft_wrap=True)
        return
    if watch.pruned:
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, best)
    how = "ended early" if watch.pruned else "complete"
    values = ", ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
                       for name, value in chosen.items())  # fmt: skip
    said = f"trial {trial.number}: {plan.goal.name} {best:.5g}, {how}; {values}"
    console.print(said, highlight=False, markup=False, soft_wrap=True)


class _Watch(TrainerCallback):
    """Tells a trial what validation found, keeps the best of it, and ends a training that is behind."""

    def __init__(self, trial: optuna.Trial, goal: Goal) -> None:
        self.trial, self.key, self.less = trial, goal.name.replace("val_", "eval_", 1), goal.goal == "minimize"
        self.found: list[float] = []
        self.seen, self.pruned = 0, False

    @property
    def best(self) -> float:
        """The best figure so far.

        Raises:
            ValueError: there is none.
        """
        if not self.found:
            raise ValueError(f"{self.key.replace('eval_', 'val_', 1)} was never a finite number")
        return min(self.found) if self.less else max(self.found)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Any = None,
        **kwargs: Any,
    ) -> None:
        """After a validation."""
        self.seen += 1
        if not math.isfinite(metrics[self.key]):
            return
        self.found.append(metrics[self.key])
        self.trial.report(self.best, self.seen)
        if self.trial.should_prune():
            self.pruned = control.should_training_stop = True


def _lives(process: Sequence[Any] | None) -> bool:
    """Whether the process of a trial is still there; one of another machine is taken to be."""
    if process is None:
        return False
    host, pid, began = process
    if host != socket.gethostname():
        return True
    try:
        return abs(psutil.Process(pid).create_time() - began) < 1
    except psutil.NoSuchProcess:
        return False


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
