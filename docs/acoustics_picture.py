"""Draw the pictures of docs/acoustics.md: `python docs/acoustics_picture.py` writes docs/modes.png."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tympan.acoustics import modes, strike, upstream
from tympan.acoustics.draws import unit_triangle
from tympan.acoustics.shapes import Circle, Polygon, Rectangle, Shape

RATE, SPEED, DIAMETER = 48000, 100.0, 0.3


def drawn(axes: Axes, title: str, shape: Shape, values: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
    """A mode's shape: where it is up, down, and at rest."""
    x0, y0, x1, y1 = (1.02 * edge for edge in shape.bounds)
    x, y = np.meshgrid(np.linspace(x0, x1, 160), np.linspace(y0, y1, 160))
    inside = shape.contains(np.column_stack([x.ravel(), y.ravel()])).reshape(x.shape)
    height = np.where(inside, values(x, y), np.nan)
    axes.pcolormesh(x, y, height, cmap="RdBu_r", vmin=-2.2, vmax=2.2, rasterized=True)
    axes.contour(x, y, height, [0.0], colors="k", linewidths=0.8)
    axes.plot(*np.vstack([shape.outline(200), shape.outline(200)[:1]]).T, color="0.4", linewidth=1)
    axes.set(title=title, aspect="equal", xticks=[], yticks=[])
    axes.title.set_fontsize(9)
    axes.set_axis_off()


def spectrum(axes: Axes, y: np.ndarray, label: str, colour: str) -> None:
    """Level of a waveform over frequency."""
    power = np.abs(np.fft.rfft(y * np.hanning(len(y))))
    axes.plot(np.fft.rfftfreq(len(y), 1 / RATE), 20 * np.log10(power / power.max() + 1e-9), color=colour, label=label)


def main() -> None:
    """Six modes, and one drum by two conventions."""
    figure = Figure(figsize=(9, 4.6), dpi=110, layout="constrained")
    grid = figure.add_gridspec(2, 6, height_ratios=[1, 1.25])
    row = [figure.add_subplot(grid[0, column]) for column in range(6)]
    circles: list[tuple[int, int, modes.Edge]] = [(0, 2, "fixed"), (2, 1, "fixed"), (2, 1, "free")]
    for axes, (n, m, edge) in zip(row[:3], circles, strict=True):

        def circle(x: np.ndarray, y: np.ndarray, n: int = n, m: int = m, edge: modes.Edge = edge) -> np.ndarray:
            return modes.circle_shapes(np.hypot(x, y), np.arctan2(y, x), 5, 5, edge)[0][..., n, m - 1]

        drawn(axes, f"circle ({n}, {m}), {edge}", Circle(2.0), circle)

    def rectangle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return modes.rectangle_shapes(x / 1.5 + 0.5, y + 0.5)[..., 2, 1]

    drawn(row[3], "rectangle (3, 2)", Rectangle(1.5, 1.0), rectangle)
    side = Polygon(unit_triangle().vertices / np.ptp(unit_triangle().vertices[:, 0]))
    for axes, (m, n) in zip(row[4:], ((1, 2), (2, 1)), strict=True):

        def triangle(x: np.ndarray, y: np.ndarray, m: int = m, n: int = n) -> np.ndarray:
            return modes.triangle_shapes(x, y)[..., m - 1, n - 1]

        drawn(axes, f"triangle ({m}, {n})", side, triangle)

    axes = figure.add_subplot(grid[1, :])
    f = modes.circle_frequencies(DIAMETER, SPEED)
    struck, heard = modes.circle_shapes(0.3, 1.0)[0], modes.circle_shapes(0.5, 0.0)[0]
    a, rates = strike.amplitudes(f, struck, heard, SPEED), strike.decay_rates(f, 2.0)
    spectrum(axes, strike.waveform(f.ravel(), a.ravel(), rates.ravel(), RATE, RATE), "physical", "#31688e")
    theirs = upstream.circle_frequencies(DIAMETER, SPEED), upstream.circle_amplitudes(0.3, 1.0)
    spectrum(axes, upstream.waveform(*theirs, 2.0, RATE, RATE), "upstream", "#d95f02")
    axes.set(xlim=(0, 2500), ylim=(-65, 14), xlabel="frequency (Hz)", ylabel="level (dB)")
    axes.set_title("a round drum of 0.3 m, 2000 N/m, 0.2 kg/m², struck at 0.3 radii", fontsize=9)
    axes.legend(frameon=False, loc="upper right", ncols=2)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(Path(__file__).with_name("modes.png"))


if __name__ == "__main__":
    main()
