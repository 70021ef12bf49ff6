"""Figures while a run trains: of validation, and of the training batches between two lines of the log."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..objectives.accumulate import OVERALL, Accumulator
from ..pipeline import Output, Part, Pipeline
from .monitor import key

_KINDS = ("prediction", "target")


class Running:
    """The metrics of one part, from one batch after the other; nothing but rows of clips is kept."""

    def __init__(self, outputs: Mapping[str, Output], part: Part) -> None:
        self.outputs = outputs
        self.part: Part = part
        self.accumulators: dict[str, Accumulator] = {}
        self.seen = 0

    def update(self, prediction: Mapping[str, Any], target: Mapping[str, Any]) -> None:
        """Add a batch: predictions before decoding and encoded targets, by output."""
        for name, output in self.outputs.items():
            if not (figures := output.figures(self.part)):
                continue
            decoded = output.target.decode(torch.as_tensor(prediction[name]).float().cpu())
            truth = output.target.truth(torch.as_tensor(target[name]).float().cpu())
            ids = [str(self.seen + i) for i in range(len(target[name]))]
            for metric in figures:
                of = key(self.part, metric.type, name, len(self.outputs) > 1)
                collected = self.accumulators.setdefault(of, metric.start(output.target.outputs, output.target.rate))
                collected.update(decoded, truth, ids, ids)
        self.seen += len(next(iter(target.values())))

    def compute(self) -> dict[str, float]:
        """The figures by their names in the log, of several outputs the mean; then it begins anew."""
        found = {name: accumulator.compute() for name, accumulator in self.accumulators.items()}
        self.accumulators, self.seen = {}, 0
        return {name: float(figures.get(OVERALL, next(iter(figures.values())))) for name, figures in found.items()}


class Heard(TrainerCallback):
    """Collects what the model says of training batches, and adds their figures to the log.

    The stock Trainer shows no predictions in training, so they are taken where the pipeline gives them. They stay on
    their device until the log is written.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self.running = Running(pipeline.outputs, "train")
        self.batches: list[tuple[dict[str, Tensor], dict[str, Tensor]]] = []
        if any(output.figures("train") for output in pipeline.outputs.values()):
            pipeline.register_forward_hook(self._hear, with_kwargs=True)

    def _hear(self, module: torch.nn.Module, args: Any, given: dict[str, Any], said: dict[str, Any]) -> None:
        if module.training and given.get("target") is not None:
            prediction = {name: p.detach() for name, p in said["prediction"].items()}
            self.batches.append((prediction, {name: t.detach() for name, t in given["target"].items()}))

    def kept(self) -> dict[str, Tensor]:
        """The batches since the last line about training, for a checkpoint."""
        return {
            f"{place} {kind} {name}": tensor.contiguous()
            for place, batch in enumerate(self.batches)
            for kind, tensors in zip(_KINDS, batch, strict=True)
            for name, tensor in tensors.items()
        }

    def put_back(self, kept: Mapping[str, Tensor]) -> None:
        """Go on with the batches of a checkpoint."""
        batches: dict[int, tuple[dict[str, Tensor], dict[str, Tensor]]] = {}
        for label, tensor in kept.items():
            place, kind, name = label.split(" ", 2)
            batches.setdefault(int(place), ({}, {}))[_KINDS.index(kind)][name] = tensor
        self.batches = [batches[place] for place in sorted(batches)]

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Add the figures of the batches since the last line about training."""
        if logs is None or "loss" not in logs:
            return
        for prediction, target in self.batches:
            self.running.update(prediction, target)
        self.batches = []
        logs.update(self.running.compute())
