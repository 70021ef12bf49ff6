"""Every synthesizer is a pure function of (seed, index) and obeys its own fields; drums sound at their known pitch."""

import hashlib
import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from pydantic import ValidationError

from tympan.acoustics import upstream
from tympan.data.synthesizers import Synthesizer

NAMES = Synthesizer.names()
LONG = {"skin_response": {"duration": 20.0, "sample_rate": 4000, "listeners_per_song": 2}}  # a signal takes time


def make(name, **fields):
    return Synthesizer.find(name)(**{"size": 7, "duration": 0.05, "seed": 3, **LONG.get(name, {}), **fields})


def plain(values):
    return {name: np.asarray(value).tolist() for name, value in values.items()}


def digest(example):
    text = json.dumps([example.values, example.id, example.groups], sort_keys=True, default=np.ndarray.tolist)
    return hashlib.sha256(text.encode() + example.waveform.tobytes()).hexdigest()


def digests(name):
    source = make(name)
    return [digest(source[i]) for i in range(len(source))]


def level(x, rate):
    """Magnitudes of a zero-padded spectrum, and its frequencies (Hz)."""
    n = 1 << (16 * len(x)).bit_length()
    return np.abs(np.fft.rfft(x * np.hanning(len(x)), n)), np.fft.rfftfreq(n, 1 / rate)


def lowest_peak(x, rate):
    power, hz = level(x, rate)
    peaks = (power[1:-1] > power[:-2]) & (power[1:-1] >= power[2:]) & (power[1:-1] > 0.1 * power.max())
    return hz[1 + np.argmax(peaks)]


@pytest.fixture(scope="module")
def elsewhere():
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return dict(zip(NAMES, pool.map(digests, NAMES), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_example_is_pure_in_seed_and_index(name, elsewhere):
    source = make(name)
    backwards = [digest(source[i]) for i in reversed(range(7))][::-1]
    assert digests(name) == backwards == elsewhere[name]
    if source.values(1):
        assert plain(make(name, seed=4)[1].values) != plain(source[1].values)


@pytest.mark.parametrize("name", NAMES)
def test_more_examples_change_none(name):
    assert digest(make(name, size=100)[5]) == digest(make(name)[5])


@pytest.mark.parametrize("name", NAMES)
def test_example_is_what_it_declares(name):
    source = make(name, duration="777 samples")
    for i in range(len(source)):
        example = source[i]
        assert example.waveform.shape == (1, 777) and example.waveform.dtype == np.float32
        assert np.isfinite(example.waveform).all() and 0.01 < np.abs(example.waveform).max() <= 1
        assert plain(source.values(i)) == plain(example.values)
        assert source.describe(i).id == example.id and source.describe(i).groups == example.groups
        assert set(source.units) <= set(example.values) and source.group in example.groups
    with pytest.raises(IndexError):
        source[7]


@pytest.mark.parametrize("name", NAMES)
def test_parameters_stay_in_their_declared_ranges(name):
    source = make(name, size=60)
    drawn = [source.values(i) for i in range(60)]
    ranges = {n: getattr(source, n) for n in type(source).model_fields if n in drawn[0] and not n.startswith("strike")}
    for field, declared in ranges.items():
        low, high = declared if isinstance(declared, tuple) else (declared, declared)
        values = [d[field] for d in drawn]
        assert all(low <= v <= high for v in values)
        assert low == high or max(values) - min(values) > (high - low) / 3


@pytest.mark.parametrize("name", NAMES)
def test_configuration_survives_json(name):
    source = make(name)
    assert Synthesizer.model_validate(json.loads(source.model_dump_json())) == source


CENTRES = {"circular_membrane": (0.0, 0.0), "rectangular_membrane": (0.5, 0.5), "triangular_membrane": (0.0, 0.0)}


@pytest.mark.parametrize("name", CENTRES)
def test_strikes_of_a_drum_share_it_and_the_first_is_in_the_centre(name):
    source = make(name, size=10)
    shape = [v for v in source.values(0) if not v.startswith("strike")]
    drums = [[source.values(i)[v] for v in shape] for i in range(10)]
    assert drums[:5] == [drums[0]] * 5 and drums[5:] == [drums[5]] * 5 and drums[0] != drums[5]
    strikes = [tuple(v for k, v in source.values(i).items() if k.startswith("strike")) for i in range(10)]
    assert strikes[0] == strikes[5] == CENTRES[name] and len(set(strikes)) == 9
    assert [source.groups(i)["drum"] for i in (0, 4, 5, 9)] == ["0", "0", "1", "1"]


@pytest.mark.parametrize("diameter", [0.1, 0.3, 1.0, 2.0])
def test_circular_drum_sounds_at_its_pitch(diameter):
    source = make("circular_membrane", diameter=diameter, duration=0.5)
    truth = 2.404825557695773 * 100 / (np.pi * diameter)
    assert source.values(0)["f0"] == pytest.approx(truth)
    assert lowest_peak(source[0].waveform[0], 48000) == pytest.approx(truth, rel=0.005)


@pytest.mark.parametrize(("side", "aspect"), [(0.2, 1.0), (0.5, 2.0), (1.5, 3.0)])
def test_rectangular_drum_sounds_at_its_pitch(side, aspect):
    source = make("rectangular_membrane", mean_side=side, aspect_ratio=aspect, duration=0.5)
    values = source.values(0)
    assert values["width"] * values["height"] == pytest.approx(side**2)
    assert values["width"] / values["height"] == pytest.approx(aspect)
    truth = 50 * np.sqrt(1 / values["width"] ** 2 + 1 / values["height"] ** 2)
    assert values["f0"] == pytest.approx(truth)
    assert lowest_peak(source[0].waveform[0], 48000) == pytest.approx(truth, rel=0.005)


@pytest.mark.parametrize("side", [0.2, 0.6, 1.5])
def test_triangular_drum_sounds_at_its_pitch(side):
    source = make("triangular_membrane", side=side, duration=0.5)
    truth = 2 * 100 / (np.sqrt(3) * side)
    assert source.values(0)["f0"] == pytest.approx(truth)
    assert lowest_peak(source[0].waveform[0], 48000) == pytest.approx(truth, rel=0.005)


def test_a_triangular_drum_is_struck_all_over_its_area_and_heard_inside():
    source = make("triangular_membrane", size=2000, strikes_per_drum=2, listening_u=(0.0, 1.0), listening_v=(0.0, 1.0))
    values = [source.values(i) for i in range(1, 2000, 2)]
    for what in ("strike", "listening"):
        x, y = np.array([(v[f"{what}_x"], v[f"{what}_y"]) for v in values]).T
        height = y / (np.sqrt(3) / 2) + 1 / 3
        assert height.min() >= 0 and np.all(np.abs(x) <= (1 - height) / 2)
        assert np.mean([x, y], 1) == pytest.approx([0, 0], abs=0.03)
        assert np.mean(height < 1 - np.sqrt(0.5)) == pytest.approx(0.5, abs=0.05)  # half of the area is below


@pytest.mark.parametrize(("length", "tension", "density"), [(0.65, 70.0, 4e-4), (1.0, 100.0, 0.01)])
def test_string_sounds_at_its_pitch(length, tension, density):
    source = make("string", length=length, tension=tension, density=density, strike_x=0.21, duration=0.5)
    truth = np.sqrt(tension / density) / (2 * length)
    assert source.values(0)["f0"] == pytest.approx(truth)
    assert lowest_peak(source[0].waveform[0], 48000) == pytest.approx(truth, rel=0.005)


def test_a_string_struck_in_a_node_lacks_that_mode():
    source = make("string", length=1.0, tension=100.0, density=0.01, strike_x=1 / 3, duration=1.0)
    power, hz = level(source[0].waveform[0], 48000)
    second, third = (power[np.abs(hz - f) < 5].max() for f in (100, 150))  # the fundamental is 50 Hz
    assert third < 1e-3 * second


@pytest.mark.parametrize(
    ("name", "fields", "places"),
    [
        ("circular_membrane", {"listening_r": (0.2, 0.6)}, ["listening_r"]),
        (
            "rectangular_membrane",
            {"listening_x": (0.1, 0.4), "listening_y": (0.6, 0.9)},
            ["listening_x", "listening_y"],
        ),
        ("string", {"listening_x": (0.05, 0.2)}, ["listening_x"]),
    ],
)
def test_where_it_is_heard_may_be_drawn_and_is_a_label(name, fields, places):
    source, usual = make(name, size=60, **fields), make(name, size=60)
    for place in places:
        drawn = [source.values(i)[place] for i in range(60)]
        assert len(set(drawn)) == (60 if name == "string" else 12)
        assert all(fields[place][0] <= value < fields[place][1] for value in drawn)
        assert {usual.values(i)[place] for i in range(60)} == {getattr(usual, place)}
        assert source.units[place] == "1"


UPSTREAM = {
    "circular_membrane": ("diameter", np.pi),
    "rectangular_membrane": ("mean_side", 2),
    "triangular_membrane": ("side", 1.5),
}


@pytest.mark.parametrize("name", UPSTREAM)
def test_by_the_convention_of_kac_drumset_the_same_drums_sound_higher(name):
    size, factor = UPSTREAM[name]
    source, physical = make(name, convention="upstream", duration=0.5), make(name, duration=0.5)
    for i in (0, 1, 5):
        theirs, ours = source.values(i), physical.values(i)
        assert theirs[size] == ours[size]
        assert theirs["f0"] == pytest.approx(factor * ours["f0"])
        assert not any(label.startswith("listening") for label in theirs) and set(source.units) <= set(theirs)
    assert lowest_peak(source[0].waveform[0], 48000) == pytest.approx(source.values(0)["f0"], rel=0.005)


@pytest.mark.parametrize("name", UPSTREAM)
@pytest.mark.parametrize("index", range(6))
def test_by_the_convention_of_kac_drumset_sounds_are_its_formulas(name, index):
    source = make(name, convention="upstream", duration=0.2)
    v, ten = source.values(index), 10
    if name == "circular_membrane":
        f = upstream.circle_frequencies(v["diameter"], 100.0, ten, ten)
        a = upstream.circle_amplitudes(v["strike_r"], v["strike_theta"], ten, ten)
    elif name == "rectangular_membrane":
        f = upstream.rectangle_frequencies(v["mean_side"], v["aspect_ratio"], 100.0, ten, ten)
        root = np.sqrt(v["aspect_ratio"])
        a = upstream.rectangle_amplitudes(v["strike_x"] * root, v["strike_y"] / root, v["aspect_ratio"], ten, ten)
    else:
        f = upstream.triangle_frequencies(v["side"], 100.0, ten, ten)
        a = upstream.triangle_amplitudes(v["strike_u"], v["strike_v"], v["strike_w"], ten, ten)
    truth = upstream.waveform(f, a, 2.0, 9600, 48000)
    error = source[index].waveform[0] - truth
    assert 10 * np.log10((truth**2).sum() / (error**2).sum()) > 120


@pytest.mark.parametrize(
    ("name", "convention"),
    [("circular_membrane", "physical"), ("circular_membrane", "upstream"), ("triangular_membrane", "physical")],
)
def test_closed_form_inverse_finds_the_size(name, convention):
    source = make(name, size=30, duration=0.25, convention=convention)
    size = UPSTREAM[name][0]
    for i in range(30):
        example = source[i]
        (heard,) = source.references(example).values()
        for what in (size, "f0"):
            assert heard[what] == pytest.approx(example.values[what], rel=0.01)


def test_closed_form_inverse_finds_the_sides_of_a_rectangle():
    source = make("rectangular_membrane", size=10, duration=1.0, sample_rate=4000, seed=3)
    errors = []
    for i in range(10):
        example = source[i]
        (heard,) = source.references(example).values()
        assert heard["width"] * heard["height"] == pytest.approx(heard["mean_side"] ** 2)
        errors.append([heard[what] / example.values[what] - 1 for what in ("mean_side", "aspect_ratio", "f0")])
    assert np.median(np.abs(errors)) < 1e-4 and np.mean(np.abs(errors) < 0.01) >= 0.9


def test_closed_form_inverse_of_a_rectangle_of_one_shape_needs_its_pitch_alone():
    source = make("rectangular_membrane", size=10, duration=0.25, aspect_ratio=2.0)
    for i in range(10):
        example = source[i]
        (heard,) = source.references(example).values()
        assert heard["aspect_ratio"] == 2.0 and heard["width"] == pytest.approx(example.values["width"], rel=0.01)


@pytest.mark.parametrize("name", ["circular_membrane", "triangular_membrane", "rectangular_membrane"])
def test_closed_form_inverse_of_silence_is_unknown(name):
    source = make(name, duration=0.1)
    silent = replace(source[0], waveform=np.zeros_like(source[0].waveform))
    (heard,) = source.references(silent).values()
    assert all(np.isnan(value) for value in heard.values())


@pytest.mark.parametrize("shape", ["saw", "sine", "square", "triangle"])
def test_tone_has_its_pitch_and_no_aliases(shape):
    source = make("tone", waveshape=shape, f0=1234.5, duration=0.5)
    x = source[0].waveform[0]
    assert np.abs(x).max() == pytest.approx(0.95)
    power, hz = level(x, 48000)
    assert hz[np.argmax(power)] == pytest.approx(1234.5, abs=1)
    off = np.abs(hz / 1234.5 - np.round(hz / 1234.5)) * 1234.5 > 40  # between the harmonics
    assert power[off].max() < 1e-4 * power.max()
    assert (power[hz > 3000].max() > 1e-3 * power.max()) == (shape != "sine")


@pytest.mark.parametrize("curve", ["quadratic", "linear", "logarithmic"])
def test_sweep_rises_from_start_to_half_the_rate(curve):
    x = make("sweep", curve=curve, duration=1.0, sample_rate=8000)[0].waveform[0]
    t = np.arange(0.1, 0.95, 0.1)
    rises = {
        "linear": 20 + 3980 * t,
        "quadratic": 20 + 3980 * t**2,
        "logarithmic": 20 * 200**t,
    }[curve]
    for time, truth in zip(t, rises, strict=True):
        if truth > 100:
            middle = round(time * 8000)
            power, hz = level(x[middle - 200 : middle + 200], 8000)
            assert hz[np.argmax(power)] == pytest.approx(truth, rel=0.05, abs=10)


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("circular_membrane", {"diameter": (0.001, 1.0)}, "not below half the sample rate"),
        ("circular_membrane", {"diameter": (2.0, 1.0)}, "in order"),
        ("circular_membrane", {"tension": 0.0}, "above 0"),
        ("circular_membrane", {"strike_r": (0.0, 1.5)}, "within 0 and 1"),
        ("circular_membrane", {"high_decay_time": 3.0}, "cannot ring longer"),
        ("rectangular_membrane", {"aspect_ratio": 1e6}, "not below half the sample rate"),
        ("rectangular_membrane", {"modes": (0, 3)}, "greater than 0"),
        ("circular_membrane", {"listening_r": 1.0}, "nothing moves at the edge"),
        ("rectangular_membrane", {"listening_x": 0.0}, "nothing moves at the edge"),
        ("string", {"strike_x": 1.0}, "nothing moves at the edge"),
        ("string", {"high_decay_time": 3.0}, "cannot ring longer"),
        ("string", {"length": 1e-3}, "not below half the sample rate"),
        ("triangular_membrane", {"side": 1e-3}, "not below half the sample rate"),
        ("circular_membrane", {"convention": "upstream", "listening_r": 0.3}, "upstream has no listening_r"),
        ("triangular_membrane", {"convention": "upstream", "strike_width": 0.1}, "upstream has no strike_width"),
        ("tone", {"f0": 24000.0}, "half the sample rate"),
        ("sweep", {"start": 24000.0}, "half the sample rate"),
    ],
)
def test_impossible_sounds_are_refused(name, fields, message):
    with pytest.raises(ValidationError, match=message):
        make(name, **fields)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in LONG])
def test_by_default_there_are_10_examples_of_1_s_at_48_khz_in_mono(name):
    source = Synthesizer.find(name)()
    assert (len(source), source.sample_rate, source.audio.frames, source.padding) == (10, 48000, 48000, "left")
    assert source[9].waveform.shape == (1, 48000)


def test_a_tone_is_labelled_with_its_pitch_fixed_or_drawn():
    assert {make("tone", f0=440.0).values(i)["f0"] for i in range(7)} == {440.0}
    drawn = [make("tone", f0=(200.0, 300.0)).values(i)["f0"] for i in range(7)]
    assert len(set(drawn)) == 7 and all(200 <= f0 < 300 for f0 in drawn)


def test_a_sweep_begins_at_20_hz_by_default():
    assert make("sweep").start == 20.0


ACTS_IN = {"aspect_ratio": {"family": "rectangle"}, "corners": {"family": "convex"}}
"""Where a field of the finite differences matters."""


def other(field, value):
    """Another value that a field may have."""
    words = [w for w in get_args(field.annotation) if isinstance(w, str)]
    if isinstance(value, str):
        return next(w for w in words if w != value)
    if isinstance(value, tuple) and isinstance(value[0], tuple):  # a range for each of two kinds
        return tuple(other(field, one) for one in value)
    if isinstance(value, tuple):
        low, high = value
        return (4, 3) if isinstance(low, int) else (low + 0.3 * (high - low), high - 0.3 * (high - low))
    return 0.3 if value is None else 0.05 if value == 0 else 0.6 * value


@pytest.mark.parametrize("name", NAMES)
def test_every_field_of_its_own_acts(name):
    kind = Synthesizer.find(name)
    drum = {"strikes_per_drum": 2} if "strikes_per_drum" in kind.model_fields else {}
    heard = {}
    for field, info in kind.model_fields.items():
        if field in Synthesizer.model_fields:
            continue
        usual = make(name, **drum, **(ACTS_IN.get(field, {}) if "family" in kind.model_fields else {}))
        if usual not in heard:
            heard[usual] = [digest(usual[i]) for i in range(7)]
        value = getattr(usual, field)
        changed = usual.model_copy(update={field: 3 if isinstance(value, int) else other(info, value)})
        assert [digest(changed[i]) for i in range(7)] != heard[usual], field
