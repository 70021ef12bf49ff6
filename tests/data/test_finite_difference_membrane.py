"""Simulated drums of any shape sound at the pitch of their labels, and their labels are true."""

import numpy as np
import pytest
import shapely
from pydantic import ValidationError

from tympan.acoustics.shapes import Polygon
from tympan.data.synthesizers.finite_difference_membrane import FiniteDifferenceMembrane

FAMILIES = ["circle", "ellipse", "rectangle", "convex", "star", "travelling_salesman"]
POLYGONS = FAMILIES[3:]


def make(family="circle", **fields):
    return FiniteDifferenceMembrane(**{"family": family, "size": 15, "duration": 0.5, "seed": 2, **fields})


def outline(values):
    """The drum with an area of one, as what shapely knows."""
    if "vertices" in values:
        return shapely.Polygon(values["vertices"])
    width = values.get("width", values.get("diameter")) / values["mean_side"]
    height = values.get("height", values.get("diameter")) / values["mean_side"]
    if "aspect_ratio" in values and width * height == pytest.approx(1):
        return shapely.box(-width / 2, -height / 2, width / 2, height / 2)
    angle = np.linspace(0, 2 * np.pi, 2000)
    return shapely.Polygon(np.stack([width / 2 * np.cos(angle), height / 2 * np.sin(angle)], 1))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_lowest_peak_is_the_pitch_of_the_label(family):
    source = make(family, mean_side=(0.1, 0.5))
    for i in (0, 5, 10):
        x, f0 = source[i].waveform[0], source.values(i)["f0"]
        power = np.abs(np.fft.rfft(x * np.hanning(len(x)), 16 * len(x)))
        hz = np.fft.rfftfreq(16 * len(x), 1 / source.sample_rate)
        near = np.abs(hz / f0 - 1) < 0.05
        assert hz[near][np.argmax(power[near])] == pytest.approx(f0, rel=0.003)
        assert power[near].max() > 3 * power[hz < 0.95 * f0].max(), "nothing sounds below"


@pytest.mark.parametrize("mean_side", [0.05, 3.0])
def test_small_and_large_drums_sound_at_their_pitch(mean_side):
    x = make(mean_side=mean_side, duration=1.0, strike_width=0.3 * mean_side)[0].waveform[0]
    truth = 2.404825557695773 * 100 / (2 * np.sqrt(np.pi) * mean_side)
    heard = np.argmax(np.abs(np.fft.rfft(x * np.hanning(len(x)), 8 * len(x)))) / 8
    assert heard == pytest.approx(truth, rel=0.005)


@pytest.mark.parametrize("family", FAMILIES)
def test_labels_are_in_one_system_of_coordinates(family):
    source = make(family, size=40, strikes_per_drum=10, corners=(4, 8))
    for i in range(40):
        values = source.values(i)
        drum = outline(values)
        assert drum.area == pytest.approx(1, rel=1e-4)
        assert np.array(drum.centroid.coords)[0] == pytest.approx([0, 0], abs=1e-9)
        places = [(values[f"{what}_x"], values[f"{what}_y"]) for what in ("strike", "listening")]
        assert all(drum.contains(shapely.Point(place)) for place in places)
        assert drum.exterior.distance(shapely.Point(places[0])) > 0.01
        if family in POLYGONS:
            assert 4 <= len(values["vertices"]) <= 8 and drum.exterior.is_ccw
            if i % 10 == 0:
                assert places[0] == pytest.approx(Polygon(values["vertices"]).centre, abs=0.01)
    assert set(source.units) <= set(values)


def test_strikes_are_uniform_over_the_area():
    source = make(size=1000, strikes_per_drum=1000)
    strikes = np.array([(v["strike_x"], v["strike_y"]) for v in map(source.values, range(1, 1000))])
    r = np.hypot(*strikes.T) * np.sqrt(np.pi)
    assert np.mean(r < np.sqrt(0.5)) == pytest.approx(0.5, abs=0.05) and r.max() > 0.9
    assert np.abs(strikes.mean(0)).max() < 0.04


def test_mirrored_strikes_do_not_sound_alike():
    source = make("rectangle", strike_width=0.05, mean_side=0.3, aspect_ratio=1.5)
    values = {**source.values(1), "strike_x": 0.2, "strike_y": 0.1}
    sounds = [source.sound(source.generator(0), {**values, "strike_x": x}) for x in (0.2, -0.2)]
    assert np.abs(sounds[0] - sounds[1]).max() > 0.1


def test_needles_are_drawn_anew():
    source = make("convex", corners=3, resolution=40)
    drums = [shapely.Polygon(source.drum(source.generator(i))["vertices"]) for i in range(60)]
    thin = [2 * shapely.maximum_inscribed_circle(drum, 1e-3).length * 40 for drum in drums]
    assert 15.9 < min(thin) < 25


def test_polygons_that_no_such_grid_resolves_are_refused():
    with pytest.raises(
        ValueError, match="none of 100 polygons is 16 points of the grid wide anywhere; raise it above 16"
    ):
        make("convex", corners=3, resolution=16).values(0)  # no triangle is so wide


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"family": "square"}, "family"),
        ({"corners": 2}, "3 corners or more"),
        ({"corners": (8, 4)}, "in order"),
        ({"family": "ellipse", "aspect_ratio": 50.0}, "raise resolution to 114"),
        ({"resolution": 5}, "greater than or equal to 16"),
        ({"mean_side": 0.0005}, "not below half the sample rate"),
    ],
)
def test_what_cannot_be_simulated_is_refused(fields, message):
    with pytest.raises(ValidationError, match=message):
        make(**fields)
