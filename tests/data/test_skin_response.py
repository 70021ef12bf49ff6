"""Simulated listeners: what is the best answer is known, and it means something with the defaults."""

from itertools import combinations

import numpy as np
import pytest
from pydantic import ValidationError

from tympan.data.synthesizers import Synthesizer
from tympan.data.synthesizers._listener import draw, novelty, strengths
from tympan.data.synthesizers._music import Song

SOURCE = Synthesizer.model_validate({"type": "skin_response", "size": 160})


def correlation(x, y):
    return float(np.corrcoef(x, y)[0, 1])


def song(level, pitch, gap=0.5):
    onset = gap * np.arange(len(level))
    return Song(len(level) * gap, 60.0, onset, np.array(level, float), np.array(pitch, float))


@pytest.fixture(scope="module")
def recordings():
    return [SOURCE.values(i)["eda"] for i in range(160)]


def test_listeners_of_a_song_agree_as_people_do(recordings):
    within = [
        correlation(recordings[4 * s + a], recordings[4 * s + b])
        for s in range(40)
        for a, b in combinations(range(4), 2)
    ]
    assert 0.2 < np.mean(within) < 0.5
    across = [correlation(recordings[i], recordings[i + 4]) for i in range(156)]
    assert abs(np.mean(across)) < 0.15


@pytest.mark.slow
def test_ceilings_are_in_order_and_leave_room(recordings):
    small = SOURCE.model_copy(update={"sample_rate": 2000})
    said = {"law": [], "population": []}
    for i in range(0, 160, 4):
        for name, answer in small.references(small[i]).items():
            said[name].append(correlation(answer["eda"], recordings[i]))
    law, population = np.mean(said["law"]), np.mean(said["population"])
    assert 0.7 < law <= 0.85 and 0.55 < population < law - 0.05
    curve = np.mean([correlation(np.mean(recordings, 0), x) for x in recordings])
    assert curve < population - 0.3


def test_a_song_is_one_sound_and_its_listeners_are_others():
    small = SOURCE.model_copy(update={"sample_rate": 2000})
    a, b, c = (small[i] for i in (0, 3, 4))
    assert (
        np.array_equal(a.waveform, b.waveform) and a.waveform.shape != () and not np.array_equal(a.waveform, c.waveform)
    )
    heard = [small.groups(i) for i in range(160)]
    assert len({tuple(g.values()) for g in heard}) == 160 and len({g["song"] for g in heard}) == 40
    assert len({g["listener"] for g in heard}) > 35
    assert small.rates == {"eda": 4.0} and small.clusters == ("listener", "song") and small.group == "song"


def test_every_recording_is_normalised_or_in_microsiemens():
    raw = SOURCE.model_copy(update={"normalize": "none"})
    for i in range(8):
        z, x = SOURCE.values(i)["eda"], raw.values(i)["eda"]
        assert z.shape == (160,) and abs(z.mean()) < 1e-9 and z.std() == pytest.approx(1)
        assert (x > 0.05).all() and (x < 60).all()
        assert np.allclose((x - x.mean()) / x.std(), z)
    assert (SOURCE.units["eda"], raw.units["eda"]) == ("z", "µS")


def test_a_faster_recording_is_the_same_but_for_noise():
    fast = SOURCE.model_copy(update={"eda_rate": 48.0})
    for i in range(4):
        assert correlation(fast.values(i)["eda"][::12], SOURCE.values(i)["eda"]) > 0.99


def test_what_is_louder_softer_higher_or_lower_is_equally_new_and_sameness_is_not():
    flat = [-12.0] * 20
    for change in (8.0, -8.0):
        louder = novelty(song([*flat, -12 + change], [60] * 21))
        higher = novelty(song([-12.0] * 21, [60] * 20 + [60 + 1.5 * change]))
        assert louder[0][-1] == pytest.approx(1) and higher[1][-1] == pytest.approx(1)
        assert not louder[0][:-1].any() and not louder[1].any() and not louder[2].any()


def test_listeners_respond_above_a_threshold_and_less_again():
    who = draw(np.random.default_rng(0), 50)
    small = strengths(song([-12.0] * 20 + [-11.0], [60] * 21), who)
    assert not small[:, 1:].any()
    jumps = [-30.0 * (k // 20 % 2) for k in range(80)]
    again = strengths(song(jumps, [60] * 80, 0.25), who)[:, [20, 40, 60]]
    assert (again > 0).all() and (again[:, 1] < again[:, 0]).all()


def test_no_song_is_heard_by_more_listeners_than_there_are():
    with pytest.raises(ValidationError, match="listeners_per_song: 4 is more than the 3 listeners"):
        Synthesizer.model_validate({"type": "skin_response", "listeners": 3})
