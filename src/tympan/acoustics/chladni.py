"""Chladni figures: where a mode of a membrane stays at rest, as an array and as a picture.

E. F. F. Chladni, Entdeckungen über die Theorie des Klanges, 1787: sand gathers on these lines.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from scipy.ndimage import maximum_filter

from .shapes import Points, Shape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Mode = Callable[[Points], Float[np.ndarray, "points"]]
"""The shape of one mode at points (m), such as `lambda points: drum.at(points)[:, 3]`."""

_REST = 1e-3  # of the largest magnitude


def pattern(
    shape: Shape, mode: Mode, points: int = 240
) -> tuple[Float[np.ndarray, "columns"], Float[np.ndarray, "rows"], Float[np.ndarray, "rows columns"]]:
    """A mode on a grid with `points` along the longer side: x and y (m), and the mode, NaN outside of the membrane."""
    left, bottom, right, top = shape.bounds
    step = max(right - left, top - bottom) / points
    x, y = (
        low + step * (np.arange(np.ceil((high - low) / step)) + 0.5) for low, high in ((left, right), (bottom, top))
    )
    grid = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    inside = shape.contains(grid)
    values = np.full(len(grid), np.nan)
    values[inside] = mode(grid[inside])
    return x, y, values.reshape(len(y), len(x))


def figure(panels: Sequence[tuple[str, Shape, Mode]], columns: int = 4, points: int = 240) -> "Figure":
    """A picture of modes, each with its title: nodal lines in black, what moves up in red and down in blue.

    `figure([("second mode", shape, mode)], 1).savefig("mode.png")` writes one.
    """
    from matplotlib.figure import Figure

    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    picture = Figure(figsize=(2.2 * columns, 2.3 * rows), dpi=100, layout="constrained")
    all_axes = picture.subplots(rows, columns, squeeze=False).ravel()
    for axes in all_axes:
        axes.set_axis_off()
    for axes, (title, shape, mode) in zip(all_axes, panels, strict=False):
        x, y, values = pattern(shape, mode, points)
        values /= np.nanmax(np.abs(values))
        axes.contourf(x, y, values, np.linspace(-1, 1, 18), cmap="RdBu_r", vmin=-1.6, vmax=1.6)
        if np.nanmin(values) < 0 < np.nanmax(values):
            # Where all around as good as rests, deep in a needle or about a centre, signs are noise and no lines.
            around = maximum_filter(np.nan_to_num(np.abs(values)), points // 20 + 1)
            axes.contour(x, y, np.where(around < _REST, np.nan, values), [0.0], colors="black", linewidths=1.2)
        outline = shape.outline()
        axes.plot(*np.concatenate([outline, outline[:1]]).T, color="black", linewidth=1.6)
        axes.set(title=title, aspect="equal")
    return picture
