"""Whether a model hears: its own answers to other songs, and how often a random assignment of songs does as well."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ..objectives import Metric
from ..objectives.accumulate import row_of
from ..objectives.resample import figure, level

_PAIRS = 20_000  # rows that a metric makes at most, unless the fewest permutations need more
_MOST, _FEWEST = 999, 99


@dataclass(frozen=True)
class Recording:
    """One recording of a part, with the model's answer to it."""

    id: str
    groups: tuple[str, ...]
    song: str
    corpus: str
    """Songs are only exchanged within one: else the difference of corpora would pass for hearing."""
    truth: Mapping[str, Float[np.ndarray, "1 _"]]
    answer: Mapping[str, Float[np.ndarray, "1 _"]]


@dataclass(frozen=True)
class Permuted:
    """The figures of recordings under random assignments of songs, of one output and metric."""

    ids: tuple[str, ...]
    groups: tuple[str, ...]
    figures: Float[np.ndarray, "recordings permutations"]

    def merge(self, other: "Permuted") -> "Permuted":
        """With the recordings of another one, as far as both have permutations."""
        n = min(self.figures.shape[1], other.figures.shape[1])
        both = np.concatenate([self.figures[:, :n], other.figures[:, :n]])
        return Permuted(self.ids + other.ids, self.groups + other.groups, both)

    def only(self, ids: Container[str]) -> "Permuted":
        """Some of the recordings."""
        kept = [i for i, id in enumerate(self.ids) if id in ids]
        ids, groups = (tuple(own[i] for i in kept) for own in (self.ids, self.groups))
        return Permuted(ids, groups, self.figures[kept])

    def levels(self) -> Float[np.ndarray, "permutations"]:
        """The figure over recordings for each permutation."""
        return level(self.figures, np.unique(self.groups, return_inverse=True)[1])


class Shuffled:
    """The recordings of a part, and whose song answers for whose; each for itself where it is its corpus' only one.

    A run that is repeated with other seeds has the same draws, so that the mean over its repeats is compared with means
    over the same assignments.
    """

    def __init__(self, recordings: Sequence[Recording], seed: int = 0) -> None:
        self.recordings = recordings
        self.rng = np.random.default_rng(seed)
        keys = [(one.corpus, one.song) for one in recordings]
        self.songs = sorted(set(keys))
        number = {key: i for i, key in enumerate(self.songs)}
        self.song = np.array([number[key] for key in keys], np.int64)
        self.members: list[list[int]] = [[] for _ in self.songs]
        self.rank = []
        for i, song in enumerate(self.song):
            self.rank.append(len(self.members[song]))
            self.members[song].append(i)
        corpora = [corpus for corpus, _ in self.songs]
        self.within = [np.flatnonzero(np.array(corpora) == corpus) for corpus in sorted(set(corpora))]

    def control(self) -> list[tuple[Recording, dict[str, np.ndarray], dict[str, np.ndarray]]]:
        """Each recording with what is true of it, and what the model said of another song, as far as both go."""
        other = np.arange(len(self.songs))
        for songs in self.within:
            # No song answers for itself; one of three random orders is like that.
            while len(songs) > 1 and (other[songs] == songs).any():
                other[songs] = self.rng.permutation(songs)
        found = []
        for i, one in enumerate(self.recordings):
            if other[self.song[i]] != self.song[i]:
                donor = self.recordings[self._donor(i, int(other[self.song[i]]))]
                n = min(next(iter(r.values())).shape[1] for r in (one.truth, donor.answer))
                cut = ({k: v[:, :n] for k, v in values.items()} for values in (one.truth, donor.answer))
                found.append((one, *cut))
        return found

    def permutations(self) -> Int[np.ndarray, "permutations songs"]:
        """Random assignments of songs, each as likely as any other; fewer where recordings are many."""
        n = len(self.recordings)
        many = _MOST if n * len(self.songs) <= _PAIRS else min(max(_FEWEST, _PAIRS // n), _MOST)
        orders = np.tile(np.arange(len(self.songs)), (many, 1))
        for order in orders:
            for songs in self.within:
                order[songs] = self.rng.permutation(songs)
        return orders

    def permuted(
        self, metric: Metric, output: str, rate: float, orders: Int[np.ndarray, "permutations songs"]
    ) -> Permuted:
        """The figures of every recording with something known, for each permutation."""
        kept: dict[tuple[int, int], float] = {}

        def of(i: int, song: int) -> float:
            donor = self._donor(i, song)
            if (i, donor) not in kept:
                truth, answer = self.recordings[i].truth[output][0], self.recordings[donor].answer[output]
                n = min(len(truth), answer.shape[1])
                known = not np.isnan(truth[:n]).all()
                row = row_of(metric, answer[:, :n].astype(float), truth[:n].astype(float), rate) if known else ()
                kept[i, donor] = figure(metric, np.array([row])) if known else float("nan")
            return kept[i, donor]

        there = [i for i, one in enumerate(self.recordings) if not np.isnan(one.truth[output]).all()]
        figures = np.array([[of(i, int(order[self.song[i]])) for order in orders] for i in there])
        ids, groups = ([self.recordings[i].id for i in there], [self.recordings[i].groups[0] for i in there])
        return Permuted(tuple(ids), tuple(groups), figures.reshape(len(there), len(orders)))

    def _donor(self, i: int, song: int) -> int:
        """The recording of a song that answers for recording i; its own song's is itself."""
        return self.members[song][self.rank[i] % len(self.members[song])]


def p_value(value: float, levels: Float[np.ndarray, "permutations"], more: bool) -> float:
    """How likely a model that does not hear is to do as well: (1 + as good or better) / (1 + permutations)."""
    close = 1e-9 * abs(value)  # what is equal but for rounding is as good
    as_good = levels >= value - close if more else levels <= value + close
    return float((1 + as_good.sum()) / (1 + (~np.isnan(levels)).sum()))
