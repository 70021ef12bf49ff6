"""What a sweep is: a configuration, what of it is varied, and the folder with the journal of its trials."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from ..component import assume, did_you_mean
from ..data import storage
from .configuration import ConfigurationError, load, read
from .monitor import monitored
from .resolved import dump
from .run import Run
from .space import Goal, Space

_BETTER = {"maximize": "better: write `goal: maximize`", "minimize": "worse: write `goal: minimize`"}


@dataclass(frozen=True)
class Sweep:
    """A configuration, what of it is varied, and the folder in which the trials are kept."""

    config: Path
    """The run's configuration."""
    file: Path
    """What is searched: a sweep file of Weights & Biases."""
    overrides: tuple[str, ...] = ()
    """Of the configuration, for all trials."""
    folder: Path | None = None
    """Of the sweep; by default `sweeps/` and its name."""
    trials: int = 20
    """How many, where neither `run_cap` nor a grid says fewer."""
    method: str | None = None
    """Instead of the file's."""
    seed: int = 0
    """Decides what is tried."""
    retries: int = 1
    """How often a trial is tried again whose process died."""
    run: Run = field(init=False)
    """The configuration without what is varied."""
    space: Space = field(init=False)
    """What the file says."""
    goal: Goal = field(init=False)
    """The figure, and which way is better."""
    out: Path = field(init=False)
    """The folder."""

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise ValueError(f"trials: there must be 1 or more, not {self.trials}")
        method = [f"method={self.method}"] if self.method else []
        space, run = read(Space, self.file, method), load(self.config, self.overrides)
        figures = monitored(run.outputs)
        goal = space.metric or Goal(name=run.checkpoint.monitor, goal="maximize" if _higher(run) else "minimize")
        if goal.name not in figures:
            raise ConfigurationError(
                f"{self.file}: metric.name: {goal.name} is not computed in validation; one of: {', '.join(figures)}"
                f"{did_you_mean(goal.name, list(figures))}"
            )
        if goal.goal != (better := "maximize" if figures[goal.name] else "minimize"):
            assume(f"{self.file}: the sweep is to {goal.goal} {goal.name}, of which more is {_BETTER[better]}")
        if run.split.validation == "none":
            raise ConfigurationError(f"{self.config}: split.validation: none leaves nothing to choose by; keep a part")
        if len(run.seeds) > 1 or run.split.folds:
            raise ConfigurationError(
                f"{self.config}: a trial is one training, and its figure one of validation; take out "
                f"{'seeds' if len(run.seeds) > 1 else 'split.folds'}, and put it back to train the best"
            )
        object.__setattr__(self, "run", run)
        object.__setattr__(self, "space", space)
        object.__setattr__(self, "goal", goal)
        object.__setattr__(self, "out", self.folder or Path("sweeps") / _plain(space.name or run.name))
        self._possible()

    def _possible(self) -> None:
        """Try the ends of every range on the configuration, before any training."""
        first = {name: parameter.extremes()[0] for name, parameter in self.space.parameters.items()}
        load(self.config, self.settings(first))
        for name, parameter in self.space.parameters.items():
            for value in parameter.extremes()[1:]:
                load(self.config, self.settings({**first, name: value}))
        if self.space.method == "grid":
            self.space.grid()

    def settings(self, chosen: dict[str, Any]) -> list[str]:
        """The overrides of a trial that has chosen these values."""
        return [*self.overrides, *(f"{name}={json.dumps(value)}" for name, value in chosen.items())]

    @property
    def count(self) -> int:
        """How many trials there are to be."""
        most = [self.trials, *([self.space.run_cap] if self.space.run_cap else [])]
        return min([*most, len(self.space.grid())] if self.space.method == "grid" else most)

    def study(self) -> optuna.Study:
        """The trials so far, as the journal in the folder holds them."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        storage = JournalStorage(JournalFileBackend(str(self.out / "journal.log")))
        early = self.space.early_terminate
        pruner = optuna.pruners.NopPruner()
        if early:
            longest = early.max_iter or "auto"
            pruner = optuna.pruners.HyperbandPruner(early.first, longest, early.eta)
        return optuna.create_study(
            storage=storage, study_name="sweep", direction=self.goal.goal, pruner=pruner, load_if_exists=True
        )

    def begin(self) -> optuna.Study:
        """Make the folder, or see that it is this sweep's.

        Raises:
            ValueError: it holds another sweep, or something else.
        """
        told = {
            "configuration": dump(self.run),
            "space": self.space.model_dump(mode="json", exclude={"run_cap"}),
            "seed": self.seed,
        }
        kept = self.out / "sweep.json"
        if kept.is_file():
            there = json.loads(kept.read_text(encoding="utf-8"))
            differ = [name for name in told if there.get(name) != told[name]]
            if differ:
                raise ValueError(
                    f"{self.out}: holds a sweep with another {' and '.join(differ)}; nothing was changed, name another "
                    "folder with --out"
                )
        elif self.out.exists() and any(self.out.iterdir()):
            raise ValueError(f"{self.out}: is there already and holds no sweep; name another folder with --out")
        else:
            storage.write_text(kept, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
        return self.study()


def _plain(name: str) -> str:
    """One folder's name, which leads nowhere else."""
    return re.sub(r"[^\w. -]", "-", name).strip(". ") or "sweep"


def _higher(run: Run) -> bool:
    if run.checkpoint.mode:
        return run.checkpoint.mode == "max"
    return monitored(run.outputs).get(run.checkpoint.monitor, False)
