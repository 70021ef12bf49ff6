"""How often each training recording is heard, where classes or speakers are to come alike."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ..data import Values
from ..objectives import PROBABLE
from .run import Run


def shares(run: Run, train: Sequence[int], values: Sequence[Values]) -> Float[np.ndarray, "examples"]:
    """Of each recording of the training part its share of an epoch, as `training.balance` says.

    Args:
        run: with its targets fitted.
        train: the training part.
        values: what is known of each recording of it.
    """
    by = run.training.balance
    groups = [str(i) if by == "label" else run.group_of(run.data.describe(i)) for i in train]
    return _shares([[0.0] * len(train)] if by == "group" else _classes(run, values), groups)


def _classes(run: Run, values: Sequence[Values]) -> list[list[float]]:
    """For each label the class of each recording, NaN where it is unknown."""
    targets = [o.target for o in run.outputs.values() if o.target.space in PROBABLE]
    rows = [[target.encode(v)[:, 0].tolist() for v in values] for target in targets]
    return [list(label) for own in rows for label in zip(*own, strict=True)]


def _shares(labels: Sequence[Sequence[float]], groups: Sequence[str]) -> Float[np.ndarray, "examples"]:
    """Equal sums for the classes of each label, within these for its groups, within these for recordings.

    A recording whose label is unknown has the share that all would have without balance.
    """
    n, total = len(groups), np.zeros(len(groups))
    for label in labels:
        places = list(zip(label, groups, strict=True))
        each = Counter(place for place in places if place[0] == place[0])
        inside = Counter(c for c, _ in each)  # groups of each class
        every = sum(each.values()) / n / max(len(inside), 1)
        total += [every / inside[c] / each[c, g] if c == c else 1 / n for c, g in places]
    return total / total.sum()
