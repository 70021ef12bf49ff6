"""One minus the area that two outlines share, divided by the area that they cover."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ...acoustics.radial import poses
from .. import Loss


class Overlap(Loss):
    """1 - intersection / union of the outlines, in the sectors of target `shape`, for which it is exact.

    It is 0 for the same shape and less than 1 for any other. The pose of the answer that fits best is found among all
    turns by whole sectors and their mirror images, without a gradient, as the order of speakers is in permutation
    invariant training (Yu et al. 2017, doi 10.1109/ICASSP.2017.7952154).
    """

    space = "shape"

    def values(
        self,
        prediction: Float[Tensor, "batch outputs frames"],
        target: Float[Tensor, "batch channels frames"],
        known: Bool[Tensor, "batch channels frames"],
    ) -> Float[Tensor, "batch channels frames"]:
        said, truth = prediction.softmax(1), target.softmax(1)
        said = _turned(said, truth)
        shared, covered = torch.minimum(said, truth).sum(1), torch.maximum(said, truth).sum(1)
        return (1 - shared / covered)[:, None].expand_as(target)


def _turned(said: Float[Tensor, "batch sectors frames"], truth: Tensor) -> Float[Tensor, "batch sectors frames"]:
    """The answer in the pose that shares most with the truth."""
    table = torch.tensor(poses(said.shape[1]), device=said.device)
    with torch.no_grad():
        shared = torch.stack([torch.minimum(said[:, order], truth).sum(1) for order in table])
        best = table[shared.argmax(0)]
    return said.gather(1, best.transpose(1, 2))
