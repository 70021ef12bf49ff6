"""A mixture is its corpora, whole batches of one drawn by weight, every recording once."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tympan.data import Source
from tympan.data.batch import Clips
from tympan.data.split import Split, split


def mixture(**fields):
    sources = {"a": {"type": "tone", "size": 40}, "b": {"type": "tone", "size": 23, "seed": 3}}
    told = {"type": "mixture", "sample_rate": 8000, "duration": 0.1, "sources": sources, **fields}
    return Source.model_validate(told)


def corpus(source, index):
    return source.describe(index).groups["corpus"]


def test_a_recording_is_that_of_its_corpus_under_the_corpus_name():
    source = mixture()
    own = source.sources["b"]
    for i in (0, 22):
        example = source[40 + i]
        assert example.id == f"b/{own[i].id}" and example.groups == {"example": f"b/{i}", "corpus": "b"}
        np.testing.assert_array_equal(example.waveform, own[i].waveform)
        np.testing.assert_equal(source.values(40 + i), own.values(i))
        np.testing.assert_equal(source.values(40 + i), example.values)
        assert source.describe(40 + i).id == example.id == source.clip(40 + i, 0, 0).id
    assert len(source) == 63
    with pytest.raises(IndexError):
        source[63]


def test_a_corpus_of_one_part_is_all_of_it_and_the_others_are_divided_by_themselves():
    source = mixture(
        sources={
            "a": {"type": "tone", "size": 40},
            "b": {"type": "tone", "size": 20},
            "c": {"type": "sweep", "size": 9},
        },
        train=["a", "b"],
        validation=["a"],
        test=["a", "c"],
    )
    parts = split(source, Split(), 1)
    count = {part: Counter(corpus(source, i) for i in own) for part, own in vars(parts).items()}
    assert count == {"train": {"a": 32, "b": 20}, "validation": {"a": 4}, "test": {"a": 4, "c": 9}}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 30), min_size=2, max_size=4).filter(any),
    st.integers(1, 9),
    st.integers(0, 4),
    st.booleans(),
)
def test_every_recording_comes_once_in_whole_batches_of_one_corpus(sizes, batch, epoch, weighted):
    sources = {f"c{i}": {"type": "tone", "size": n} for i, n in enumerate(sizes) if n}
    weights = [1 + i for i in range(len(sources))] if weighted else []
    source = mixture(sources=sources, sampling_weights=weights)
    part = list(range(len(source)))
    order = source.order(part, 5, epoch, batch)
    assert sorted(order) == part and (order == source.order(part, 5, epoch, batch)).all()
    begun = min(-epoch * len(part) % batch, len(part))  # what the epoch before leaves open
    full = [order[i : i + batch] for i in range(begun, len(order) - batch + 1, batch)]
    mixed = sum(len({corpus(source, int(i)) for i in rows}) > 1 for rows in full)
    assert mixed <= len(sources) + 1


def test_batches_are_drawn_by_weight_until_a_corpus_is_spent():
    source = mixture(
        sources={"a": {"type": "tone", "size": 4000}, "b": {"type": "tone", "size": 1000}}, sampling_weights=[1, 3]
    )
    order = source.order(list(range(5000)), 0, 0, 4)
    first = [corpus(source, int(order[i])) for i in range(0, 1200, 4)]
    assert 0.68 < first.count("b") / len(first) < 0.82
    assert {corpus(source, int(i)) for i in order[-1000:]} == {"a"}


def test_the_same_batches_come_whatever_is_read_before():
    source = mixture()
    clips = Clips(source, range(63), lambda example: {}, seed=3, epochs=3, batch_size=8)
    keys = [tuple(clips[i]["key"].tolist()) for i in range(len(clips))]
    again = Clips(source, range(63), lambda example: {}, seed=3, epochs=3, batch_size=8)
    assert [tuple(again[i]["key"].tolist()) for i in range(100, len(again))] == keys[100:]
    assert Counter(keys) == {(epoch, i): 1 for epoch in range(3) for i in range(63)}


def test_a_corpus_of_no_weight_is_not_trained_on():
    source = mixture(sampling_weights=[1, 0])
    parts = split(source, Split(), 1)
    assert {corpus(source, i) for i in parts.train} == {"a"}
    assert {corpus(source, i) for i in parts.test} == {"a", "b"}


def test_corpora_of_different_groups_keep_each_its_own_whole(tmp_path):
    sources = {}
    for name, column in (("a", "subject"), ("b", "drum")):
        lines = [f"path,{column},x", *(f"{n}.wav,{column}{n % 5},{n}" for n in range(20))]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
        sources[name] = {"type": "manifest", "path": str(tmp_path / f"{name}.csv"), "group_column": column}
    source = mixture(sources=sources)
    parts = split(source, Split(), 1)
    groups = [
        {v for i in own for k, v in source.describe(i).groups.items() if k != "corpus"} for own in vars(parts).values()
    ]
    assert sum(map(len, groups)) == len(set().union(*groups)) == 10


def test_validation_none_gives_its_recordings_to_training_only_where_the_corpus_is_trained_on():
    source = mixture(train=["a"], validation=["b"], test=["a"])
    parts = split(source, Split(validation="none"), 1)
    assert {corpus(source, i) for i in parts.train} == {"a"} and not parts.validation


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"sampling_weights": [1]}, "1 sampling_weights for 2 corpora"),
        ({"sampling_weights": [1, -1]}, "none below 0"),
        ({"sampling_weights": [0, 0]}, "one above"),
        ({"train": ["a"], "validation": ["a"], "test": ["a"]}, "b is in no part"),
        ({"train": ["x"]}, "train names x; the sources are: a, b"),
        ({"sources": {"a": {"type": "tone", "sample_rate": 4000}}}, "has sample_rate 4000, and the mixture 8000"),
        ({"sources": {"a/b": {"type": "tone"}}}, "no /"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_to_do(fields, why):
    with pytest.raises(ValidationError, match=why):
        mixture(**fields)
