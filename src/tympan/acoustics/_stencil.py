"""The inner loop of finite differences: one time step of a whole grid, many points at once.

The rows of a grid lie one after the other in flat arrays, so that a step is one loop over a few slices, which the
compiler vectorises; points outside are multiplied by 0. Importing this imports numba, so import it where it is used.
Kernels are compiled at the first call and kept on disk. They release the interpreter: several grids run on threads.
"""

from typing import Any, no_type_check

from ..kernel import kernel

_kernel = kernel({"contract", "nsz"})  # differences of neighbours are exact as written: sums may not be reordered


@_kernel
@no_type_check
def _step(new: Any, moved: Any, old: Any, above: Any, below: Any, gain: Any, edge: Any, loss: Any, lead: Any) -> None:
    """One time step. `old` begins one point before the others, and ends one after."""
    for j in range(len(moved)):
        here, before = old[j + 1], moved[j]
        bent = ((old[j] - here) + (old[j + 2] - here)) + ((above[j] - here) + (below[j] - here)) - edge[j] * here
        now = before + (gain[j] * bent - loss * before)
        moved[j] = now
        new[j] = here + (now + lead * (now - before))


@_kernel
@no_type_check
def advance(
    ahead: Any,
    moved: Any,
    gain: Any,
    edge: Any,
    parted: Any,
    loss: Any,
    lead: Any,
    columns: int,
    points: Any,
    weights: Any,
    heard: Any,
) -> Any:
    """Write what is heard and take a step, `len(heard)` times.

    Args:
        ahead: displacement + lead x moved, flat; `columns` to a row; used up.
        moved: displacement less that of the step before, flat; changed in place.
        gain: how much of the bend at a point goes into its movement; 0 outside.
        edge: additional stiffness at the edge.
        parted: pairs of neighbours of which the second does not act on the first.
        loss: the part of the movement that is lost in a step.
        lead: viscous losses: how many steps ahead the bend is taken.
        points: where it is heard, as places in the flat arrays, with their weights.
        heard: filled with the displacement there before each step.

    Returns:
        `ahead` after the last step.
    """
    other, end = ahead.copy(), len(ahead) - columns
    for step in range(len(heard)):
        total = 0 * loss
        for k in range(len(points)):
            total += weights[k] * (ahead[points[k]] - lead * moved[points[k]])
        heard[step] = total
        _step(
            other[columns:end],
            moved[columns:end],
            ahead[columns - 1 : end + 1],
            ahead[: end - columns],
            ahead[2 * columns :],
            gain[columns:end],
            edge[columns:end],
            loss,
            lead,
        )
        for k in range(len(parted)):
            point, neighbour = parted[k]
            lost = gain[point] * ahead[neighbour]
            moved[point] -= lost
            other[point] -= lost + lead * lost
        ahead, other = other, ahead
    return ahead
