"""What the stock Trainer does with the same faults: `python tests/faults/stock.py` prints a table."""

import contextlib
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint
from transformers.utils import logging as transformers_logging


class Data(torch.utils.data.Dataset[dict[str, Any]]):
    """Noise that is drawn anew whenever it is asked for, as random augmentation is."""

    def __len__(self) -> int:
        return 32

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"x": torch.randn(8) + index, "labels": torch.tensor([float(index)])}


class Net(nn.Module):
    """A small network with dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, 16), nn.Dropout(0.2), nn.Linear(16, 1))

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """The loss."""
        said = self.layers(x)
        return {"loss": ((said - labels) ** 2).mean(), "logits": said}


class Stop(TrainerCallback):
    """Ends a training after a step, as a machine that goes away does."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """End it behind the checkpoint of step 6."""
        if state.global_step == 7:
            raise KeyboardInterrupt


def trainer(folder: Path, callbacks: list[TrainerCallback] | None = None) -> Trainer:
    """A training of 8 steps with a checkpoint every second."""
    torch.manual_seed(0)
    arguments = TrainingArguments(
        str(folder), max_steps=8, per_device_train_batch_size=8, save_steps=2, save_total_limit=None, report_to=[],
        disable_tqdm=True, use_cpu=True, seed=0, logging_steps=1000, dataloader_pin_memory=False)  # fmt: skip
    return Trainer(Net(), arguments, train_dataset=Data(), callbacks=callbacks or [])


def weights(one: Trainer) -> dict[str, torch.Tensor]:
    """What it ended with."""
    assert isinstance(one.model, nn.Module)
    return {name: tensor.clone() for name, tensor in one.model.state_dict().items()}


def _flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-8] ^= 64
    file.write_bytes(data)


FAULTS: dict[str, Callable[[Path], Any]] = {
    "none": lambda last: None,
    "weights truncated": lambda last: os.truncate(last / "model.safetensors", 300),
    "weights deleted": lambda last: (last / "model.safetensors").unlink(),
    "one bit of the weights flipped": lambda last: _flip(last / "model.safetensors"),
    "optimizer deleted": lambda last: (last / "optimizer.pt").unlink(),
    "optimizer truncated": lambda last: os.truncate(last / "optimizer.pt", 300),
    "scheduler deleted": lambda last: (last / "scheduler.pt").unlink(),
    "random states deleted": lambda last: (last / "rng_state.pth").unlink(),
    "state emptied": lambda last: os.truncate(last / "trainer_state.json", 0),
    "killed while it saved (weights alone were written)": lambda last: [
        file.unlink() for file in last.iterdir() if file.name != "model.safetensors"
    ],
}


def outcomes() -> dict[str, str]:
    """Of each fault in the newest checkpoint, what a resume by the stock Trainer makes of it."""
    transformers_logging.set_verbosity_error()
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as room, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = trainer(Path(room, "whole"))
        whole.train()
        wanted = weights(whole)
        with contextlib.suppress(KeyboardInterrupt):
            trainer(Path(room, "cut"), [Stop()]).train()
        for fault, hurt in FAULTS.items():
            folder = Path(shutil.copytree(Path(room, "cut"), Path(room, "again"), dirs_exist_ok=False))
            last = get_last_checkpoint(str(folder))
            assert last is not None and last.endswith("checkpoint-6")
            hurt(Path(last))
            again = trainer(folder)
            try:
                again.train(resume_from_checkpoint=last)
            except Exception as error:  # noqa: BLE001 - whatever it says is the outcome
                found[fault] = f"ends: {type(error).__name__}: {' '.join(str(error).split())[:70]}"
            else:
                same = all(torch.equal(wanted[name], tensor) for name, tensor in weights(again).items())
                found[fault] = "goes on, the same weights" if same else "goes on in silence, other weights"
            shutil.rmtree(folder)
    return found


if __name__ == "__main__":
    for fault, outcome in outcomes().items():
        sys.stdout.write(f"| {fault} | {outcome} |\n")
