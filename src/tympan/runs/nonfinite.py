"""Losses and gradients that are no numbers: the run stops, or leaves the step out, and says which recordings it was."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from . import ranks
from .sharded import whole

FILE = "nonfinite.jsonl"
Policy = Literal["stop", "skip"]


class NonFinite(ValueError):
    """A loss or a gradient is not a finite number."""

    of_all = True


class Guard(TrainerCallback):
    """Looks at the loss and the gradients of every step before the optimizer makes anything of them.

    A step that is left out changes neither weights nor moments, since no parameter has a gradient then, nor the
    statistics of normalisation, which are put back.
    """

    def __init__(self, policy: Policy, folder: Path, name: Callable[[int], str]) -> None:
        """Args:
        folder: the run's, where `nonfinite.jsonl` is written.
        name: the index of an example -> its id.
        """
        self.policy, self.folder, self.name = policy, folder, name
        self.losses: list[Tensor] = []
        self.keys: list[Tensor] = []
        self.buffers: list[Tensor] = []
        self.kept: list[Tensor] = []

    def saw(self, loss: Tensor, key: Tensor) -> None:
        """Note the loss of a batch and which examples it was: `(batch, 2)`, epoch and index."""
        self.losses.append(loss.detach())
        self.keys.append(key)

    def on_train_begin(self, *args: Any, model: nn.Module, **kwargs: Any) -> None:
        """Find what a forward pass changes by itself."""
        if self.policy == "skip":
            self.buffers = [b for m in model.modules() for b in m.buffers(recurse=False) if hasattr(m, "running_mean")]

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        """Keep the statistics as they are."""
        self.losses, self.keys = [], []
        self.kept = [buffer.clone() for buffer in self.buffers]

    def on_pre_optimizer_step(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Refuse the step, or leave it out.

        Raises:
            NonFinite: the policy is to stop.
        """
        model: nn.Module = kwargs["model"]
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        # A scaler of float16 finds gradients that overflow by itself, makes its scale smaller and leaves the step out.
        loss = torch.stack(self.losses).sum()
        sure = gradients and not args.fp16
        norm = whole(torch.nn.utils.get_total_norm(gradients, torch.inf)) if sure else torch.zeros_like(loss)
        every = ranks.gather(torch.stack([loss, norm.to(loss)]))
        if bool(every.isfinite().all()):
            return
        seen, keys = every.mean(0), ranks.gather(torch.cat(self.keys)).flatten(0, 1)
        ids = list(dict.fromkeys(self.name(int(index)) for index in keys[:, 1]))
        epoch, step = int(keys[0, 0]), state.global_step + 1
        values = {"loss": str(seen[0].item()), "largest_gradient": str(seen[1].item())}
        line = {"step": step, "epoch": epoch, "policy": self.policy, **values, "ids": ids}
        if ranks.rank() == 0:
            with (self.folder / FILE).open("a", encoding="utf-8") as out:
                out.write(json.dumps(line, ensure_ascii=False) + "\n")
        if self.policy == "stop":
            loss_is, gradient_is = (f"{name.replace('_', ' ')} is {value}" for name, value in values.items())
            what = gradient_is if seen[0].isfinite() else loss_is
            raise NonFinite(
                f"step {step}: the {what}, for recordings that {self.folder / FILE} names; look at them, lower "
                "optimizer.learning_rate, or set training.nonfinite: skip to leave such steps out"
            )
        for parameter in model.parameters():
            parameter.grad = None
        for buffer, kept in zip(self.buffers, self.kept, strict=True):
            buffer.copy_(kept)
