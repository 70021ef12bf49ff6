"""Classes and speakers come as often as `training.balance` says, in the shares of an epoch and in a run."""

import json
from collections import Counter

import numpy as np
import pytest

from runs_helpers import run_of, stopped
from tympan.data.batch import Clips
from tympan.data.split import Parts
from tympan.runs.balance import shares
from tympan.runs.prepare import prepare

# Speakers v0000, v0001 and v0002 with 4, 1 and 3 recordings.
TRAIN = [0, 1, 2, 3, 4, 8, 9, 10]
NAN = float("nan")


def balanced(tmp_path, by="label", labels=("rough",), **sections):
    data = {"type": "voice", "size": 24, "sample_rate": 8000, "duration": 0.2}
    training = {"max_epochs": 1, "batch_size": 8, "balance": by}
    target = {"type": "binary", "labels": list(labels)}
    return {"data": data, "target": target, "training": training, "tmp_path": tmp_path, **sections}


def told(tmp_path, by, *known):
    """The shares, where it is given what is known of each label."""
    labels = ("rough", "breathy")[: len(known)]
    values = [dict(zip(labels, own, strict=True)) for own in zip(*known, strict=True)]
    return shares(run_of(**balanced(tmp_path, by, labels)), TRAIN, values)


def test_classes_come_alike_and_what_is_unknown_as_often_as_without(tmp_path):
    own = told(tmp_path, "label", [1, 1, 0, 0, 0, 0, 0, 0])
    assert own == pytest.approx([1 / 4, 1 / 4, *[1 / 12] * 6])
    own = told(tmp_path, "label", [1, 1, 0, 0, 0, 0, NAN, NAN])
    assert own[6:] == pytest.approx([1 / 8, 1 / 8])
    assert own[:2].sum() == pytest.approx(3 / 8) and own[2:6].sum() == pytest.approx(3 / 8)
    assert told(tmp_path, "label", [NAN] * 8) == pytest.approx(np.full(8, 1 / 8)), "nothing is known of anybody"
    assert told(tmp_path, "label", [1.0] * 8) == pytest.approx(np.full(8, 1 / 8)), "one class is all"


def test_of_several_labels_the_mean_is_taken(tmp_path):
    rough, breathy = [1, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, NAN]
    both = told(tmp_path, "label", rough, breathy)
    alone = [told(tmp_path, "label", own) for own in (rough, breathy)]
    assert both == pytest.approx(np.mean(alone, 0)) and both.sum() == pytest.approx(1)


def test_speakers_come_alike_whatever_is_known_of_them(tmp_path):
    own = told(tmp_path, "group", [NAN, 1, 0, 0, 0, 0, NAN, NAN])
    assert own == pytest.approx([*[1 / 12] * 4, 1 / 3, *[1 / 9] * 3])


def test_both_are_the_speakers_of_each_class_alike(tmp_path):
    own = told(tmp_path, "both", [1, 1, 1, 1, 1, 0, 0, 0])
    assert own == pytest.approx([*[1 / 16] * 4, 1 / 4, *[1 / 6] * 3])
    # A speaker with recordings of both classes is one of the speakers of each.
    own = told(tmp_path, "both", [1, 0, 0, 0, 1, 0, NAN, NAN])
    assert own[6:] == pytest.approx([1 / 8, 1 / 8])
    assert own[[0, 4]] == pytest.approx([3 / 16, 3 / 16])
    assert own[1:4] == pytest.approx([1 / 16] * 3) and own[5] == pytest.approx(3 / 16)


def test_classes_of_a_word_come_alike(tmp_path):
    run = run_of(**balanced(tmp_path, "label", target={"type": "categorical", "column": "vowel"}))
    prepared = prepare(run, Parts(list(range(24)), [], []))
    vowels = [prepared.source.values(i)["vowel"] for i in range(24)]
    own = shares(prepared.run, range(24), [{"vowel": vowel} for vowel in vowels])
    sums = [sum(s for s, v in zip(own, vowels, strict=True) if v == vowel) for vowel in set(vowels)]
    assert len(set(Counter(vowels).values())) > 1
    assert sums == pytest.approx([1 / len(sums)] * len(sums))


@pytest.mark.parametrize("by", ["none", "label", "group", "both"])
def test_an_epoch_has_each_recording_as_often_as_its_share_rounded_up_or_down(tmp_path, by):
    prepared = prepare(run_of(**balanced(tmp_path, by)), Parts(TRAIN, [], []))
    values = [prepared.source.values(i) for i in TRAIN]
    expected = 8 * (np.full(8, 1 / 8) if by == "none" else shares(prepared.run, TRAIN, values))
    clips = prepared.clips("train", epochs=60, shuffle=True)
    assert len(clips) == 60 * 8, "an epoch is as long as before"
    counts = np.zeros((60, 8))
    for position in range(len(clips)):
        counts[position // 8, TRAIN.index(clips.at(position)[1])] += 1
    assert (np.abs(counts - expected) < 1 + 1e-9).all()
    assert counts.mean(0) == pytest.approx(expected, abs=0.25)
    judged = prepared.clips("train")
    assert [judged.at(i)[1] for i in range(8)] == TRAIN, "what is judged is heard once"


def test_a_run_trains_on_what_is_drawn(tmp_path, monkeypatch):
    heard, whole = [], Clips.__getitem__

    def item(self, position):
        if self.shuffle:
            heard.append(self.at(position)[1])
        return whole(self, position)

    monkeypatch.setattr(Clips, "__getitem__", item)
    training = {"max_epochs": 9, "batch_size": 4, "balance": "label"}
    ratios = {"validation": "none", "ratios": [0.8, 0.0, 0.2]}
    run = run_of(**balanced(tmp_path, training=training, split=ratios, loader={"num_workers": 0}))
    train = run.divide()[0].train
    folder = stopped(monkeypatch, run, 8 * len(train) // 4)
    assert json.loads((folder / "split.json").read_text())["train"]["ids"] == [run.data.describe(i).id for i in train]
    rough = [i for i in train if run.data.values(i)["rough"]]
    assert abs(len(rough) / len(train) - 0.5) > 0.2
    drawn = heard[: 8 * len(train)]
    assert set(drawn) == set(train)
    assert sum(i in rough for i in drawn) / len(drawn) == pytest.approx(0.5, abs=1 / len(train))
