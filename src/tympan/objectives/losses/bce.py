"""Binary cross-entropy, with a weight for the positives of each label where one is wanted."""

from typing import Annotated, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn

from .. import Loss


class BCE(Loss):
    """Binary cross-entropy of logits, in nats."""

    space = "binary"

    positive_weights: Literal["auto"] | tuple[Annotated[float, Field(gt=0)], ...] | None = None
    """What a positive counts against a negative, for each label; `auto` is negatives / positives in the training part,
    within 0.01 and 100, and 1 for a label that has only one of the two. Weighted probabilities are not calibrated."""

    focal: float = Field(default=0.0, ge=0)
    """How much less what is answered well already counts: each loss is multiplied by the distance of probability and
    target to this power (Lin et al. 2017, who take 2); 0 leaves it. Such probabilities are not calibrated either."""

    @property
    def shifts(self) -> bool:
        return self.positive_weights is not None or self.focal > 0

    def fit(self, targets: Float[Tensor, "examples channels frames"]) -> "BCE":
        """A copy whose `auto` weights are the numbers they stand for."""
        if self.positive_weights != "auto":
            return self
        known = (~targets.isnan()).sum((0, 2)).double()
        positives = targets.double().nansum((0, 2))
        negatives = known - positives
        ratio = (negatives / positives.clamp(min=1e-9)).clamp(0.01, 100)
        weights = torch.where((positives > 0) & (negatives > 0), ratio, torch.ones_like(ratio))
        return self.model_copy(update={"positive_weights": tuple(weights.tolist())})

    def values(
        self,
        prediction: Float[Tensor, "batch outputs frames"],
        target: Float[Tensor, "batch channels frames"],
        known: Bool[Tensor, "batch channels frames"],
    ) -> Float[Tensor, "batch channels frames"]:
        weights = self.positive_weights
        if weights == "auto":
            raise ValueError(
                "positive_weights are 'auto' and not yet numbers; call fit with the training targets first"
            )
        if weights is not None and len(weights) != target.shape[1]:
            raise ValueError(
                f"positive_weights has {len(weights)} numbers for {target.shape[1]} labels; give one for each"
            )
        pos_weight = None if weights is None else prediction.new_tensor(weights)[:, None]
        loss = nn.functional.binary_cross_entropy_with_logits(
            prediction, target, pos_weight=pos_weight, reduction="none"
        )
        # A distance of 0 to a power below 1 has no gradient.
        return loss * (prediction.sigmoid() - target).abs().clamp(min=1e-6) ** self.focal if self.focal else loss
