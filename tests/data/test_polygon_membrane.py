"""Drums of random polygons: in tune with their finite elements, struck within, and labelled in one frame."""

import numpy as np
import pytest
from pydantic import ValidationError

from tympan.acoustics.finite_element import modes
from tympan.acoustics.shapes import Polygon
from tympan.data.synthesizers import polygon_membrane
from tympan.data.synthesizers.polygon_membrane import PolygonMembrane

FAMILIES = ["convex", "star", "travelling_salesman"]


def make(**fields):
    return PolygonMembrane.model_validate({"duration": 0.1, "seed": 5, "corners": 7, **fields})


def lowest_peak(x, rate):
    n = 1 << (16 * len(x)).bit_length()
    power, hz = np.abs(np.fft.rfft(x * np.hanning(len(x)), n)), np.fft.rfftfreq(n, 1 / rate)
    peaks = (power[1:-1] > power[:-2]) & (power[1:-1] >= power[2:]) & (power[1:-1] > 0.05 * power.max())
    return hz[1 + np.argmax(peaks)]


@pytest.mark.parametrize("family", FAMILIES)
def test_it_sounds_at_the_lowest_mode_of_its_shape(family):
    source = make(family=family, duration=0.5, mean_side=(0.2, 0.6))
    example = source[0]
    shape = Polygon(example.values["vertices"] * example.values["mean_side"])
    assert shape.area == pytest.approx(example.values["mean_side"] ** 2)
    truth = 100 * modes(shape, 40).wave_numbers[0] / (2 * np.pi)
    assert example.values["f0"] == pytest.approx(truth, rel=1e-6)
    assert lowest_peak(example.waveform[0], source.sample_rate) == pytest.approx(truth, rel=0.01)


@pytest.mark.parametrize("family", FAMILIES)
def test_strikes_and_listening_point_lie_within(family):
    source = make(family=family, size=15)
    values = [source.values(i) for i in range(15)]
    for i, drawn in enumerate(values):
        shape = Polygon(drawn["vertices"])
        assert np.abs(shape.centroid).max() < 1e-12 and shape.area == pytest.approx(1)
        assert (drawn["vertices"] == values[i - i % 5]["vertices"]).all()
        points = [[drawn[f"{name}_{axis}"] for axis in "xy"] for name in ("strike", "listening")]
        assert shape.contains(np.array(points)).all()
        if i % 5 == 0:
            assert points[0] == pytest.approx(shape.centre)
    assert len({drawn["strike_x"] for drawn in values}) == 15
    assert len({drawn["f0"] for drawn in values}) == 3


def test_corners_may_be_drawn_and_move_nothing_else():
    some, many = (
        make(size=30, corners=(3, 9), tension=(1000.0, 3000.0)),
        make(size=30, corners=30, tension=(1000.0, 3000.0)),
    )
    drawn = [some.values(i) for i in range(0, 30, 5)]
    assert len({len(values["vertices"]) for values in drawn}) > 3
    for i, values in zip(range(0, 30, 5), drawn, strict=True):
        for name in ("mean_side", "tension"):
            assert values[name] == many.values(i)[name]


def test_a_drum_that_cannot_sound_is_drawn_anew_or_refused(monkeypatch):
    usual = make(sample_rate=2000, mean_side=0.1, tension=2000.0, family="star", size=20)
    assert all(usual.values(i)["f0"] < 1000 for i in range(0, 20, 5))
    with pytest.raises(ValidationError, match="not below half the sample rate"):
        make(sample_rate=1000, mean_side=0.1)
    monkeypatch.setattr(polygon_membrane, "_DRAWS", 3)
    with pytest.raises(ValueError, match="none of 3 polygons"):
        make(sample_rate=1360, mean_side=0.1, corners=3)[0]


@pytest.mark.parametrize("corners", [2, (5, 4), (2, 6)])
def test_corners_are_at_least_three_in_order(corners):
    with pytest.raises(ValidationError, match="3 corners"):
        make(corners=corners)
