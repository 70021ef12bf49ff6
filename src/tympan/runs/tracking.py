"""Where a run's figures go: log.jsonl always, W&B and TensorBoard if asked, and a line or a bar for people."""

import json
import math
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from .run import Run

# What a tracker's own code may raise when its server, disk or installation fails; none of it may stop a run.
_FAILURES = (AttributeError, ImportError, LookupError, OSError, RuntimeError, TypeError, ValueError)


class TrackerWarning(UserWarning):
    """A tracker failed and is left out from here on; the run goes on."""


def figures(logs: dict[str, Any], step: int, epoch: float) -> dict[str, float | int]:
    """The Trainer's figures under our names: `val_...` for validation, without its bookkeeping."""
    named = {
        key.replace("eval_", "val_", 1) if key.startswith("eval_") else key: float(value)
        for key, value in logs.items()
        if isinstance(value, (int, float)) and not _bookkeeping(key)
    }
    return {"step": step, "epoch": round(epoch, 4), **named}


class Tracker(TrainerCallback):
    """Gives every logged figure to log.jsonl and to the trackers that the run names."""

    def __init__(self, run: Run, folder: Path, steps_per_epoch: float, configuration: dict[str, Any]) -> None:
        self.log, self.steps_per_epoch, self.began = folder / "log.jsonl", steps_per_epoch, time.time()
        self.sinks: dict[str, Callable[[dict[str, float | int]], None]] = {}
        self.closers: dict[str, Callable[[], None]] = {}
        self.run, self.folder = run, folder
        self.configuration = configuration if run.logging.log_config else {}

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        """Open the trackers."""
        if self.run.logging.wandb_mode != "off":
            self._guard("wandb", self._open_wandb)
        if self.run.logging.tensorboard:
            self._guard("tensorboard", self._open_tensorboard)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """One line in log.jsonl, and the same to every tracker."""
        line = figures(logs or {}, state.global_step, state.global_step / self.steps_per_epoch)
        if len(line) <= 2:
            return
        said = {key: value if math.isfinite(value) else None for key, value in line.items()}  # JSON knows no NaN
        with self.log.open("a", encoding="utf-8") as out:
            out.write(json.dumps({**said, "seconds": round(time.time() - self.began, 3)}) + "\n")
        for name, sink in list(self.sinks.items()):
            self._guard(name, lambda sink=sink: sink(line))

    def on_train_end(self, *args: Any, **kwargs: Any) -> None:
        """Close the trackers."""
        for name, close in list(self.closers.items()):
            self._guard(name, close)

    def _guard(self, name: str, action: Callable[[], None]) -> None:
        try:
            action()
        except _FAILURES as error:
            self.sinks.pop(name, None)
            self.closers.pop(name, None)
            warnings.warn(f"{name} is left out of this run from here on: {error}", TrackerWarning, stacklevel=2)

    def _open_wandb(self) -> None:
        wandb = _load("wandb", "wandb")
        logging = self.run.logging

        def begin(mode: str) -> Any:
            if wandb.run is not None:  # an agent of a sweep has begun it, to know its parameters
                wandb.run.config.update(self.configuration, allow_val_change=True)
                return wandb.run
            return wandb.init(
                project=logging.wandb_project,
                entity=logging.wandb_entity,
                name=logging.wandb_run_name or self.folder.name,
                tags=list(logging.wandb_tags),
                config=self.configuration,
                mode=mode,
                dir=str(self.folder),
                settings=wandb.Settings(silent=True, console="off", init_timeout=30),
            )

        try:
            if logging.wandb_mode == "online" and wandb.run is None and not wandb.login(prompt=False):
                raise wandb.errors.UsageError("nobody is logged in; `wandb login` once")
            session = begin(logging.wandb_mode)
        except wandb.errors.Error as error:
            if logging.wandb_mode != "online":
                raise RuntimeError(str(error)) from error
            told = str(error).split("\n")[0]
            warnings.warn(
                f"wandb logs offline ({told}); `wandb sync {self.folder}/wandb/offline-*` sends it later",
                TrackerWarning,
                stacklevel=2,
            )
            session = begin("offline")
        self.sinks["wandb"] = lambda line: session.log(line, step=int(line["step"]))
        self.closers["wandb"] = session.finish

    def _open_tensorboard(self) -> None:
        writer = _load("torch.utils.tensorboard", "tensorboard").SummaryWriter(str(self.folder / "tensorboard"))
        if self.configuration:
            writer.add_text("configuration", f"```\n{json.dumps(self.configuration, indent=1)}\n```")

        def write(line: dict[str, float | int]) -> None:
            for key, value in line.items():
                if key not in ("step", "epoch"):
                    writer.add_scalar(key, value, int(line["step"]))

        self.sinks["tensorboard"] = write
        self.closers["tensorboard"] = writer.close


def _load(module: str, extra: str) -> ModuleType:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f"{extra} is not installed: pip install 'tympan[{extra}]' ({error})") from error


class Watch(TrainerCallback):
    """Progress for people: a bar on a terminal, plain lines elsewhere; and the share of time spent waiting for data."""

    def __init__(self, console: Console, steps_per_epoch: float, clips_per_step: int, title: str) -> None:
        self.console, self.steps_per_epoch, self.clips, self.title = console, steps_per_epoch, clips_per_step, title
        self.bar: Progress | None = None
        self.task: TaskID | None = None
        self.waiting = self.working = 0.0
        self.clock = self.began = time.perf_counter()
        self.steps, self.said, self.first = 0, 0.0, 0
        self.last: dict[str, float] = {}

    @property
    def wait_share(self) -> float:
        """The part of the training steps' time that was spent waiting for data, 0 to 1."""
        return self.waiting / max(self.waiting + self.working, 1e-9)

    @property
    def clips_per_second(self) -> float:
        """Clips trained on in a second of training steps, waiting included."""
        return self.steps * self.clips / max(self.waiting + self.working, 1e-9)

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, *rest: Any, **kwargs: Any) -> None:
        """Start the clock and the bar."""
        self.clock = self.began = time.perf_counter()
        self.first = state.global_step
        if self.console.is_terminal:
            columns = ("{task.description}", BarColumn(), "{task.completed}/{task.total}", TimeElapsedColumn(), "eta")
            self.bar = Progress(
                *columns, TimeRemainingColumn(), TextColumn("{task.fields[note]}"), console=self.console
            )
            self.task = self.bar.add_task(self.title, total=state.max_steps, completed=self.first, note="")
            self.bar.start()

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        """The batch is here."""
        now = time.perf_counter()
        self.waiting, self.clock = self.waiting + now - self.clock, now

    def on_step_end(self, args: TrainingArguments, state: TrainerState, *rest: Any, **kwargs: Any) -> None:
        """The step is done."""
        now = time.perf_counter()
        self.working, self.clock, self.steps = self.working + now - self.clock, now, self.steps + 1
        note = f"{self.clips_per_second:.0f} clips/s · waiting {self.wait_share:.0%}"
        if self.bar and self.task is not None:
            self.bar.update(self.task, completed=state.global_step, note=note)
        elif now - self.said > 10:
            self.said = now
            left = (state.max_steps - state.global_step) * (now - self.began) / max(state.global_step - self.first, 1)
            self.console.print(
                f"{self.title}: step {state.global_step}/{state.max_steps} · "
                f"epoch {state.global_step / self.steps_per_epoch:.1f} · {note} · {left:.0f} s left",
                highlight=False,
                soft_wrap=True,
            )

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **kwargs: Any
    ) -> None:
        """Show what validation found."""
        line = figures(logs or {}, state.global_step, state.global_step / self.steps_per_epoch)
        said = " · ".join(f"{k} {v:.4g}" for k, v in line.items() if k.startswith("val_"))
        if said:
            self.console.print(f"{self.title}: epoch {line['epoch']:g} · {said}", highlight=False, soft_wrap=True)
        self.clock = time.perf_counter()

    def on_evaluate(self, *args: Any, **kwargs: Any) -> None:
        """Validation is not waiting for data."""
        self.clock = time.perf_counter()

    on_save = on_evaluate

    def on_train_end(self, *args: Any, **kwargs: Any) -> None:
        """Stop the bar."""
        if self.bar:
            self.bar.stop()


def _bookkeeping(key: str) -> bool:
    """Times and counts of the Trainer's own, which are measured better elsewhere."""
    own = ("epoch", "step", "total_flos", "num_input_tokens_seen", "train_loss")
    return key in own or key.endswith(("_runtime", "_per_second", "_preparation_time"))
