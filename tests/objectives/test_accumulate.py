"""Rows come together whatever the batches, and intervals are as wide as groups make them."""

import math

import numpy as np
import pytest
from scipy.special import ndtr

from tympan.objectives import Metric
from tympan.objectives.accumulate import Accumulator, Score, scores

untimed = pytest.mark.parametrize("name", [n for n in Metric.names() if not Metric.find(n).timed])
Batch = tuple[dict[str, np.ndarray], dict[str, np.ndarray], list[str], list[str]]


def batch(metric: Metric, n: int = 40, groups: int = 10, seed: int = 0) -> Batch:
    """Predictions and truths of two outputs, with gaps."""
    rng = np.random.default_rng(seed)
    space = "real" if "real" in metric.spaces else "binary"
    frames = 1 if metric.once_per_clip or space == "binary" else 9
    draw = rng.normal if space == "real" else lambda size: rng.integers(0, 2, size).astype(float)
    truth = {name: np.asarray(draw(size=(n, 1, frames))) for name in ("a", "b")}
    truth["b"][rng.random((n, 1, frames)) < 0.3] = np.nan
    prediction = {name: rng.random((n, 1, frames)) for name in truth}
    return prediction, truth, [f"r{i}" for i in range(n)], [f"g{i % groups}" for i in range(n)]


def part(whole: Batch, at: slice) -> Batch:
    p, t, ids, groups = whole
    return {k: v[at] for k, v in p.items()}, {k: v[at] for k, v in t.items()}, ids[at], groups[at]


def label(truth: list[float], groups: list[str] | None = None, p: np.ndarray | None = None) -> Accumulator:
    """The AUROC of one label."""
    n = len(truth)
    made = Metric.find("auroc")().start(["x"])
    p = np.random.default_rng(0).random(n) if p is None else p
    made.update({"x": p[:, None, None]}, {"x": np.array(truth, float)[:, None, None]}, list(map(str, range(n))),
                groups or [str(i) for i in range(n)])  # fmt: skip
    return made


@untimed
def test_merging_equals_all_at_once(name):
    metric = Metric.find(name)()
    whole = batch(metric)
    at_once = metric.start(["a", "b"])
    at_once.update(*whole)
    first, second = metric.start(["a", "b"]), metric.start(["a", "b"])
    first.update(*part(whole, slice(0, 7)))
    first.update(*part(whole, slice(7, 15)))
    second.update(*part(whole, slice(15, 40)))
    first.merge(second)
    assert scores(first, 50) == scores(at_once, 50)
    assert first.compute() == at_once.compute()


@untimed
def test_only_what_is_known_counts(name):
    metric = Metric.find(name)()
    whole = batch(metric)
    whole[1]["a"][5] = np.nan
    clean, poisoned = metric.start(["a"]), metric.start(["a"])
    clean.update(*whole)
    whole[0]["a"][5] = np.nan
    poisoned.update(*whole)
    ids, groups, rows = poisoned.rows("a")
    assert len(ids) == len(groups) == len(rows) == 39
    assert "r5" not in ids
    assert poisoned.compute() == clean.compute()


def test_overall_is_the_mean_over_defined_outputs():
    metric = Metric.find("auroc")()
    whole = batch(metric)
    p, t, ids, groups = whole
    p["c"], t["c"] = p["a"], np.zeros_like(t["a"])
    made = metric.start(["a", "b", "c"])
    made.update(p, t, ids, groups)
    result = scores(made, 200)
    assert result["overall"].value == pytest.approx((result["a"].value + result["b"].value) / 2)
    assert result["overall"].note == "mean of 2 of 3 outputs"
    assert (result["overall"].n, result["overall"].groups) == (40, 10)
    assert result["overall"].low < result["overall"].value < result["overall"].high
    assert result["overall"].high - result["overall"].low < result["a"].high - result["a"].low
    assert result["c"] == Score(None, None, None, 40, 10, "no positives among 40", 0)
    assert "overall" not in scores(label([0, 1, 1]))


@pytest.mark.parametrize(
    ("truth", "expected"),
    [
        ([], Score(None, None, None, 0, 0, "nothing known")),
        ([math.nan] * 9, Score(None, None, None, 0, 0, "nothing known")),
        ([0] * 34, Score(None, None, None, 34, 34, "no positives among 34", 0)),
        ([1] * 34, Score(None, None, None, 34, 34, "no negatives among 34", 34)),
    ],
)
def test_the_undefined_is_said_and_never_fails(truth, expected):
    assert scores(label(truth)) == {"x": expected}


@pytest.mark.parametrize("name", ["pearson", "r2"])
def test_one_value_is_undefined_with_its_counts(name):
    made = Metric.find(name)().start(["x"])
    made.update({"x": np.ones((1, 1, 1))}, {"x": np.ones((1, 1, 1))}, ["r"], ["g"])
    assert scores(made)["x"] == Score(None, None, None, 1, 1, "undefined for 1 recordings in 1 groups")


def test_an_infinite_prediction_is_undefined():
    for name in ("mse", "pearson"):
        made = Metric.find(name)().start(["x"])
        made.update({"x": np.full((1, 1, 3), np.inf)}, {"x": np.ones((1, 1, 3))}, ["r"], ["g"])
        assert scores(made)["x"].value is None


def test_repeats_are_averaged_over_the_same_draws():
    rng = np.random.default_rng(0)
    one, two = (label([0, 1] * 20, p=rng.random(40)) for _ in range(2))
    both, first, second = (scores(r, 200)["x"] for r in ([one, two], one, [two]))
    assert both.value == pytest.approx((first.value + second.value) / 2)
    assert (both.n, both.groups, both.positives) == (40, 40, 20)
    assert both.high - both.low < max(first.high - first.low, second.high - second.low)
    assert scores([one, one], 200)["x"] == scores(one, 200)["x"]


def test_below_eight_groups_there_is_no_interval():
    few = scores(label([0, 1] * 20, [f"g{i % 7}" for i in range(40)]))["x"]
    assert (few.low, few.high, few.groups, few.n) == (None, None, 7, 40)
    assert few.note == "no interval: 7 groups, fewer than 8"
    enough = scores(label([0, 1] * 20, [f"g{i % 8}" for i in range(40)]))["x"]
    assert enough.low < enough.value < enough.high
    assert enough.positives == 20


def test_resamples_without_a_figure_are_left_out_and_said():
    result = scores(label([1] + [0] * 19), resamples=500)["x"]
    missing = int(result.note.split()[2])
    assert result.note == f"undefined in {missing} of 500 resamples, left out"
    assert missing / 500 == pytest.approx((1 - 1 / 20) ** 20, abs=0.08)
    assert scores(label([0, 1] * 20))["x"].note == ""


def test_the_seed_alone_decides():
    made = label([0, 1] * 20)
    assert scores(made, 100, seed=1) == scores(made, 100, seed=1) != scores(made, 100, seed=2)


def test_intervals_that_draw_groups_cover_the_truth_and_those_that_draw_recordings_do_not():
    rng = np.random.default_rng(3)
    patients, each, distance, runs = 30, 6, 1.0, 80
    truth = ndtr(distance / math.sqrt(2 * (1 + 0.3**2)))
    y = np.repeat(np.arange(patients) % 2, each).astype(float)
    patient = [f"p{i}" for i in np.repeat(np.arange(patients), each)]
    covered = np.zeros(2)
    for _ in range(runs):
        p = distance * y + np.repeat(rng.normal(size=patients), each) + 0.3 * rng.normal(size=len(y))
        for k, groups in enumerate((patient, None)):
            score = scores(label(y.tolist(), groups, p), resamples=120)["x"]
            covered[k] += score.low <= truth <= score.high
    by_group, by_recording = covered / runs
    assert 0.87 <= by_group <= 1
    assert by_recording < 0.75


def test_a_group_is_drawn_with_all_its_recordings():
    """By hand: rows of unequal groups, gathered one group after the other from the same draws."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 6, 12)
    groups = [f"g{g:02d}" for g, size in enumerate(sizes) for _ in range(size)]
    order = rng.permutation(len(groups))
    groups = [groups[i] for i in order]
    t, p = rng.normal(size=len(groups)), rng.normal(size=len(groups))
    made = Metric.find("mae")().start(["x"])
    made.update({"x": p[:, None, None]}, {"x": t[:, None, None]}, list(map(str, order)), groups)
    draws = np.random.default_rng(5)
    figures = []
    for _ in range(300):
        drawn = draws.integers(12, size=12)
        errors = [abs(p[i] - t[i]) for g in drawn for i in range(len(groups)) if groups[i] == f"g{g:02d}"]
        figures.append(np.mean(errors))
    result = scores(made, 300, seed=5)["x"]
    assert (result.low, result.high) == pytest.approx(tuple(np.percentile(figures, (2.5, 97.5))))
