"""What the metrics of signals over time say of signals whose answer is known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from tympan.objectives import Metric
from tympan.objectives.metrics.scr_f1 import _pairs

RATE = 4.0  # Hz
timed = [name for name in Metric.names() if Metric.find(name).timed]


def figure(choice, prediction, truth, rate=RATE) -> float:
    """What a metric says of one recording."""
    metric = Metric.model_validate(choice)
    return metric.score(np.array([metric.row(np.asarray(prediction, float)[None], np.asarray(truth, float), rate)]))


def smooth(seconds: float, seed: int = 0, rate: float = RATE) -> np.ndarray:
    """Noise that changes slowly."""
    noise = np.random.default_rng(seed).normal(size=round(seconds * rate))
    return lfilter([1], [1, -0.8], noise)


def skin_response(peaks: list[float], seconds: float = 60.0, rate: float = RATE) -> np.ndarray:
    """A bump around each time."""
    t = np.arange(round(seconds * rate)) / rate
    return 5 + sum(np.exp(-(((t - peak) / 0.8) ** 2)) for peak in peaks)


@pytest.mark.parametrize("name", timed)
def test_unknown_frames_on_the_left_change_nothing_whatever_is_predicted_there(name):
    prediction, truth = smooth(50, 0), smooth(50, 1)
    padded = np.concatenate([np.full(37, 1e9), prediction]), np.concatenate([np.full(37, np.nan), truth])
    assert figure(name, *padded) == pytest.approx(figure(name, prediction, truth), rel=1e-6)
    padded[0][:37] = np.nan
    assert math.isfinite(figure(name, *padded))


@pytest.mark.parametrize("name", timed)
def test_a_broken_prediction_has_no_figure(name):
    for broken in (np.nan, np.inf):
        prediction = smooth(50)
        prediction[7] = broken
        assert math.isnan(figure(name, prediction, smooth(50, 1)))


def test_stretches_between_gaps_are_warped_by_themselves():
    a, b, c, d = (smooth(10, seed) for seed in range(4))
    gap = np.full(5, np.nan)
    prediction, truth = np.concatenate([a, gap, b]), np.concatenate([c, gap, d])
    parts = [(a, c), (b, d)]
    assert figure("dtw", prediction, truth) == pytest.approx(sum(figure("dtw", *part) for part in parts))
    assert figure("frechet", prediction, truth) == max(figure("frechet", *part) for part in parts)


def test_dtw_takes_its_band_in_seconds_and_a_late_copy_within_it_costs_only_its_ends():
    truth = np.zeros(200)
    truth[80:90] = 1
    late = np.roll(truth, 12)  # 3 s
    assert figure("dtw", late, truth) == 0
    assert figure({"type": "dtw", "band": 3.0}, late, truth) == 0
    assert figure({"type": "dtw", "band": 2.0}, late, truth) > 0
    assert figure({"type": "dtw", "band": 0.0}, late, truth) == np.abs(late - truth).sum()
    assert figure({"type": "dtw", "band": 3.0}, late, truth, rate=2.0) > 0


def test_normalised_dtw_does_not_grow_with_the_length():
    short, long = (figure({"type": "dtw", "normalize": True}, np.ones(n), np.zeros(n)) for n in (10, 1000))
    assert short == long == 1


def test_frechet_is_the_largest_difference_that_no_warping_avoids():
    truth = smooth(30)
    truth[60] = truth.max() + 7
    prediction = np.delete(truth, 60)
    prediction = np.append(prediction, prediction[-1])
    assert figure("frechet", prediction, truth) == pytest.approx(truth.max() - prediction.max())


@pytest.mark.parametrize("law", [lambda x: 3 * x + 2, lambda x: -x, lambda x: lfilter([1, 0.5], [1], x)])
def test_coherence_is_one_for_a_linear_law_and_small_for_noise(law):
    truth = smooth(400)
    assert figure("coherence", law(truth), truth) > 0.98
    unrelated = [figure("coherence", smooth(400, seed), smooth(400, seed + 100)) for seed in range(20)]
    assert np.mean(unrelated) < 0.1
    few = [figure("coherence", smooth(40, seed), smooth(40, seed + 100)) for seed in range(50)]
    assert np.mean(few) == pytest.approx(0.3, abs=0.07)


def test_coherence_looks_between_its_lower_edge_and_half_a_hertz():
    t = np.arange(1600) / 8
    rng = np.random.default_rng(0)

    def shares(frequency: float) -> float:
        common = np.sin(2 * np.pi * frequency * t)
        return figure("coherence", *(common + rng.normal(size=len(t)) for _ in range(2)), rate=8.0)

    assert shares(0.25) > shares(1.5) + 0.05
    assert shares(0.25) > shares(0.015) + 0.05


def test_coherence_is_undefined_for_short_or_constant_signals():
    assert math.isnan(figure("coherence", smooth(15.5), smooth(15.5, 1)))
    assert math.isfinite(figure("coherence", smooth(16), smooth(16, 1)))
    assert math.isnan(figure("coherence", np.ones(200), smooth(50)))
    assert math.isnan(figure("coherence", smooth(50), np.ones(200)))


@pytest.mark.parametrize("shift", [-32, -5, 0, 1, 32])
def test_the_lag_is_how_much_a_copy_is_shifted(shift):
    signal = smooth(120)
    truth, prediction = signal[100:300], signal[100 - shift : 300 - shift]
    assert figure("lag", 2 * prediction + 1, truth) == abs(shift) / RATE
    assert figure({"type": "lag", "limit": 0.25}, prediction, truth) <= 0.25


def test_the_lag_of_what_never_varies_is_undefined_and_of_equals_the_smallest():
    assert math.isnan(figure("lag", np.ones(100), smooth(25)))
    assert math.isnan(figure("lag", smooth(25), np.ones(100)))
    periodic = np.tile([0.0, 1, 0, -1], 30)
    assert figure("lag", periodic, periodic) == 0
    assert Metric.find("lag")().unit("µS") == "s"


HIGH = {"type": "scr_f1", "amplitude": 0.2}  # above what the filter leaves after a response


def test_responses_are_matched_within_two_seconds_and_one_to_one():
    truth = skin_response([10, 20, 30, 40])
    for predicted, expected in (
        ([10, 20, 30, 40], 1.0),
        ([11, 21.5, 28.5, 40], 1.0),
        ([10, 20, 30], 6 / 7),
        ([10, 20, 30, 40, 50], 8 / 9),
        ([13, 23, 33, 43], 0.0),
        ([10, 20, 30, 37], 6 / 8),
    ):
        assert figure(HIGH, skin_response(predicted), truth) == pytest.approx(expected), predicted
    assert figure({**HIGH, "tolerance": 3.5}, skin_response([13, 23, 33, 43]), truth) == 1


def test_responses_must_be_as_high_as_those_of_the_truth():
    truth = skin_response([10, 20, 30, 40])
    assert figure("scr_f1", 5 + 0.05 * (truth - 5), truth) == 0
    assert figure(HIGH, 5 + 0.5 * (truth - 5), truth) == 1
    assert math.isnan(figure("scr_f1", truth, np.full(240, 5.0)))
    assert figure("scr_f1", np.full(240, 5.0), truth) == 0


times = st.lists(st.integers(0, 60), max_size=9, unique=True).map(lambda x: np.array(sorted(x), float) / 2)


@settings(max_examples=200, deadline=None)
@given(times, times, st.sampled_from([0.0, 0.5, 2.0, 5.0]))
def test_no_matching_finds_more_pairs(a, b, tolerance):
    near = np.abs(a[:, None] - b) <= tolerance
    most = (maximum_bipartite_matching(csr_matrix(near)) >= 0).sum() if near.size else 0
    assert _pairs(a, b, tolerance) == most == _pairs(b, a, tolerance)
