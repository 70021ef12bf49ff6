"""Cross-entropy of one class of several."""

from typing import Annotated, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn

from .. import Loss


class CrossEntropy(Loss):
    """Cross-entropy of logits, in nats; each value counts once, whatever its weight."""

    space = "class"

    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """The part of the probability that is spread evenly over all classes (Szegedy et al. 2016)."""
    class_weights: Literal["auto"] | tuple[Annotated[float, Field(gt=0)], ...] | None = None
    """What a clip of each class counts; `auto` is inversely proportional to how often the class occurs in the training
    part, 1 where all are equally frequent, within 0.01 and 100. Weighted probabilities are not calibrated."""

    def fit(self, targets: Float[Tensor, "examples 1 frames"]) -> "CrossEntropy":
        """A copy whose `auto` weights are the numbers they stand for; a class that does not occur has 1."""
        if self.class_weights != "auto":
            return self
        counts = torch.bincount(targets[~targets.isnan()].long()).double()
        weights = (counts.sum() / (counts > 0).sum() / counts.clamp(min=1)).clamp(0.01, 100)
        weights = torch.where(counts > 0, weights, torch.ones_like(weights))
        return self.model_copy(update={"class_weights": tuple(weights.tolist())})

    def values(
        self,
        prediction: Float[Tensor, "batch outputs frames"],
        target: Float[Tensor, "batch channels frames"],
        known: Bool[Tensor, "batch channels frames"],
    ) -> Float[Tensor, "batch channels frames"]:
        weights, classes = self.class_weights, prediction.shape[1]
        if weights == "auto":
            raise ValueError("class_weights are 'auto' and not yet numbers; call fit with the training targets first")
        if weights is not None and len(weights) != classes:
            raise ValueError(
                f"class_weights has {len(weights)} numbers for {classes} classes; give one for each ('auto' "
                "cannot where the last class never occurs in the training part)"
            )
        mixed = target.shape[1] == classes and classes > 1  # probabilities of classes, not the number of one
        losses = nn.functional.cross_entropy(
            prediction,
            target if mixed else target[:, 0].long(),
            weight=None if weights is None else prediction.new_tensor(weights),
            label_smoothing=self.label_smoothing,
            reduction="none",
        )[:, None]
        return losses.expand_as(target)
