"""Chladni figures: nodal lines are where a mode is known to rest, outside there is nothing, and a picture is drawn."""

from pathlib import Path

import numpy as np
import pytest

from tympan.acoustics.chladni import figure, pattern
from tympan.acoustics.finite_element import modes
from tympan.acoustics.shapes import Circle, Rectangle

PLATE = Rectangle(2.0, 1.0)


def closed(points):
    return np.sin(2 * np.pi * (points[:, 0] / 2 + 0.5)) * np.sin(np.pi * (points[:, 1] + 0.5))


def elements(points):
    return modes(PLATE, 2).at(points)[:, 1]


@pytest.mark.parametrize("mode", [closed, elements])
def test_the_second_mode_of_a_rectangle_rests_in_the_middle(mode):
    x, y, values = pattern(PLATE, mode, 40)
    assert values.shape == (len(y), len(x)) == (20, 40)
    assert (x[0], x[-1], y[0], y[-1]) == pytest.approx((-0.975, 0.975, -0.475, 0.475))
    assert values == pytest.approx(-values[:, ::-1], abs=1e-2)
    assert (np.abs(values[:, 10]) > 3 * np.abs(values[:, 19])).all()


def test_outside_there_is_nothing():
    x, y, values = pattern(Circle(1.0), lambda points: np.ones(len(points)), 50)
    assert (np.isnan(values) == (np.hypot(x, y[:, None]) >= 0.5)).all()


def test_a_figure_has_a_panel_for_each_mode(tmp_path: Path):
    panels = [("second", PLATE, closed), ("lowest", PLATE, lambda points: np.abs(closed(points)) + 0.1)]
    picture = figure(panels, columns=5, points=40)
    assert [axes.get_title() for axes in picture.axes] == ["second", "lowest"]
    picture.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 1000
