"""What every metric promises, and each against scikit-learn or numpy over all frames at once."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn import metrics as oracle

from tympan.objectives import Metric
from tympan.objectives.resample import figure

RATE = 4.0  # Hz, of signals over time
every = pytest.mark.parametrize(
    ("name", "space"), [(n, s) for n in Metric.names() for s in sorted(Metric.find(n).spaces)]
)


def recordings(metric: Metric, space: str, n: int = 12, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Predictions `(values, frames)` and truths `(frames,)` of recordings of several lengths."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(n):
        frames = 1 if metric.once_per_clip else int(rng.integers(*((160, 240) if metric.timed else (8, 20))))
        if space == "shape":
            said, truth = rng.uniform(0.3, 0.8, (2, 16))
            made.append((said[None], truth))
        elif space == "real":
            made.append((rng.normal(5, 1, (1, frames)), rng.normal(5, 1, frames)))
        else:
            values = 1 if space == "binary" else 3
            p = rng.random((values, frames))
            truth = np.roll(np.arange(frames) + i, 1) % max(values, 2)
            made.append((p if values == 1 else p / p.sum(0), truth.astype(float)))
    return made


def perfect(prediction: np.ndarray, truth: np.ndarray, space: str) -> np.ndarray:
    if space == "class":
        return (np.arange(len(prediction))[:, None] == truth).astype(float)
    return truth[None]


def score(metric: Metric, pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
    return metric.score(np.array([row(metric, p, t) for p, t in pairs]))


def row(metric: Metric, prediction: np.ndarray, truth: np.ndarray) -> tuple[float, ...]:
    return metric.row(prediction, truth, *([RATE] if metric.timed else []))


@every
def test_best_at_perfection(name, space):
    metric = Metric.find(name)()
    pairs = recordings(metric, space)
    ideal = score(metric, [(perfect(p, t, space), t) for p, t in pairs])
    worse = score(metric, pairs)
    assert ideal > worse if metric.higher_is_better else ideal < worse


@every
def test_rows_have_one_length_and_order_does_not_matter(name, space):
    metric = Metric.find(name)()
    pairs = recordings(metric, space)
    assert len({len(row(metric, p, t)) for p, t in pairs}) == 1
    assert score(metric, pairs) == pytest.approx(score(metric, pairs[::-1]), rel=1e-9)


@every
@pytest.mark.parametrize("broken", [False, True])
def test_many_draws_at_once_are_each_what_it_says_of_the_rows_drawn(name, space, broken):
    metric, pairs = Metric.find(name)(), recordings(Metric.find(name)(), space)
    rows = np.array([row(metric, p.round(1), t) for p, t in pairs])  # with ties
    if broken:
        rows[3] = row(metric, np.full_like(pairs[3][0], np.nan), pairs[3][1])
    counts = np.random.default_rng(1).multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=40)
    counts = np.concatenate([counts, np.eye(len(rows), dtype=counts.dtype)])  # of one recording alone as well
    one_by_one = [figure(metric, rows.repeat(count, axis=0)) for count in counts]
    np.testing.assert_allclose(metric.drawn(rows, counts), one_by_one, atol=1e-9)


@every
def test_one_constant_value_is_defined_or_nan_and_never_fails(name, space):
    metric = Metric.find(name)()
    p, t = recordings(metric, space)[0]
    one = [(p[:, :1], t[:1])]
    for pairs in (one, one * 3):
        assert isinstance(score(metric, pairs), float)


@every
def test_survives_json_and_names_a_unit(name, space):
    metric = Metric.find(name)()
    assert Metric.model_validate_json(metric.model_dump_json()) == metric
    assert metric.unit("") in ("", "s", "%", "cents")


def test_units():
    units = {name: Metric.find(name)().unit("m") for name in ("mse", "rmse", "mae", "r2", "pearson", "ccc")}
    assert units == {"mse": "m²", "rmse": "m", "mae": "m", "r2": "", "pearson": "", "ccc": ""}
    assert Metric.find("mse")().unit("m/s") == "(m/s)²"


@pytest.mark.parametrize("offset", [0.0, -3.0, 1e7])
def test_pooled_figures_equal_numpy_over_all_frames_even_far_from_zero(offset):
    rng = np.random.default_rng(1)
    pairs = []
    for _ in range(20):
        frames, level = int(rng.integers(1, 50)), rng.normal()
        t = offset + level + 0.3 * rng.normal(size=frames)
        pairs.append((t[None] + 0.2 * rng.normal(size=frames), t))
    p, t = np.concatenate([p[0] for p, _ in pairs]), np.concatenate([t for _, t in pairs])
    exact = {
        "mse": np.mean((p - t) ** 2),
        "rmse": np.sqrt(np.mean((p - t) ** 2)),
        "mae": np.mean(np.abs(p - t)),
        "r2": oracle.r2_score(t - offset, p - offset),
        "pearson": np.corrcoef(p - offset, t - offset)[0, 1],
        "ccc": 2 * np.cov(p, t, ddof=0)[0, 1] / (p.var() + t.var() + (p.mean() - t.mean()) ** 2),
    }
    for name, value in exact.items():
        assert score(Metric.find(name)(), pairs) == pytest.approx(value, rel=1e-6), name


def test_relative_error_and_rank_correlation_equal_scikit_learn_and_scipy():
    rng = np.random.default_rng(3)
    t, p = rng.integers(1, 6, 40).astype(float), rng.normal(3, 1, 40).round(1)
    pairs = [(p[i : i + 1, None], t[i : i + 1]) for i in range(40)]
    assert score(Metric.find("mape")(), pairs) == pytest.approx(100 * oracle.mean_absolute_percentage_error(t, p))
    assert score(Metric.find("spearman")(), pairs) == pytest.approx(spearmanr(t, p)[0])
    assert score(Metric.find("mape")(), [(p[None], np.append(t[:-1], 0.0))]) == pytest.approx(
        100 * oracle.mean_absolute_percentage_error(t[:-1], p[:-1])
    )


@pytest.mark.parametrize("constant", [0.1, 1e9 + 0.1])
def test_what_never_varies_has_no_correlation(constant):
    rng = np.random.default_rng(2)
    flat = [(np.full((1, n), constant), rng.normal(size=n)) for n in (3, 7, 11)]
    assert math.isnan(score(Metric.find("pearson")(), flat))
    assert score(Metric.find("ccc")(), flat) == 0
    assert math.isnan(score(Metric.find("ccc")(), [(t[None], p[0]) for p, t in flat]))
    assert math.isnan(score(Metric.find("r2")(), [(t[None], p[0]) for p, t in flat]))


def test_an_outline_is_judged_in_the_pose_that_fits_best():
    ((said, truth),) = recordings(Metric.find("overlap")(), "shape", 1)
    figures = {
        name: [row(Metric.find(name)(), p, truth)[0] for p in (said, said[:, ::-1], np.roll(said, 5, 1))]
        for name in ("overlap", "radial_error")
    }
    for same in figures.values():
        assert same == pytest.approx([same[0]] * 3)
    every = [np.roll(x, k) for x in (said[0], said[0, ::-1]) for k in range(16)]
    assert figures["overlap"][0] == pytest.approx(
        max((np.minimum(p, truth) ** 2).sum() / (np.maximum(p, truth) ** 2).sum() for p in every)
    )
    disc = np.full(16, 1 / np.sqrt(np.pi))
    assert Metric.find("radial_error")().row(1.1 * disc[None], disc) == pytest.approx((10 / np.sqrt(np.pi), 1.0))


few = settings(max_examples=60, deadline=None)
ties = st.integers(0, 5).map(lambda i: i / 5)


@few
@given(st.lists(st.tuples(ties, st.booleans()), min_size=1, max_size=25))
def test_ranking_of_labels_equals_scikit_learn_with_ties(pairs):
    p, t = np.array(pairs, np.float64).T
    rows = np.stack([p, t], 1)
    area, precision = Metric.find("auroc")().score(rows), Metric.find("average_precision")().score(rows)
    if len(set(t)) == 2:
        assert area == pytest.approx(oracle.roc_auc_score(t, p), abs=1e-12)
    else:
        assert math.isnan(area)
    if t.any():
        assert precision == pytest.approx(oracle.average_precision_score(t, p), abs=1e-12)
    else:
        assert math.isnan(precision)


@few
@given(st.lists(st.tuples(ties, ties, ties, st.integers(0, 2)), min_size=1, max_size=25))
def test_ranking_of_classes_is_the_mean_over_defined_classes(table):
    rows = np.array(table, np.float64)
    defined = [c for c in range(3) if 0 < (rows[:, 3] == c).sum() < len(rows)]
    areas = [oracle.roc_auc_score(rows[:, 3] == c, rows[:, c]) for c in defined]
    area = Metric.find("auroc")().score(rows)
    assert area == pytest.approx(np.mean(areas)) if areas else math.isnan(area)
    there = [oracle.average_precision_score(rows[:, 3] == c, rows[:, c]) for c in range(3) if (rows[:, 3] == c).any()]
    assert Metric.find("average_precision")().score(rows) == pytest.approx(np.mean(there))


@few
@given(st.lists(st.lists(st.tuples(ties, ties, st.integers(0, 1)), min_size=1, max_size=9), min_size=1, max_size=5))
def test_answers_equal_scikit_learn_over_all_frames(clips):
    arrays = [np.array(clip, np.float64).T for clip in clips]
    t = np.concatenate([a[2] for a in arrays])
    for values in (1, 2):
        pairs = [(a[:values], a[2]) for a in arrays]
        p = np.concatenate([a[:values] for a in arrays], 1)
        answer = p[0] >= 0.5 if values == 1 else p.argmax(0)
        assert score(Metric.find("accuracy")(), pairs) == pytest.approx(oracle.accuracy_score(t, answer))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-learn warns of answers that are no truth
            expected = oracle.balanced_accuracy_score(t, answer)
        assert score(Metric.find("unweighted_average_recall")(), pairs) == pytest.approx(expected)


@every
def test_a_broken_prediction_is_no_ordinary_answer(name, space):
    if name not in BROKEN_IS_UNDEFINED:
        pytest.skip("whether a prediction that is NaN means something is up to this metric")
    metric = Metric.find(name)()
    pairs = recordings(metric, space)
    pairs[3][0][:, 0] = np.nan
    assert math.isnan(score(metric, pairs))


BROKEN_IS_UNDEFINED = (
    *("mse", "rmse", "mae", "r2", "pearson", "ccc", "dtw", "frechet", "scr_f1"),
    *("accuracy", "unweighted_average_recall", "auroc", "average_precision"),
    *("overlap", "radial_error"),
)
