"""Splits keep groups whole, hold their ratios, and are a function of ids and seed alone."""

import hashlib
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tympan.component import AssumptionWarning
from tympan.data import Description, Example, Source
from tympan.data.split import Parts, Split, folds, record, split


class Listed(Source):
    """A source without sound: (id, subject, part, label) of each recording."""

    sample_rate: int = 8000
    duration: float = 1.0
    listed: list[tuple[str, str, str | None, str | float | None]]
    by: str | None = "subject"

    @property
    def type(self):
        return "listed"

    @property
    def group(self):
        return self.by

    def __len__(self):
        return len(self.listed)

    def __getitem__(self, index):
        return Example(np.zeros((1, 8), np.float32), self.values(index), self.listed[index][0])

    def values(self, index):
        return {"label": self.listed[index][3]}

    def describe(self, index):
        id, subject, part, _ = self.listed[index]
        return Description(id, {"subject": subject}, None, part)


def source(sizes, part=None, label=lambda g: None, **fields):
    listed = [(f"{g:03d}-{i}", f"s{g:03d}", part, label(g)) for g, n in enumerate(sizes) for i in range(n)]
    return Listed.model_construct(listed=listed, **{"by": "subject", **fields})


def subjects(source, indices):
    return {source.listed[i][1] for i in indices}


def check(source, parts):
    """Every recording once; no group in two parts."""
    assert sorted(parts.train + parts.validation + parts.test) == list(range(len(source)))
    groups = [subjects(source, indices) for indices in (parts.train, parts.validation, parts.test)]
    assert sum(map(len, groups)) == len(set().union(*groups))
    return [len(g) for g in groups]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 6), min_size=3, max_size=60),
    st.sampled_from([(0.8, 0.1, 0.1), (0.5, 0.25, 0.25), (0.34, 0.33, 0.33), (0.9, 0.1, 0.0), (1.0, 0.0, 0.0)]),
    st.sampled_from([None, "label"]),
    st.integers(0, 9),
)
def test_groups_are_whole_and_ratios_hold(sizes, ratios, stratify, seed):
    every = source(sizes, label=lambda g: "abc"[g % 3])
    counts = check(every, split(every, Split(ratios=ratios, stratify=stratify), seed))
    for count, ratio in zip(counts, ratios, strict=True):
        assert (count > 0) == (ratio > 0)
        assert abs(count - ratio * len(sizes)) <= 2 and (len(sizes) < 10 or abs(count - ratio * len(sizes)) < 1)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 6), min_size=5, max_size=40),
    st.integers(2, 5),
    st.sampled_from([None, "label"]),
    st.booleans(),
)
def test_every_recording_is_tested_on_once(sizes, k, stratify, none):
    every = source(sizes, part="train", label=lambda g: g % 2)
    config = Split(folds=k, stratify=stratify, validation="none" if none else None)
    if k > len(sizes) - (not none):
        return
    parts = folds(every, config, 0)
    assert len(parts) == k
    counts = np.array([check(every, p) for p in parts])
    assert sorted(i for p in parts for i in p.test) == list(range(len(every)))
    assert counts[:, 2].max() - counts[:, 2].min() <= 1
    assert (counts[:, 0] >= 1).all() and (counts[:, 1] >= (0 if none else 1)).all()
    assert not none or counts[:, 1].max() == 0


@pytest.mark.parametrize("sizes", [[1] * 60, [1, 5] * 30, list(range(1, 61))])
def test_stratified_parts_have_the_same_shares(sizes):
    """A fifth of the subjects has the rarer label, whatever their numbers of recordings."""
    every = source(sizes, label=lambda g: "rare" if g % 5 == 0 else "common")  # 12 of 60 subjects
    for seed in range(5):
        parts = split(every, Split(ratios=(0.5, 0.25, 0.25), stratify="label"), seed)
        assert check(every, parts) == [30, 15, 15]
        rare = [
            sum(int(s[1:]) % 5 == 0 for s in subjects(every, p)) for p in (parts.train, parts.validation, parts.test)
        ]
        if sizes[0] == sizes[-1]:
            assert rare == [6, 3, 3]
        share = [len(p) / len(every) for p in (parts.train, parts.validation, parts.test)]
        np.testing.assert_allclose(share, [0.5, 0.25, 0.25], atol=0.03)
    for part in folds(every, Split(folds=4, stratify="label"), 0):
        assert sum(every.listed[i][3] == "rare" for i in part.test) == pytest.approx(
            sum(row[3] == "rare" for row in every.listed) / 4, abs=10
        )


def test_stratifying_helps():
    """The oracle: without it, the same draw misses the shares."""
    every = source([1] * 40, label=lambda g: g < 4)

    def worst(stratify):
        draws = [split(every, Split(ratios=(0.5, 0.25, 0.25), stratify=stratify), s) for s in range(20)]
        return max(abs(sum(every.listed[i][3] for i in p.test) - 1) for p in draws)

    assert worst("label") == 0 < worst(None)


class Rated(Listed):
    """Several labels of each speaker, some of them unknown."""

    rated: dict[str, dict[str, float]]

    def values(self, index):
        return self.rated[self.listed[index][0]]


def test_several_labels_are_alike_in_parts_of_any_size():
    """A large part misses more of everything, and yet must not take all who have several labels."""
    rng = np.random.default_rng(0)
    listed, rated = [], {}
    for speaker in range(200):
        listed += [(f"{speaker:03d}-{take}", f"s{speaker:03d}", None, None) for take in range(2)]
        labels = {name: float(rng.random() < 0.4) for name in "abcd"}
        rated |= {f"{speaker:03d}-{take}": labels for take in range(2)}
    every = Rated.model_construct(listed=listed, rated=rated, by="subject")
    for seed in range(5):
        parts = split(every, Split(ratios=(0.7, 0.1, 0.2), stratify=tuple("abcd")), seed)
        for name in "abcd":
            whole = np.mean([known[name] for known in rated.values()])
            for part in (parts.train, parts.validation, parts.test):
                assert np.mean([every.values(i)[name] for i in part]) == pytest.approx(whole, abs=0.1)


def test_several_labels_are_alike_in_every_fold_at_once():
    rng = np.random.default_rng(0)
    listed, rated = [], {}
    for speaker in range(60):
        labels = {name: float(rng.random() < share) for name, share in (("a", 0.5), ("b", 0.3), ("c", 0.15))}
        for take in range(rng.integers(1, 6)):
            listed.append((f"{speaker:02d}-{take}", f"s{speaker:02d}", None, None))
            rated[listed[-1][0]] = {name: x if rng.random() > 0.2 else float("nan") for name, x in labels.items()}
    every = Rated.model_construct(listed=listed, rated=rated, by="subject")

    def apart(stratify, name):
        """By how much the worst of the folds has another share of a label than the mean of them; mean of ten draws."""
        found = []
        for seed in range(10):
            parts = folds(every, Split(folds=5, stratify=stratify, validation="none"), seed)
            assert all(not p.validation and check(every, p) for p in parts)
            shares = np.array([np.nanmean([every.values(i)[name] for i in p.test]) for p in parts])
            found.append(abs(shares - shares.mean()).max())
        return np.mean(found)

    for name in "abc":
        assert apart(("a", "b", "c"), name) < 0.07 < 0.12 < apart(None, name)
    assert apart(("a",), "a") < 0.07 < 0.12 < apart("a", "b")  # one label says nothing of another


def test_unknown_labels_do_not_count_as_a_class():
    every = source([1] * 40, label=lambda g: None if g % 2 else float("nan") if g % 4 else "ab"[g % 8 == 0])
    parts = split(every, Split(ratios=(0.5, 0.25, 0.25), stratify="label"), 0)
    assert Counter(every.listed[i][3] for i in parts.test if every.listed[i][3] in ("a", "b")).keys() == {"a", "b"}


def test_the_draw_depends_on_ids_and_seed_alone():
    every = source([2] * 20)
    turned = every.model_copy(update={"listed": every.listed[::-1]})

    def ids(source, seed, config=Split()):  # noqa: B008
        return sorted(source.listed[i][0] for i in split(source, config, seed).test)

    assert ids(every, 1) == ids(turned, 1) == ids(every, 5, Split(seed=1))
    assert len({tuple(ids(every, seed)) for seed in range(10)}) > 5


def test_without_groups_each_recording_is_its_own():
    every = source([4] * 5, by=None)
    parts = split(every, Split(ratios=(0.5, 0.25, 0.25)), 0)
    assert [len(parts.train), len(parts.validation), len(parts.test)] == [10, 5, 5]


def corpus(**labels):
    listed = [(f"{s}{i}", s, part, None) for part, names in labels.items() for s in names for i in range(3)]
    return Listed.model_construct(listed=listed, by="subject")


def test_the_corpus_own_parts_are_kept():
    own = corpus(train="abcd", test="ef")
    parts = split(own, Split(), 0)
    assert check(own, parts) == [3, 1, 2] and subjects(own, parts.test) == {"e", "f"}
    assert check(own, split(own, Split(validation=0.5), 0)) == [2, 2, 2]
    assert split(own, Split(validation="none"), 0) == Parts(list(range(12)), [], list(range(12, 18)))
    own = corpus(train="abcd", validation="gh", test="ef")
    assert subjects(own, split(own, Split(), 0).validation) == {"g", "h"}
    assert check(own, split(own, Split(validation="none"), 0)) == [6, 0, 2]
    with pytest.warns(AssumptionWarning, match="a validation part of its own"):
        split(own, Split(validation=0.5), 0)


def test_recordings_in_no_part_are_drawn_beside_the_corpus_own():
    own = corpus(train="abcd", test="ef")
    free = [(f"x{i}", f"x{i}", None, None) for i in range(10)]
    mixed = own.model_copy(update={"listed": own.listed + free})
    assert check(mixed, split(mixed, Split(), 0)) == [11, 2, 3]


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ({"train": "abcd", "test": "cde"}, "subject c, d: 2 in all, both in train and in test"),
        ({"train": "abc", "validation": "b", "test": "d"}, "subject b: 1 in all, both in train and in validation"),
        ({"train": "abcdefghijklmno", "test": "abcdefghijklmno"}, "a, b, c, d, e, f, g, h, i, j and 5 more: 15 in all"),
        ({"train": "abc"}, "the test part of listed would be empty"),
        ({"test": "abc"}, "the train and the validation part of listed would be empty"),
        ({"train": "a", "test": "b"}, r"1 subject \(a\) cannot be divided into 2 parts"),
    ],
)
def test_a_leak_or_an_empty_part_is_refused_by_name(labels, says):
    with pytest.raises(ValueError, match=says):
        split(corpus(**labels), Split(), 0)


def test_too_few_groups_are_refused():
    with pytest.raises(ValueError, match=r"2 subject \(s000, s001\) cannot be divided into 3 parts"):
        split(source([5, 5]), Split(), 0)
    with pytest.raises(ValueError, match="cannot be divided into 4 parts"):
        folds(source([5] * 3), Split(folds=4), 0)
    with pytest.raises(ValueError, match="cannot be divided into 2 parts"):
        folds(source([5] * 2), Split(folds=2), 0)
    assert len(folds(source([5] * 2), Split(folds=2, validation="none"), 0)) == 2
    with pytest.raises(ValueError, match=r"split\.folds"):
        folds(source([5] * 2), Split(), 0)


def test_what_cannot_be_split_by_is_refused():
    with pytest.raises(ValueError, match="no group 'subjects' to split by; it has: subject; did you mean 'subject'"):
        split(source([2] * 5), Split(group="subjects"), 0)
    with pytest.raises(ValueError, match="'label' has 0 different values"):
        split(source([2] * 5), Split(stratify="label"), 0)
    with pytest.raises(ValueError, match="'label' has 60 different values"):
        split(source([1] * 60, label=str), Split(stratify="label"), 0)
    with pytest.raises(ValueError, match="is a signal"):
        split(source([1] * 60, label=lambda g: [1.0, 2.0]), Split(stratify="label"), 0)


@pytest.mark.parametrize(
    "fields",
    [
        {"ratios": (0.8, 0.1, 0.2)},
        {"ratios": (1.2, -0.1, -0.1)},
        {"ratios": (0.0, 0.5, 0.5)},
        {"validation": 0.9},
        {"validation": -0.1},
        {"validation": "non"},
        {"folds": 1},
    ],
)
def test_impossible_shares_are_refused(fields):
    with pytest.raises(ValidationError):
        Split.model_validate(fields)


def test_the_record_holds_ids_groups_counts_seed_and_its_own_hash():
    own = corpus(train="abcd", test="ef")
    told = json.loads(json.dumps(record(own, split(own, Split(), 3), Split(), 3)))
    assert told["test"] == {
        "recordings": 6,
        "groups": 2,
        "group_names": ["e", "f"],
        "ids": [f"{s}{i}" for s in "ef" for i in range(3)],
    }
    assert (told["seed"], told["train"]["recordings"], told["validation"]["groups"]) == (3, 9, 1)
    digest = told.pop("sha256")
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert digest == hashlib.sha256(text.encode()).hexdigest()
    assert record(own, split(own, Split(), 4), Split(seed=9), 4)["seed"] == 9


class Heard(Source):
    """A source without sound: the song and the listener of each recording."""

    sample_rate: int = 8000
    duration: float = 1.0
    pairs: list[tuple[str, str]]
    ratios: tuple[float, float, float] | None = None
    chance: int | None = None

    @property
    def type(self):
        return "heard"

    @property
    def group(self):
        return "song"

    @property
    def clusters(self):
        return ("listener", "song")

    @property
    def own_ratios(self):
        return self.ratios

    @property
    def own_seed(self):
        return self.chance

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        return Example(np.zeros((1, 8), np.float32), {}, str(index))

    def describe(self, index):
        song, listener = self.pairs[index]
        return Description(f"{song}-{listener}", {"song": song, "listener": listener})


def heard(songs=20, listeners=10, **fields):
    return Heard(pairs=[(f"s{s}", f"l{n}") for s in range(songs) for n in range(listeners)], **fields)


def of(source, indices, which):
    return {source.pairs[i][which] for i in indices}


@pytest.mark.parametrize(("protocol", "kept"), [("unseen_song", (0,)), ("unseen_listener", (1,))])
def test_one_kind_of_group_is_unseen_and_every_recording_is_used(protocol, kept):
    source = heard()
    parts = split(source, Split.model_validate(protocol), 1)
    assert sorted(parts.train + parts.validation + parts.test) == list(range(200))
    for which in kept:
        assert not of(source, parts.train, which) & of(source, parts.test, which)
        assert not of(source, parts.train, which) & of(source, parts.validation, which)
    assert of(source, parts.train, 1 - kept[0]) & of(source, parts.test, 1 - kept[0])


def test_with_both_unseen_a_part_has_the_pairs_of_its_own_songs_and_listeners():
    source = heard()
    with pytest.warns(AssumptionWarning, match=r"of 200 recordings have groups \(song and listener\) of different"):
        parts = split(source, Split.model_validate({"protocol": "unseen_both", "ratios": (0.6, 0.2, 0.2)}), 1)
    for which in (0, 1):
        train, validation, test = (of(source, own, which) for own in (parts.train, parts.validation, parts.test))
        assert not train & test and not train & validation and not validation & test
    assert [len(own) for own in (parts.train, parts.validation, parts.test)] == [12 * 6, 4 * 2, 4 * 2]
    told = record(source, parts, Split(protocol="unseen_both"), 1)
    assert told["test"]["groups"] == 6 and {"song", "listener"} == {n.split()[0] for n in told["test"]["group_names"]}


def test_an_ordered_split_is_the_order_and_says_what_leaks():
    source = heard()
    with pytest.warns(AssumptionWarning, match="10 of the 10 listeners of the test part are in training too"):
        parts = split(source, Split.model_validate("ordered"), 1)
    assert parts == Parts(list(range(160)), list(range(160, 180)), list(range(180, 200)))


def test_a_corpus_has_ratios_and_a_seed_of_its_own_which_the_configuration_may_change():
    source = heard(ratios=(0.5, 0.25, 0.25), chance=7)
    parts = split(source, Split(), 1)
    assert len(of(source, parts.train, 0)) == 10 and parts == split(source, Split(), 2)
    assert parts != split(source, Split(seed=8), 1)
    assert len(of(source, split(source, Split(ratios=(0.8, 0.1, 0.1)), 1).train, 0)) == 16


@pytest.mark.parametrize(
    "fields",
    [
        {"protocol": "unseen_song", "group": "listener"},
        {"protocol": "unseen_both", "folds": 3},
        {"protocol": "ordered", "stratify": "label"},
    ],
)
def test_a_protocol_that_another_field_contradicts_is_refused(fields):
    with pytest.raises(ValidationError, match=r"leave|group is for"):
        Split.model_validate(fields)
