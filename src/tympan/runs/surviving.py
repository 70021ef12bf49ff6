"""The stock Trainer, whose checkpoints are whole or not there, and whose losses are of all that a step knows."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import Trainer
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from . import ranks, sealed
from .asked import Asked
from .checkpoint import BrokenOff
from .half import Checked
from .nonfinite import Guard
from .running import Heard
from .state import STATE, WEIGHTS, TrainState
from .synchronised import Synchronised

HEARD = "heard.safetensors"
"""What the model said of the training batches since the last line of the log."""


class SurvivingTrainer(Trainer):
    """Writes a checkpoint by the stock Trainer into a folder beside, adds the run's own state, and seals it.

    What the stock Trainer sums up between two lines of the log is a part of that state: else the first line after a
    resume would be of other batches than without one.
    """

    def __init__(
        self,
        *args: Any,
        guard: Guard,
        heard: Heard,
        asked: Asked,
        describe: Callable[["SurvivingTrainer"], TrainState],
        **kwargs: Any,
    ) -> None:
        """Args:
        describe: this Trainer -> the state of the run.
        """
        super().__init__(*args, **kwargs)
        self.guard, self.heard, self.asked, self.describe = guard, heard, asked, describe
        self.saving: Path | None = None
        """The checkpoint that is being written."""
        self._beside: Path | None = None
        self.from_state: TrainState | None = None
        self._resumed: str | None = None
        self._to_hear: dict[str, Tensor] = {}
        self._loaders: list[DataLoader[Any]] = []
        self._checked = Checked() if self.args.bf16 and self.args.device.type == "cpu" else nullcontext()
        self.loss_is_scaled_for_ga = True
        self.validation_due = self.validated_late = False
        self.loss_since = 0.0
        """The sum of the losses since the last line of the log, when a checkpoint is written."""

    def train(self, resume_from_checkpoint: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Train, from a checkpoint whose seal was verified, if one is given."""
        if resume_from_checkpoint:
            self._resumed = str(resume_from_checkpoint)
            self.from_state = TrainState.read(Path(resume_from_checkpoint, STATE))
            if (heard := Path(resume_from_checkpoint, HEARD)).is_file():
                self._to_hear = load_file(heard)
        try:
            return super().train(resume_from_checkpoint, *args, **kwargs)
        except (EOFError, ConnectionError):  # of a batch that a worker took with it
            _tell_how_a_worker_ended()
            raise
        finally:
            self._dismiss()

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Batches, by workers that signals leave alone."""
        return self._shielded(super().get_train_dataloader())

    def get_eval_dataloader(self, *args: Any, **kwargs: Any) -> DataLoader[Any]:
        """The same for validation."""
        return self._shielded(super().get_eval_dataloader(*args, **kwargs))

    def go_on(self) -> None:
        """Put back what was summed up since the last line of the log, when everything else is in place; and validate
        where that was broken off."""
        if self.from_state is None:
            return
        self._tr_loss += self.from_state.log_state.loss
        self._globalstep_last_logged -= self.from_state.log_state.steps
        self.heard.put_back(self._to_hear)
        if self.from_state.log_state.validation_due:
            # The Trainer puts the random states back later, and from this checkpoint as it is then.
            self._load_rng_state(self._resumed)
            self._evaluate(None, None)
            if self.control.should_save:
                self.validated_late = True
                self._save_checkpoint(self.model, None)
                self.validated_late = False
                self.control = self.callback_handler.on_save(self.args, self.state, self.control)

    def _run_epoch(self, *args: Any, **kwargs: Any) -> Any:
        """Train an epoch, but not where the validation that was left for later ends the training."""
        if not self.control.should_training_stop:
            super()._run_epoch(*args, **kwargs)

    def _evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Validate; where somebody asks for the end meanwhile, that is left for later."""
        self.validation_due = False
        try:
            return super()._evaluate(*args, **kwargs)
        except BrokenOff:
            self.validation_due = True
            self.control.should_training_stop = self.control.should_save = True
            return {}

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        """The Keeper ranks; the stock Trainer asks for the figure also where there is none."""
        return False

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> Tensor | None:
        """How many losses of each output are known: of all batches of a step, in all processes."""
        pipeline: Any = self.accelerator.unwrap_model(self.model)
        each = [list(pipeline.known(batch["target"], batch["key"]).values()) for batch in batch_samples]
        if not each:
            return None
        own = torch.stack([torch.stack(known) for known in each]).sum(0)
        return ranks.gather(own.to(device)).sum(0)

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Tensor | int | None = None
    ) -> Any:
        """A batch's part of the loss of a step: the sum of what is known of it, divided by all that the step knows."""
        assert isinstance(num_items_in_batch, Tensor), "counted above"
        pipeline: Any = self.accelerator.unwrap_model(model)
        said = model(**inputs, known=dict(zip(pipeline.outputs, num_items_in_batch, strict=True)))
        loss = said["loss"] * ranks.processes()  # of gradients and losses the mean over processes is taken
        return (loss, said) if return_outputs else loss

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """One batch forward and backward; the Guard sees its loss."""
        with Synchronised() if ranks.processes() > 1 else nullcontext(), self._checked:
            loss = super().training_step(model, inputs, num_items_in_batch)
        self.guard.saw(loss, inputs["key"])
        return loss

    def _defer_fsdp_gradient_reduction(self) -> nullcontext[None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Reduce the gradients of every batch at once: to keep them whole is what sharing them out avoids."""
        return nullcontext()

    def prediction_step(
        self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: list[str] | None = None
    ) -> Any:
        """What the model says of a batch, and what is true; the loss is a figure of all of them (`Running`)."""
        inputs = self._prepare_inputs(inputs)
        target = inputs.pop("target")
        with torch.no_grad(), self.compute_loss_context_manager(), self._checked:
            return None, model(**inputs)["prediction"], target

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Log, and begin a new sum: what is left of one that was no number would be in all that come after it."""
        super().log(logs, *args, **kwargs)
        if "loss" in logs:
            self._tr_loss: Tensor = torch.zeros_like(self._tr_loss)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        step = self.state.global_step
        place = Path(self.args.output_dir or ".") / f"{PREFIX_CHECKPOINT_DIR}-{step}"
        self.loss_since = float(ranks.gather(self._tr_loss).mean())
        self.saving = place
        if ranks.rank():
            self._write(sealed.aside(place), model, trial)
        else:
            with sealed.written(place, step, anew=self.validated_late) as made:
                self._write(made, model, trial)
        ranks.wait()
        self.saving = None

    def _write(self, made: Path, model: Any, trial: Any) -> None:
        """Write a checkpoint's files, the random states of every process among them."""
        ranks.wait()  # the folder is there
        self._beside = made.parent
        try:
            super()._save_checkpoint(model, trial)
        finally:
            self._beside = None
        if ranks.rank() == 0:
            if said := self.heard.kept():
                save_file(said, made / HEARD)
            self.describe(self).to_checkpoint(made)
        ranks.wait()  # nothing more is written

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._beside or super()._get_output_dir(trial))

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Tensor] | None = None) -> None:
        """The weights alone: the stock Trainer pickles its arguments beside them, which nobody should read."""
        if self.args.should_save or self.is_distributed_loading_by_transformers:
            state_dict = state_dict or self.accelerator.unwrap_model(self.model).state_dict()  # of all processes
        if self.args.should_save and state_dict:
            save_file(state_dict, Path(output_dir or ".") / WEIGHTS, {"format": "pt"})

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        """The moments; where they are shared out all processes put them together."""
        optimizer: Any = self.optimizer
        if not self.args.should_save and self.is_distributed_loading_by_transformers:
            optimizer.state_dict()
        super()._save_optimizer_and_scheduler(output_dir)

    @property
    def steps_since(self) -> int:
        """The steps since the last line of the log."""
        return self.state.global_step - self._globalstep_last_logged

    def _shielded(self, loader: DataLoader[Any]) -> DataLoader[Any]:
        loader = getattr(shown := loader, "base_dataloader", loader)  # which accelerate's asks for batches
        # A loader draws a seed for its workers whenever it begins, and how often that is depends on their number: with
        # a generator of its own, dropout does not.
        loader.generator = torch.Generator()
        loader.worker_init_fn = self.asked.begin  # in place of one for which every worker would import transformers
        if loader not in self._loaders:
            self._loaders.append(loader)
        return shown

    def _dismiss(self) -> None:
        """End the workers. The garbage collector, which would do it amid the next training, first takes away what they
        are told by, and then waits 5 s for each."""
        for loader in self._loaders:
            workers: Any = loader._iterator
            if workers is not None:
                workers._shutdown_workers()
                loader._iterator = None


def _tell_how_a_worker_ended() -> None:
    """Raise why the system ended a worker, if it did; it may yet be doing so."""
    for _ in range(20):
        torch._C._error_if_any_worker_fails()
        time.sleep(0.05)
