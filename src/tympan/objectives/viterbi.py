"""The likeliest course through states that move little from one frame to the next.

Importing this imports numba, so import it where it is used. The kernel is compiled at the first call and kept on disk.
"""

from typing import Any, no_type_check

import numpy as np
from jaxtyping import Float, Int

from ..kernel import kernel


def path(likelihood: Float[np.ndarray, "frames states"], reach: int) -> Int[np.ndarray, "frames"]:
    """The states of the likeliest course (Viterbi 1967), where all are equally likely at first.

    From one frame to the next a state moves by d < reach with a probability that falls evenly with d: the weights
    reach - d, normalised for each state, of CREPE's decoder (Kim et al. 2018) for a reach of 12.

    Args:
        likelihood: of what was heard, for each state; 0 or more.
        reach: states; nothing moves as far as that in one frame.
    """
    states = np.arange(likelihood.shape[1])
    weights = np.maximum(reach - np.abs(states[:, None] - states), 0)
    with np.errstate(divide="ignore"):
        log = np.log(likelihood.astype(np.float64))
    steps = np.log(np.concatenate([np.arange(1, reach + 1), np.arange(reach - 1, 0, -1)]))
    return _path(log, -np.log(weights.sum(1)), steps)


@kernel()
@no_type_check
def _take(best: Any, came: Any, before: Any, step: float, move: int) -> None:
    """Come from the states `move` higher where that is better."""
    for i in range(len(best)):
        new = before[i] + step
        better = new > best[i]
        best[i] = new if better else best[i]
        came[i] = move if better else came[i]


@kernel()
@no_type_check
def _path(log: Any, leave: Any, steps: Any) -> Any:
    frames, states = log.shape
    reach = (len(steps) + 1) // 2
    came = np.zeros((frames, states), np.int32)
    # Lanes on both sides that nothing comes from, so that every move is a slice of one length.
    before = np.full(states + 2 * reach, -np.inf)
    best = log[0].copy()
    for t in range(1, frames):
        before[reach : reach + states] = best + leave
        best[:] = -np.inf
        for move in range(len(steps)):
            _take(best, came[t], before[move + 1 : move + 1 + states], steps[move], move + 1 - reach)
        best += log[t]
    found = np.empty(frames, np.int64)
    found[-1] = np.argmax(best)
    for t in range(frames - 1, 0, -1):
        found[t - 1] = found[t] + came[t, found[t]]
    return found
