"""What is known of an example -> encoded targets; a file of its own, since every worker imports it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..data import Example
from ..objectives import Target
from .rates import AtRate


@dataclass(frozen=True)
class Encode:
    """The values of an example -> the encoded target of each output; picklable, for workers."""

    targets: Mapping[str, Target]
    at_rate: AtRate = field(default_factory=lambda: AtRate({}, {}))

    def __call__(self, example: Example) -> dict[str, Tensor]:
        try:
            values = self.at_rate(example.values, example.groups.get("corpus", ""))
            return {
                name: self._from(target.encode(values), target, example.start) for name, target in self.targets.items()
            }
        except ValueError as error:
            raise ValueError(f"{example.id}: {error}") from error

    @staticmethod
    def _from(encoded: Tensor, target: Target, start: float) -> Tensor:
        """A target with a rate from where the clip begins; one unknown frame where it ended before."""
        if target.rate is None:
            return encoded
        rest = encoded[:, round(start * target.rate) :]
        return rest if rest.shape[1] else torch.full((encoded.shape[0], 1), float("nan"))
