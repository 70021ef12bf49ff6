"""Holes written into features by a compiled loop: a row of one is so short that to begin it takes longer than it.

Importing this imports numba, so import it where it is used.
"""

from typing import Any, no_type_check

from ...kernel import kernel


@kernel()
@no_type_check
def hide(cells: Any, fill: Any, chosen: Any, lowest: Any, above: Any, first: Any, end: Any) -> None:
    """Write `fill`, one number for each clip, into the holes of the clips that are chosen.

    Args:
        cells: `(batch, planes, channels, frames)`.
        chosen: `(batch,)` of bool.
        lowest: with the three that follow of `_masks.Holes`.
    """
    for clip in range(len(cells)):
        if not chosen[clip]:
            continue
        value = fill[clip]
        for hole in range(lowest.shape[1]):
            # A compiled loop would write beyond the cells.
            left, right = max(int(first[clip, hole]), 0), min(int(end[clip, hole]), cells.shape[3])
            below, top = max(int(lowest[clip, hole]), 0), min(int(above[clip, hole]), cells.shape[2])
            for plane in range(cells.shape[1]):
                for channel in range(below, top):
                    for frame in range(left, right):
                        cells[clip, plane, channel, frame] = value
