"""Whether a model hears is seen by giving it the answers to other songs."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import kstest

from tympan.objectives import Metric
from tympan.objectives.resample import level
from tympan.runs.shuffled import Permuted, Recording, Shuffled, p_value

Say = Callable[[np.random.Generator, np.ndarray], np.ndarray]


def part(say: Say, seed: int, songs: int = 8, corpora: int = 1) -> list[Recording]:
    """Three listeners of every song, who all show the song's course and noise; the model is asked once for a song."""
    rng = np.random.default_rng(seed)
    found = []
    for song in range(songs):
        course = rng.normal(size=40)
        said = say(rng, course)[None]
        for listener in range(3):
            truth = (course + rng.normal(size=40))[None]
            id, corpus = f"{song}-{listener}", f"c{song % corpora}"
            found.append(Recording(id, (f"l{listener}", f"s{song}"), f"s{song}", corpus, {"x": truth}, {"x": said}))
    return found


def chance(recordings: list[Recording], seed: int = 0, name: str = "pearson") -> float:
    metric = Metric.find(name)()
    shuffled = Shuffled(recordings, seed)
    permuted = shuffled.permuted(metric, "x", 4.0, shuffled.permutations())
    same = shuffled.permuted(metric, "x", 4.0, np.arange(len(shuffled.songs))[None])
    return p_value(float(same.levels()[0]), permuted.levels(), metric.higher_is_better)


def test_the_probability_is_small_for_a_model_that_hears() -> None:
    for name in ("pearson", "mae"):
        assert chance(part(lambda rng, course: course + rng.normal(size=40), 0), name=name) == 0.001


@pytest.mark.slow
def test_the_probability_is_any_for_a_model_that_says_anything() -> None:
    found = [chance(part(lambda rng, course: rng.normal(size=40), seed), seed) for seed in range(60)]
    assert kstest(found, "uniform").pvalue > 0.01


def test_the_probability_is_one_for_a_model_that_always_says_the_same() -> None:
    assert chance(part(lambda rng, course: np.arange(40.0), 0)) == 1.0


def test_a_control_hears_another_song_of_the_same_corpus() -> None:
    recordings = part(lambda rng, course: course, 0, corpora=2)
    said = {id(one.answer["x"]): one for one in recordings}
    assert len(said) == 8
    control = Shuffled(recordings, 3).control()
    assert [one.id for one, _, _ in control] == [one.id for one in recordings]
    for one, truth, answer in control:
        donors = [r for r in recordings if np.array_equal(r.answer["x"], answer["x"])]
        assert {r.song for r in donors} != {one.song} and {r.corpus for r in donors} == {one.corpus}
        assert np.array_equal(truth["x"], one.truth["x"])
    assert Shuffled(part(lambda rng, course: course, 0, songs=1), 0).control() == []


def test_songs_of_different_lengths_are_compared_as_far_as_both_go() -> None:
    recordings = [
        Recording(f"{n}", ("l", f"s{n}"), f"s{n}", "", {"x": np.zeros((1, n))}, {"x": np.ones((1, n))}) for n in (5, 9)
    ]
    assert [answer["x"].shape[1] for _, _, answer in Shuffled(recordings, 0).control()] == [5, 5]


def test_recordings_of_several_folds_come_together() -> None:
    one, two = (Permuted((f"r{k}",), (f"l{k}",), np.full((1, n), float(k))) for k, n in ((0, 5), (1, 3)))
    both = one.merge(two)
    assert both.ids == ("r0", "r1") and both.levels().tolist() == [0.5, 0.5, 0.5]
    assert both.only({"r1"}).levels().tolist() == [1.0, 1.0, 1.0]


def test_many_recordings_have_fewer_permutations_but_never_fewer_than_99() -> None:
    few = Shuffled(part(lambda rng, course: course, 0), 0)
    assert len(few.permutations()) == 999
    many = Shuffled(part(lambda rng, course: course[:1], 0, songs=400), 0)
    assert len(many.permutations()) == 99


def test_levels_weigh_groups_alike() -> None:
    assert level(np.array([[1.0], [2.0], [9.0]]), np.array([0, 0, 1])).tolist() == pytest.approx([5.25])
