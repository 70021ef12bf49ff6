"""Where a run's figures go: log.jsonl always, W&B and TensorBoard if asked, and a line or a bar for people."""

import importlib
import json
import math
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from .outbox import FAILURES, Line, Opened, Outbox, TrackerWarning, close
from .run import Run


def figures(logs: dict[str, Any], step: int, epoch: float) -> Line:
    """The Trainer's figures under our names: `val_...` for validation, without its bookkeeping."""
    named = {
        key.replace("eval_", "val_", 1) if key.startswith("eval_") else key: float(value)
        for key, value in logs.items()
        if isinstance(value, (int, float)) and not _bookkeeping(key)
    }
    return {"step": step, "epoch": round(epoch, 4), **named}


class Tracker(TrainerCallback):
    """Gives every logged figure to log.jsonl and to the trackers that the run names, which hold nothing up."""

    def __init__(self, run: Run, folder: Path, steps_per_epoch: float, configuration: dict[str, Any]) -> None:
        self.log, self.steps_per_epoch, self.began = folder / "log.jsonl", steps_per_epoch, time.monotonic()
        self.boxes: list[Outbox] = []
        self.run, self.folder = run, folder
        self.configuration = configuration if run.logging.log_config else {}

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        """Open the trackers."""
        if self.run.logging.wandb_mode != "off":
            self._open("wandb", "wandb", self._open_wandb)
        if self.run.logging.tensorboard:
            self._open("tensorboard", "torch.utils.tensorboard", self._open_tensorboard)

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
            out.write(json.dumps({**said, "seconds": round(time.monotonic() - self.began, 3)}) + "\n")
        for box in self.boxes:
            box.put(line)

    def on_train_end(self, *args: Any, **kwargs: Any) -> None:
        """Close the trackers."""
        close(self.boxes)

    def _open(self, name: str, module: str, open: Callable[[Any, Callable[[str], None]], Opened]) -> None:
        try:
            loaded = importlib.import_module(module)  # here, for a worker that is forked meanwhile would be without it
        except FAILURES as error:
            told = f"{name} is left out of this run: it cannot be imported; pip install 'tympan[{name}]' ({error})"
            warnings.warn(told, TrackerWarning, stacklevel=2)
        else:
            self.boxes.append(Outbox(name, partial(open, loaded)))

    def _open_wandb(self, wandb: Any, say: Callable[[str], None]) -> Opened:
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

        def plain(action: Callable[..., None], *args: Any, **options: Any) -> None:
            try:
                action(*args, **options)
            except wandb.errors.Error as error:
                raise RuntimeError(str(error)) from error

        try:
            if logging.wandb_mode == "online" and wandb.run is None and not wandb.login(prompt=False):
                raise wandb.errors.UsageError("nobody is logged in; `wandb login` once")
            session = begin(logging.wandb_mode)
        except wandb.errors.Error as error:
            if logging.wandb_mode != "online":
                raise RuntimeError(str(error)) from error
            told = str(error).split("\n")[0]
            say(f"logs offline ({told}); `wandb sync {self.folder}/wandb/offline-*` sends it later")
            session = begin("offline")
        return lambda line: plain(session.log, line, step=int(line["step"])), lambda: plain(session.finish)

    def _open_tensorboard(self, tensorboard: Any, say: Callable[[str], None]) -> Opened:
        writer = tensorboard.SummaryWriter(str(self.folder / "tensorboard"))
        if self.configuration:
            writer.add_text("configuration", f"```\n{json.dumps(self.configuration, indent=1)}\n```")

        def write(line: Line) -> None:
            for key, value in line.items():
                if key not in ("step", "epoch"):
                    writer.add_scalar(key, value, int(line["step"]))

        return write, writer.close


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
