"""A pitch is found again between bins, in noise and over time, and not in silence; its metrics count in cents."""

import itertools

import numpy as np
import pytest
import torch

from tympan.frames import levels
from tympan.objectives import Metric, Target
from tympan.objectives.viterbi import path


def pitch(**fields):
    return Target.model_validate({"type": "pitch", **fields})


def logits(target, values, noise=0.0):
    """What a network would say that has learned the target, with noise."""
    p = target.encode(values).double().clamp(1e-6, 1 - 1e-6)
    return (p.logit() + noise * torch.randn(p.shape, generator=torch.Generator().manual_seed(0)))[None].float()


def test_the_bins_are_those_of_crepe():
    cents = 1997.3794084376191 + np.linspace(0, 7180, 360)
    np.testing.assert_allclose(pitch().frequencies, 10 * 2 ** (cents / 1200), rtol=1e-9)
    assert pitch().signal(1.0).channels[0] == "31.70 Hz"


@pytest.mark.parametrize(("decoding", "cents"), [("argmax", 10.001), ("weighted", 0.1), ("viterbi", 0.1)])
def test_a_pitch_between_bins_is_found_as_well_as_its_decoding_can(decoding, cents):
    f = np.geomspace(40, 1900, 200)
    target = pitch(decoding=decoding, rate=100)
    found = target.decode(logits(target, {"f0": f}))["f0"][0]
    assert np.abs(1200 * np.log2(found[0] / f)).max() < cents
    assert (found[1] > 0.9).all()


def test_likelihoods_at_the_ends_of_the_bins_are_averaged_over_what_is_there():
    target = pitch()
    for f in target.frequencies[[0, -1]]:
        assert target.decode(logits(target, {"f0": f}))["f0"][0, 0, 0] == pytest.approx(f, rel=0.02)


def test_the_likeliest_course_is_that_of_an_exhaustive_search():
    rng = np.random.default_rng(0)
    for reach in (1, 2, 3):
        for _ in range(3):
            likelihood = rng.random((4, 6)) ** 4
            weights = np.maximum(reach - np.abs(np.arange(6)[:, None] - np.arange(6)), 0)
            moves = weights / weights.sum(1, keepdims=True)

            def worth(course, likelihood=likelihood, moves=moves):
                heard = np.prod([likelihood[t, s] for t, s in enumerate(course)])
                return heard * np.prod([moves[a, b] for a, b in itertools.pairwise(course)])

            best = max(itertools.product(range(6), repeat=4), key=worth)
            assert path(likelihood, reach).tolist() == list(best)


def test_viterbi_bridges_a_frame_that_jumps_an_octave():
    target = pitch(decoding="viterbi", rate=100)
    f = np.full(60, 220.0)
    f[30] = 440.0
    course = target.decode(logits(target, {"f0": f}))["f0"][0, 0]
    assert np.abs(1200 * np.log2(course[:30] / 220)).max() < 1
    assert course[30] < 260
    jumps = pitch(rate=100).decode(logits(target, {"f0": f}))["f0"][0, 0]
    assert jumps[30] == pytest.approx(440, rel=0.01)


def test_viterbi_does_not_remember_over_silence_what_is_not_so():
    target = pitch(decoding="viterbi", rate=100)
    said = logits(target, {"f0": np.r_[np.full(30, 200.0), np.full(30, 300.0)]})
    said[:, :, 25:35] = -1e4
    course = target.decode(said)["f0"][0, 0]
    assert np.isnan(course[25:35]).all() and np.isfinite(course[:25]).all()
    np.testing.assert_allclose(course[:24], 200, rtol=0.01)
    np.testing.assert_allclose(course[36:], 300, rtol=0.01)


def test_only_what_is_asked_for_is_answered():
    target = pitch(fmin=100.0, fmax=300.0)
    assert target.decode(logits(target, {"f0": 440.0}, 0.1))["f0"][0, 0, 0] < 310
    quiet = pitch(threshold=0.5).decode(torch.full((1, 360, 1), -1.0))["f0"]
    assert np.isnan(quiet[0, 0, 0]) and quiet[0, 1, 0] == pytest.approx(0.2689, abs=1e-3)


def test_a_table_has_the_pitch_and_how_sure_it_is():
    target = pitch(rate=100)
    table = target.columns({"f0": target.decode(logits(target, {"f0": [440.0, 220.0]}))["f0"][0]})
    assert list(table) == ["time (s)", "f0 (Hz)", "f0 periodicity"]
    assert table["f0 (Hz)"] == pytest.approx([440, 220], rel=1e-3)


def test_the_level_is_that_of_the_sound_around_each_frame():
    x = torch.zeros(1, 2, 16000)
    x[:, :, 8000:] = 0.1 * torch.sin(2 * torch.pi * 500 * torch.arange(8000) / 16000)
    found = levels(x, 16000.0, 100.0, 100)
    assert found.shape == (1, 100)
    assert (found[0, :46] <= -119).all()
    np.testing.assert_allclose(found[0, 54:96], -23.01, atol=0.05)
    assert found[0, 50] == pytest.approx(-26.02, abs=0.3)  # half of the 64 ms sounds
    assert levels(x, 16000.0, None, 1)[0].item() == pytest.approx(-23.01, abs=0.05)
    assert levels(x[:, :, :100], 16000.0, 100.0, 7).shape == (1, 7)


def test_pitches_count_as_musicians_count_them():
    truth = np.array([220.0, 220.0, 220.0, 220.0, 0.0])
    said = np.array([[220.0 * 2 ** (49 / 1200), 220.0 * 2 ** (51 / 1200), 440.0 * 2 ** (-49 / 1200), np.nan, 100.0]])
    row = {name: np.array([Metric.find(name)().row(said, truth)]) for name in
           ("raw_pitch_accuracy", "raw_chroma_accuracy", "cents_error")}  # fmt: skip
    assert Metric.find("raw_pitch_accuracy")().score(row["raw_pitch_accuracy"]) == 1 / 4
    assert Metric.find("raw_chroma_accuracy")().score(row["raw_chroma_accuracy"]) == 2 / 4
    assert Metric.find("cents_error")().score(row["cents_error"]) == pytest.approx((51 + 1151) / 2)
    assert np.isnan(Metric.find("cents_error")().score(np.array([[np.inf], [1.0], [np.inf]])))


def test_a_range_without_a_bin_is_refused():
    with pytest.raises(ValueError, match="none of the bins"):
        pitch(fmin=100.0, fmax=100.5)
