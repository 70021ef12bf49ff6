"""Draw Chladni figures of drums of several shapes: `python docs/chladni.py` writes docs/chladni.png."""

from pathlib import Path

import numpy as np

from tympan.acoustics.chladni import Mode, figure
from tympan.acoustics.draws import convex_polygon, isospectral_pair, star, travelling_salesman, unit_triangle
from tympan.acoustics.finite_element import modes
from tympan.acoustics.shapes import Circle, Ellipse, Rectangle, Shape

NUMBER = 16  # of the mode drawn of each shape, the lowest being 1


def main() -> None:
    """The same mode of every kind of shape; the last two sound the same."""
    one, other = isospectral_pair()
    shapes = {
        "circle": Circle(1.0),
        "ellipse": Ellipse(1.2, 0.8),
        "rectangle": Rectangle(1.2, 0.8),
        "triangle": unit_triangle(),
        "obtuse triangle": unit_triangle(0.4, 2.0),
        "convex": convex_polygon(np.random.default_rng(2), 7),
        "star": star(np.random.default_rng(5), 10),
        "round trip": travelling_salesman(np.random.default_rng(4), 12),
        "isospectral": one,
        "isospectral too": other,
    }
    figure([panel(*named) for named in shapes.items()], columns=5).savefig(Path(__file__).with_suffix(".png"))


def panel(name: str, shape: Shape) -> tuple[str, Shape, Mode]:
    """A shape scaled to an area of 1 m², its name and pitch at 100 m/s, and its mode."""
    drum = modes(shape.normalised(), NUMBER)
    hertz = 100 * drum.wave_numbers[-1] / (2 * np.pi)
    return f"{name}, {hertz:.1f} Hz", drum.shape, lambda points: drum.at(points)[:, -1]


if __name__ == "__main__":
    main()
