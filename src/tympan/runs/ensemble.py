"""What trainings with several seeds say together, which is mostly better than what one of them says."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ..objectives import PROBABLE
from ..objectives.accumulate import Accumulator
from ..objectives.decision import joint
from .evaluate import Evaluation
from .said import Said


def together(repeats: Sequence[Evaluation], key: tuple[str, str]) -> Accumulator | None:
    """The rows of one metric for the mean of all repeats' logits (an ensemble, Lakshminarayanan et al. 2017).

    Args:
        repeats: one evaluation of the same recordings for each seed.
        key: the output group and the metric.

    Returns:
        `None` of one repeat, of what is no probability, and where not all have answered to the same recordings.
    """
    if len(repeats) < 2:
        return None
    like = repeats[0].accumulators["model"][key]
    said = [{(one.id, one.output): one for one in r.predictions if one.output in like.outputs} for r in repeats]
    first = said[0]
    same = all(own.keys() == first.keys() for own in said[1:])
    if not first or not same or any(one.space not in PROBABLE for one in first.values()):
        return None
    made = Accumulator(like.metric, like.outputs, like.rate, like.kinds)
    for id in dict.fromkeys(id for id, _ in first):
        own = {output: [answers[id, output] for answers in said] for output in like.outputs}
        one = own[like.outputs[0]][0]
        groups = tuple(group for _, group in one.clusters) if like.rate else one.group
        made.update(
            {output: _joint(several)[None] for output, several in own.items()},
            {output: several[0].truth[None, None] for output, several in own.items()},
            [id],
            [groups],
        )
    return made


def _joint(said: Sequence[Said]) -> Float[np.ndarray, "values frames"]:
    """The probability that the mean of the logits has."""
    return joint(np.stack([one.answer.astype(np.float64) for one in said]), bool(said[0].classes))
