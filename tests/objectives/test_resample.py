"""Figures of signals: by recording, by listener, by corpus; and how sure they are when listeners and songs cross."""

import numpy as np
import pytest

from tympan.objectives import Metric
from tympan.objectives.accumulate import Accumulator, scores
from tympan.objectives.paired import differences, skills

Crossed = list[tuple[str, str]]


def crossed(listeners: int, songs: int, share: float, rng: np.random.Generator) -> Crossed:
    """Which listener heard which song."""
    pairs = [(f"l{a:02d}", f"s{b:02d}") for a in range(listeners) for b in range(songs)]
    return [pair for pair in pairs if rng.random() < share]


def of_errors(errors: np.ndarray, groups: Crossed, kinds: tuple[str, ...] = ("listener", "song")) -> Accumulator:
    """The MAE of recordings whose errors are known; each has two frames, and one of padding."""
    made = Metric.find("mae")().start(["x"], 4.0, kinds)
    truth = np.tile([0.0, 0.0, np.nan], (len(errors), 1))[:, None]
    said = np.repeat(errors[:, None], 3, 1)[:, None]
    cut = [pair[: len(kinds)] for pair in groups]
    made.update({"x": said}, {"x": truth}, [str(i) for i in range(len(errors))], cut)
    return made


def test_a_figure_is_the_mean_over_recordings_then_over_listeners():
    groups = [("a", "s"), ("a", "t"), ("a", "u"), ("b", "s")]
    made = of_errors(np.array([1.0, 2.0, 3.0, 10.0]), groups)
    assert made.compute() == {"x": 6.0}
    score = scores(made)["x"]
    assert (score.n, score.groups, score.clusters) == (4, 2, {"listener": 2, "song": 3})
    assert score.note == "no interval: 2 groups of listener, fewer than 8"


def test_frames_count_once_for_each_recording_however_long_it_is():
    made = Metric.find("mae")().start(["x"], 4.0)
    for frames, error, id in ((100, 1.0, "long"), (1, 3.0, "short")):
        made.update({"x": np.full((1, 1, frames), error)}, {"x": np.zeros((1, 1, frames))}, [id], ["one"])
    assert made.compute() == {"x": 2.0}


def test_a_recording_without_a_figure_is_left_out_and_said():
    rng = np.random.default_rng(0)
    made = Metric.find("pearson")().start(["x"], 4.0, ("listener", "song"))
    truth, groups = rng.normal(size=(20, 1, 9)), [(f"l{i % 10}", f"s{i // 2}") for i in range(20)]
    said = truth + rng.normal(size=truth.shape)
    said[3:5] = 1.0
    made.update({"x": said}, {"x": truth}, list(map(str, range(20))), groups)
    own = [np.corrcoef(said[i, 0], truth[i, 0])[0, 1] if i not in (3, 4) else np.nan for i in range(20)]
    by = [np.nanmean([own[i], own[i + 10]]) for i in range(10)]
    assert made.compute()["x"] == pytest.approx(np.mean(by))
    assert "defined for 18 of 20 recordings" in scores(made)["x"].note


def test_two_kinds_of_groups_are_drawn_as_if_recordings_were_written_down_again_and_again():
    rng = np.random.default_rng(0)
    groups = crossed(9, 11, 0.6, rng)
    errors = rng.random(len(groups))
    draws, resamples = np.random.default_rng(5), 300
    listeners, songs = (sorted({pair[k] for pair in groups}) for k in (0, 1))
    drawn_listeners, drawn_songs = (draws.integers(len(e), size=(resamples, len(e))) for e in (listeners, songs))
    figures = []
    for r in range(resamples):
        by = []
        for a in drawn_listeners[r]:
            pairs = [(listeners[a], songs[b]) for b in drawn_songs[r]]
            rows = [errors[groups.index(pair)] for pair in pairs if pair in groups]
            by += [np.mean(rows)] if rows else []
        figures.append(np.mean(by))
    found = scores(of_errors(errors, groups), resamples, seed=5)["x"]
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(figures, (2.5, 97.5))))


def test_an_interval_that_draws_listeners_alone_takes_songs_for_settled_and_one_of_both_covers():
    """The error of a recording is that of its song, for the most part."""
    rng = np.random.default_rng(1)
    covered, runs = np.zeros(2), 150
    for _ in range(runs):
        groups = crossed(20, 12, 0.5, rng)
        song, listener = rng.normal(0, 1, 12), rng.normal(0, 0.3, 20)
        errors = np.array([5 + song[int(b[1:])] + listener[int(a[1:])] + 0.5 * rng.normal() for a, b in groups])
        for k, kinds in enumerate((("listener", "song"), ("listener",))):
            found = scores(of_errors(errors, groups, kinds), 200)["x"]
            covered[k] += found.low <= 5.0 <= found.high
    both, listeners_alone = covered / runs
    assert both > 0.85
    assert listeners_alone < 0.5


def test_a_small_number_of_one_kind_forbids_an_interval():
    rng = np.random.default_rng(0)
    groups = crossed(20, 5, 1.0, rng)
    found = scores(of_errors(rng.random(100), groups))["x"]
    assert (found.low, found.high) == (None, None)
    assert found.note == "no interval: 5 groups of song, fewer than 8"


def test_pairs_see_the_same_draws_and_only_recordings_that_both_have():
    rng = np.random.default_rng(0)
    groups = crossed(10, 10, 0.7, rng)
    errors = 1 + rng.random(len(groups))
    one, two = of_errors(errors, groups), of_errors(errors - 0.1, groups)
    found = differences([one], [two], 200)["x"]
    assert (found.value, found.low, found.high, found.better) == (pytest.approx(-0.1),) * 3 + (1.0,)
    fewer = two.only({"x": {str(i) for i in range(30)}})
    less = differences([one], [fewer], 200)["x"]
    assert less.n == 30 and less.value == pytest.approx(-0.1)


def test_skill_is_the_part_of_the_way_from_a_baseline_to_a_ceiling():
    rng = np.random.default_rng(0)
    groups = crossed(10, 10, 0.7, rng)
    errors = 1 + rng.random(len(groups))
    ceiling, model, baseline = ([of_errors(errors * k, groups)] for k in (0.5, 0.625, 1.0))
    found = skills(baseline, model, ceiling, 200)["x"]
    assert (found.value, found.low, found.high) == pytest.approx((0.75, 0.75, 0.75))
    assert skills(baseline, ceiling, ceiling, 50)["x"].value == pytest.approx(1)
    assert skills(baseline, baseline, ceiling, 50)["x"].value == pytest.approx(0)
    none = skills(ceiling, model, baseline, 50)["x"]
    assert none.value is None and none.note == "the ceiling is no better than the baseline"
