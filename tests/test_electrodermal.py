"""What is done to skin conductance agrees with neurokit2 where that works, and works at 4 Hz where it does not."""

import json
import re
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tympan.component import AssumptionWarning
from tympan.electrodermal import (
    Processing,
    Responses,
    check,
    highpass,
    lowpass,
    read,
    responses,
    tonic_phasic,
    zscore,
)

SIGNALS = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 300), st.floats(0, 1), st.sampled_from([4.0, 50.0]))


@pytest.fixture(scope="module")
def nk() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own imports are deprecated ones
        import neurokit2
    return neurokit2


def simulated(nk: ModuleType, rate: int, noise: float = 0.0) -> np.ndarray:
    return nk.eda_simulate(
        duration=120, sampling_rate=rate, scr_number=8, noise=noise, drift=0.01, random_state=3, random_state_distort=4
    )


def drawn(case: tuple[int, int, float, float]) -> tuple[np.ndarray, float]:
    """A wandering signal with gaps, and its rate."""
    seed, frames, gaps, rate = case
    rng = np.random.default_rng(seed)
    x = 5 + np.cumsum(rng.normal(size=frames)) / rate
    x[rng.uniform(size=frames) < gaps**3] = np.nan
    return x, rate


@pytest.mark.parametrize("rate", [10, 50, 100])
def test_the_low_pass_is_that_of_neurokit(nk: ModuleType, rate: int) -> None:
    x = simulated(nk, rate, noise=0.02)
    np.testing.assert_allclose(lowpass(x, float(rate), 3.0), nk.eda_clean(x, sampling_rate=rate), rtol=1e-12)


@pytest.mark.parametrize("rate", [4, 10, 50])
def test_the_parts_are_those_of_neurokit_and_their_sum_is_the_signal(nk: ModuleType, rate: int) -> None:
    x = simulated(nk, rate)
    theirs, (tonic, phasic) = nk.eda_phasic(x, sampling_rate=rate, method="highpass"), tonic_phasic(x, float(rate))
    np.testing.assert_allclose(phasic, theirs["EDA_Phasic"], atol=1e-12)
    np.testing.assert_allclose(tonic + phasic, x, rtol=1e-14)
    inner = slice(20 * rate, -20 * rate)  # at the ends, the sum of theirs is not the signal
    np.testing.assert_allclose(tonic[inner], theirs["EDA_Tonic"][inner], atol=5e-4)


@pytest.mark.parametrize("rate", [4, 10, 50])
def test_the_responses_are_those_of_neurokit(nk: ModuleType, rate: int) -> None:
    phasic = tonic_phasic(simulated(nk, rate), float(rate))[1]
    theirs, ours = nk.eda_peaks(phasic, sampling_rate=rate)[1], responses(phasic, float(rate), 0.1, relative=True)
    assert len(ours.peak) == 8
    np.testing.assert_allclose(ours.onset * rate, theirs["SCR_Onsets"])
    np.testing.assert_allclose(ours.peak * rate, theirs["SCR_Peaks"])
    np.testing.assert_allclose(ours.amplitude, theirs["SCR_Amplitude"])


@pytest.mark.parametrize("rate", [4, 50])
def test_the_z_score_is_that_of_neurokit_but_for_one_degree_of_freedom(nk: ModuleType, rate: int) -> None:
    x = simulated(nk, rate)
    np.testing.assert_allclose(zscore(x), nk.standardize(x) * np.sqrt(len(x) / (len(x) - 1)), atol=1e-12)


def test_at_4_hz_responses_are_found_where_they_are_at_50_hz(nk: ModuleType) -> None:
    def found(rate: int) -> Responses:
        return responses(tonic_phasic(simulated(nk, rate), float(rate))[1], float(rate), 0.1)

    slow, fast = found(4), found(50)
    np.testing.assert_allclose(slow.peak, fast.peak, atol=0.25)
    np.testing.assert_allclose(slow.amplitude, fast.amplitude, rtol=0.05)


def test_a_cutoff_that_the_rate_does_not_allow_is_lowered_and_told_of() -> None:
    x = np.random.default_rng(0).normal(size=200)
    message = r"a lowpass of 8 Hz is not below the Nyquist rate of a signal at 4 Hz \(2 Hz\) and was set to 1\.5 Hz"
    with pytest.warns(AssumptionWarning, match=message):
        y = lowpass(x, 4.0)
    np.testing.assert_array_equal(y, lowpass(x, 4.0, 1.5))
    with pytest.warns(AssumptionWarning, match=r"a highpass of 0\.05 Hz .* set to 0\.0375 Hz"):
        highpass(x, 0.1)


@settings(max_examples=50, deadline=None)
@given(SIGNALS)
def test_filters_keep_gaps_and_only_those(case: tuple[int, int, float, float]) -> None:
    x, rate = drawn(case)
    for y in (
        lowpass(x, rate, 1.0),
        highpass(x, rate),
        *tonic_phasic(x, rate),
        zscore(x) if (~np.isnan(x)).sum() != 1 else x,
    ):
        np.testing.assert_array_equal(np.isnan(y), np.isnan(x))


@settings(max_examples=50, deadline=None)
@given(SIGNALS)
def test_the_parts_add_up(case: tuple[int, int, float, float]) -> None:
    x, rate = drawn(case)
    tonic, phasic = tonic_phasic(x, rate)
    np.testing.assert_allclose(tonic + phasic, x, rtol=1e-13, atol=1e-13)


@settings(max_examples=50, deadline=None)
@given(SIGNALS)
def test_a_z_score_has_mean_0_and_deviation_1(case: tuple[int, int, float, float]) -> None:
    x, _ = drawn(case)
    if (~np.isnan(x)).sum() > 1:
        z = zscore(x)
        assert np.nanmean(z) == pytest.approx(0, abs=1e-9)
        assert np.nanstd(z) == pytest.approx(1)
        np.testing.assert_allclose(zscore(x, (2.0, 4.0)), (x - 2) / 4)


def test_filters_pass_what_they_should_without_delay() -> None:
    t = np.arange(0, 300, 0.25)
    slow, fast = 3 + 0.01 * t, np.sin(2 * np.pi * 0.3 * t)
    np.testing.assert_allclose(highpass(slow + fast, 4.0)[150:-150], fast[150:-150], atol=2e-3)
    np.testing.assert_allclose(lowpass(slow + fast, 4.0, 0.05)[150:-150], slow[150:-150], atol=2e-3)


def test_a_signal_that_does_not_vary_becomes_0_and_is_told_of() -> None:
    with pytest.warns(AssumptionWarning, match="does not vary"):
        np.testing.assert_array_equal(zscore(np.array([3.0, np.nan, 3.0])), [0, np.nan, 0])


def test_a_response_counts_from_the_least_amplitude_on_and_needs_its_onset() -> None:
    t = np.arange(0, 60, 0.25)
    x = sum(a * np.exp(-(((t - at) / 2) ** 2)) for at, a in ((0.5, 1.0), (15, 0.5), (30, 0.009), (45, 0.2)))
    x = np.where(abs(t - 52) < 1, np.nan, x)
    found = responses(x, 4.0)
    np.testing.assert_allclose(found.peak, [15, 45])  # the first begins before the recording, the third is too small
    np.testing.assert_allclose(found.amplitude, [0.5, 0.2], atol=2e-3)
    assert (found.onset < found.peak).all()
    assert not len(responses(np.full(9, np.nan), 4.0).peak)


GOOD = 2 + 0.5 * np.sin(np.arange(400) / 20)


def changed(**at: Any) -> np.ndarray:
    x = GOOD.copy()
    for place, value in at.items():
        begin, end = (int(n) for n in place.strip("_").split("_"))
        x[begin:end] = value
    return x


@pytest.mark.parametrize(
    ("x", "share", "problems"),
    [
        (GOOD, 1, ()),
        (changed(_0_40=np.nan), 0.9, ("gaps: 10 s of 100 s",)),
        (changed(_0_40=2.0), 0.9, (r"no change for more than 5 s \(electrode off\): 10 s",)),
        (changed(_0_20=2.0), 1, ()),
        (changed(_100_101=0), 1 - 41 / 400, (r"zero \(electrode off\): 0\.25 s",)),
        (changed(_100_101=0.04), 1 - 41 / 400, (r"below 0\.05 µS: 0\.25 s",)),
        (changed(_100_101=70), 1 - 43 / 400, ("above 60 µS", r"steeper than 10 µS/s: 0\.75 s")),
        (changed(_0_4=np.inf), 0.99, ("gaps: 1 s",)),
        (GOOD * 1e3, 0, ("a level of .* is too high for µS; it looks like nS", "above", "steeper")),
        (1e6 / GOOD, 0, (".* it looks like ohm", "above", "steeper")),
        (GOOD / 1e6, 0, (".* it looks like S: multiply by 1,000,000", "below")),
        (GOOD - 2.2, 0.015, (r"\d\d% of the values are negative, as in a normalised signal", r"below 0\.05")),
        (np.full(400, np.nan), 0, ("gaps: 100 s",)),
        (np.ones(1), 0, ("1 frame: too short",)),
        (np.empty(0), 0, ("0 frames: too short",)),
    ],
)
def test_what_cannot_be_skin_conductance_is_named(x: np.ndarray, share: float, problems: tuple[str, ...]) -> None:
    verdict = check(x, 4.0)
    for found, expected in zip(verdict.problems, problems, strict=True):
        assert re.match(expected, found)
    assert verdict.valid_share == pytest.approx(share)
    assert len(verdict.valid) == len(x)


def test_normalised_signals_may_have_any_level_but_no_other_unit_is_taken() -> None:
    assert check(100 * (GOOD - 2), 4.0, "z").problems == ()
    assert check(changed(_0_40=2.0) - 2, 4.0, "").valid_share == 0.9
    with pytest.raises(ValueError, match="'nS' cannot be checked; convert it to µS"):
        check(GOOD, 4.0, "nS")


def test_the_words_of_the_mission_switch_the_filters() -> None:
    assert (Processing().normalize, Processing().lowpass, Processing().highpass) == ("recording", 8.0, None)
    switched = Processing.model_validate({"lowpass": False, "highpass": True})
    assert (switched.lowpass, switched.highpass) == (None, 0.05)
    assert Processing.model_validate({"lowpass": True}) == Processing.model_validate(json.loads('{"lowpass": 8}'))
    assert Processing.model_validate_json(switched.model_dump_json()) == switched
    kinds = TypeAdapter(Processing).json_schema()["properties"]["highpass"]["anyOf"]
    assert {kind["type"] for kind in kinds} == {"boolean", "number", "null"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"hop": 1.0}, "set `window` too"),
        ({"part": "tonic", "highpass": True}, "leaves nothing of the tonic part"),
        ({"lowpass": 0.04, "highpass": 0.05}, "nothing lies above"),
        ({"lowpass": 0}, "greater than 0"),
        ({"lowpass": -1.0}, "greater than 0"),
        ({"window": float("inf"), "hop": 1.0}, "finite"),
        ({"valid_share": 1.1}, "less than or equal to 1"),
    ],
)
def test_what_cannot_be_done_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Processing.model_validate(fields)


@pytest.mark.parametrize("part", ["whole", "tonic", "phasic"])
@pytest.mark.parametrize("normalize", ["recording", "listener", "none"])
def test_the_steps_follow_one_another(nk: ModuleType, part: Any, normalize: Any) -> None:
    x = simulated(nk, 50, noise=0.02)
    processing = Processing(normalize=normalize, part=part)
    wanted = lowpass(x, 50.0)
    wanted = wanted if part == "whole" else tonic_phasic(wanted, 50.0)[part == "phasic"]
    level = (float(wanted.mean()) + 1, 3.0)
    wanted = {"none": wanted, "recording": zscore(wanted), "listener": zscore(wanted, level)}[normalize]
    found = processing.apply(x, 50.0, "eda", level if normalize == "listener" else None, "µS")
    assert list(found) == list(processing.names("eda")) == ["eda"] == list(processing.units("µS"))
    np.testing.assert_allclose(found["eda"], wanted)
    assert processing.rate(50.0) == 50.0
    assert processing.unit("µS") == ("µS" if normalize == "none" else "z")


def test_a_listener_has_one_level_over_all_recordings() -> None:
    processing = Processing(normalize="listener", lowpass=1.0)
    both = [changed(_100_101=0), GOOD[:200] + 3]
    level = processing.level(iter(both), 4.0, "µS")
    z = np.concatenate([processing.apply(x, 4.0, level=level, unit="µS")["eda"] for x in both])
    assert np.nanmean(z) == pytest.approx(0, abs=1e-9)
    assert np.nanstd(z) == pytest.approx(1)
    assert processing.level([np.full(9, np.nan)], 4.0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="needs the mean and deviation"):
        processing.apply(GOOD, 4.0)


def test_what_cannot_be_skin_conductance_is_unknown_afterwards() -> None:
    x = changed(_100_101=0, _200_240=2.0)
    y = Processing(lowpass=1.0, normalize="none").apply(x, 4.0, unit="µS")["eda"]
    np.testing.assert_array_equal(np.isnan(y), ~check(x, 4.0).valid)


def test_windows_tell_mean_deviation_slope_and_responses() -> None:
    t = np.arange(0, 120, 0.25)
    x = 3 + 0.01 * t + 0.5 * np.exp(-(((t - 60) / 2) ** 2))
    processing = Processing(normalize="none", lowpass=None, window=10.0, hop=2.0)
    found = processing.apply(x, 4.0, unit="µS")
    assert list(found) == list(processing.names()) == ["eda_mean", "eda_std", "eda_slope", "eda_responses"]
    assert list(processing.units("µS").values()) == ["µS", "µS", "µS/s", ""]
    assert processing.rate(4.0) == 0.5
    assert {len(v) for v in found.values()} == {60}
    middle = np.arange(60) * 2.0
    quiet = (abs(middle - 60) > 12) & (middle > 5) & (middle < 115)
    np.testing.assert_allclose(found["eda_slope"][quiet], 0.01, atol=1e-3)
    np.testing.assert_allclose(found["eda_mean"][quiet], 3 + 0.01 * (middle[quiet] - 0.125), atol=1e-3)
    np.testing.assert_array_equal(found["eda_responses"][abs(middle - 60) < 5], 1)
    assert np.argmax(found["eda_std"]) in np.flatnonzero(abs(middle - 60) <= 4)
    gap = processing.apply(np.where(abs(t - 60) < 8, np.nan, x), 4.0, unit="µS")
    for values in gap.values():
        np.testing.assert_array_equal(np.isnan(values), abs(middle - 60) < 8)
    with pytest.raises(ValueError, match="holds less than two frames"):
        Processing(lowpass=None, window=0.3).apply(x, 4.0)


@settings(max_examples=20, deadline=None)
@given(SIGNALS)
def test_whatever_is_recorded_is_processed_to_what_was_promised(case: tuple[int, int, float, float]) -> None:
    x, rate = drawn(case)
    for processing in (Processing(lowpass=1.0), Processing(lowpass=1.0, window=4.0, hop=0.5)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AssumptionWarning)  # a single frame does not vary
            found = processing.apply(x, rate)
        assert tuple(found) == processing.names()
        assert {len(v) for v in found.values()} == {int(np.ceil(len(x) / rate * processing.rate(rate) - 1e-6))}
        assert not any(np.isinf(v).any() for v in found.values())


def test_real_listeners_are_read_and_those_without_a_signal_are_named(shared_data: Path) -> None:
    folder = shared_data / "hku956" / "1. physiological_signals"
    if not folder.is_dir():
        pytest.skip("HKU956 is not here: set TYMPAN_TEST_DATA to the folder that holds hku956")
    verdicts = {}
    for listener in ("hku1903", "hku1913", "hku1914"):
        for path in (folder / listener / "EDA").glob("*.csv"):
            x = read(path.read_bytes(), path.name, header=False)["0"]
            assert len(x) == len(path.read_text().splitlines())
            verdicts[listener, path.name] = check(x, 4.0)
    assert all(v.problems == () for (listener, _), v in verdicts.items() if listener == "hku1903")
    low = [v for (listener, _), v in verdicts.items() if listener == "hku1913"]
    assert {p.split(":")[0] for v in low for p in v.problems} == {"below 0.05 µS"}
    assert np.mean([v.valid_share < 0.8 for v in low]) > 0.7
    assert any(any("zero" in p for p in v.problems) for (listener, _), v in verdicts.items() if listener == "hku1914")
