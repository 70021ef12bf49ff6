"""Figures while a run trains: of validation, and of the training batches between two lines of the log."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import EvalPrediction, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..objectives.accumulate import OVERALL, Accumulator
from ..output import Output, Part
from ..pipeline import Pipeline
from . import ranks
from .monitor import key

_KINDS = ("prediction", "target")


class Running:
    """The metrics of one part, from one batch after the other; nothing but rows of clips is kept."""

    def __init__(self, outputs: Mapping[str, Output], part: Part) -> None:
        self.outputs = outputs
        self.part: Part = part
        self.accumulators: dict[str, Accumulator] = {}
        self.seen = 0
        self.lost: dict[str, tuple[float, int]] = {}
        """By output the sum of its losses, and how many are known."""

    def update(self, prediction: Mapping[str, Any], target: Mapping[str, Any]) -> None:
        """Add a batch: predictions before decoding and encoded targets, by output."""
        for name, output in self.outputs.items():
            if self.part == "validation":
                self._lose(name, output, torch.as_tensor(prediction[name]), torch.as_tensor(target[name]))
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
        """The figures by their names in the log, of several outputs the mean; then it begins anew.

        In validation also `loss`: of each output the sum of what is known by its number, then summed with weights.
        """
        found = {name: accumulator.compute() for name, accumulator in self.accumulators.items()}
        told = {name: float(figures.get(OVERALL, next(iter(figures.values())))) for name, figures in found.items()}
        if self.lost:
            told["loss"] = sum(self.outputs[name].weight * lost / max(n, 1) for name, (lost, n) in self.lost.items())
        self.accumulators, self.seen, self.lost = {}, 0, {}
        return told

    def _lose(self, name: str, output: Output, prediction: Tensor, target: Tensor) -> None:
        criterion, (lost, known) = output.criterion, self.lost.get(name, (0.0, 0))
        one = torch.ones((), device=target.device)
        self.lost[name] = (
            lost + float(criterion(prediction.float(), target, one)),
            known + int(criterion.known(target)),
        )


def validation(pipeline: Pipeline) -> Callable[[EvalPrediction], dict[str, float]]:
    """The figures of validation, from one batch after the other, as the stock Trainer asks for them."""
    running = Running(pipeline.outputs, "validation")

    def compute(batch: EvalPrediction, compute_result: bool = True) -> dict[str, float]:
        prediction: Any = batch.predictions
        label: Any = batch.label_ids
        running.update(prediction, label)
        return {k.removeprefix("val_"): v for k, v in running.compute().items()} if compute_result else {}

    return compute


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
            prediction, target = (
                {name: ranks.gather(t.detach()).flatten(0, 1) for name, t in tensors.items()}
                for tensors in (said["prediction"], given["target"])
            )
            self.batches.append((prediction, target))

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
