"""The groups of a source's recordings, and draws of whole groups into parts: seeded, stratified where asked."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from ..component import assume, did_you_mean
from . import Description, Source
from .table import some

if TYPE_CHECKING:
    from .split import Split

_CLASSES = 50  # more different values than this are a quantity, not classes


class Draw:
    """Descriptions, groups and classes of a source, and draws of whole groups from them.

    Where two kinds of group are kept whole, each is drawn by itself, and a recording is in a part where both of its
    groups are; all others are in none.
    """

    def __init__(self, source: Source, config: "Split", seed: int) -> None:
        """Describe every recording.

        Raises:
            ValueError: a recording has no group of a kind that is split by.
        """
        self.descriptions: list[Description] = [source.describe(i) for i in range(len(source))]
        self.kinds: tuple[str | None, ...] = config.kinds(source)
        # Corpora whose groups are of different kinds keep each its own whole.
        own = {name: corpus.group for name, (corpus, _) in source.corpora.items()} if self.kinds == (None,) else {}
        own = own if config.protocol == "group" else {}
        self.by_kind = [
            [_group(d, own.get(d.groups.get("corpus", ""), kind)) for d in self.descriptions] for kind in self.kinds
        ]
        self.seed = seed
        self.weights = self._weights(source, config)

    @property
    def kind(self) -> str:
        """What is kept whole, in words."""
        return " and ".join(kind or "recording" for kind in self.kinds)

    def names(self, indices: Sequence[int]) -> list[str]:
        """The groups of recordings, each once; with its kind, where there are two."""
        if len(self.kinds) == 1:
            return sorted({self.by_kind[0][i] for i in indices})
        return sorted({f"{kind} {own[i]}" for kind, own in zip(self.kinds, self.by_kind, strict=True) for i in indices})

    def __call__(
        self, indices: list[int], shares: Sequence[float], stream: int = 0, seed: int | None = None
    ) -> list[list[int]]:
        """Divide recordings into parts of whole groups, whose numbers of groups are in proportion to the shares.

        Args:
            indices: the recordings.
            shares: of the groups, for each part.
            stream: another draw with the same seed.
            seed: instead of the split's.
        """
        part = np.full((len(self.kinds), len(self.descriptions)), -1)
        for k, groups in enumerate(self.by_kind):
            for p, own in enumerate(self._one(groups, indices, shares, stream, self.seed if seed is None else seed, k)):
                part[k, own] = p
        agreed = np.where((part == part[0]).all(0), part[0], -1)
        parts = [np.flatnonzero(agreed == p).tolist() for p in range(len(shares))]
        left = len(indices) - sum(map(len, parts))
        if left:
            assume(
                f"{left:,} of {len(indices):,} recordings have groups ({self.kind}) of different parts, and are in "
                "none, so that both kinds are unseen; take a split by one kind of group to use all"
            )
        return parts

    def _one(
        self, groups: list[str], indices: list[int], shares: Sequence[float], stream: int, seed: int, kind: int
    ) -> list[list[int]]:
        members: dict[str, list[int]] = {}
        for i in indices:
            members.setdefault(groups[i], []).append(i)
        names = sorted(members)  # so that the order of a table does not matter
        np.random.default_rng((seed, stream) if kind == 0 else (seed, stream, kind)).shuffle(names)
        sizes = _sizes(self.kinds[kind], names, shares)
        weights = np.array([self.weights[members[name]].sum(0) for name in names])
        parts = _deal(weights, sizes) if self.weights.shape[1] > 1 else np.repeat(np.arange(len(sizes)), sizes)
        return [
            [i for name, part in zip(names, parts, strict=True) if part == p for i in members[name]]
            for p in range(len(sizes))
        ]

    def _weights(self, source: Source, config: "Split") -> Float[np.ndarray, "recordings classes"]:
        """Of each recording: 1, so that parts have equally many, and 1 for its class of each value."""
        each = np.ones((len(self.descriptions), 1))
        names = [name for group in source.label_groups for name in group] if config.by_labels else config.stratified
        if not names:
            return each
        values = [source.values(i) for i in range(len(self.descriptions))]
        columns = {name: [v.get(name) for v in values] for name in names}
        if config.by_labels:
            columns = {name: own for name, own in columns.items() if _is_label(own)}
        return np.hstack([each, *(self._classes(name, own) for name, own in columns.items())])

    def _classes(self, name: str, labels: list[Any]) -> Float[np.ndarray, "recordings classes"]:
        if any(label is not None and np.ndim(label) for label in labels):
            raise ValueError(f"split.stratify: {name!r} is a signal, not a class of each recording")
        texts = ["" if label is None or label != label else str(label) for label in labels]
        classes = sorted({*texts} - {""})
        if not 0 < len(classes) <= _CLASSES:
            raise ValueError(
                f"split.stratify: {name!r} has {len(classes)} different values over {len(texts)} recordings; "
                f"name a value with 1 to {_CLASSES} classes"
            )
        return (np.array(texts)[:, None] == np.array(classes)).astype(float)

    def refuse_shared(self, parts: dict[Any, list[int]]) -> None:
        """Refuse a group that is in two parts."""
        for kind, groups in zip(self.kinds, self.by_kind, strict=True):
            within = {part: {groups[i] for i in indices} for part, indices in parts.items() if part}
            for a, b in (("train", "test"), ("train", "validation"), ("validation", "test")):
                shared = sorted(within[a] & within[b])
                if shared:
                    raise ValueError(
                        f"{kind or 'recording'} {some(shared)}: {len(shared)} in all, both in {a} and in {b}; move "
                        "all recordings of each into one part, else the score says nothing about anybody new"
                    )


def _is_label(cells: list[Any]) -> bool:
    """Whether what is known of a column is 0 or 1, once per recording."""
    if any(np.ndim(x) for x in cells):
        return False
    known = {x for x in cells if x is not None and x == x}
    return bool(known) and known <= {0, 1}


def _group(description: Description, kind: str | None) -> str:
    if kind is None:
        return description.id
    if kind not in description.groups:
        there = list(description.groups)
        raise ValueError(
            f"{description.id} has no group {kind!r} to split by; it has: {', '.join(there) or 'none'}"
            f"{did_you_mean(kind, there)}"
        )
    return description.groups[kind]


def _sizes(kind: str | None, names: list[str], shares: Sequence[float]) -> list[int]:
    """Numbers of groups, at least one where there is a share; the largest remainders are rounded up."""
    n, used = len(names), sum(share > 0 for share in shares)
    if n < used:
        raise ValueError(
            f"{n} {kind or 'recordings'} ({some(sorted(names))}) cannot be divided into {used} parts; "
            "add more, or ask for fewer parts (split.validation: none, fewer split.folds)"
        )
    exact = [max(n * share, 1.0) if share > 0 else 0.0 for share in shares]
    sizes = [int(x + 1e-9) for x in exact]
    while sum(sizes) < n:
        sizes[int(np.argmax([x - size if x else -np.inf for x, size in zip(exact, sizes, strict=True)]))] += 1
    while sum(sizes) > n:
        sizes[int(np.argmax(sizes))] -= 1
    return sizes


def _deal(weights: Float[np.ndarray, "groups classes"], sizes: list[int]) -> list[int]:
    """Put groups one by one where their classes are missing most: Sechidis et al. 2011, for groups, of given sizes.

    Each class counts by its shares, and what is missing as a part of what is wanted: a large part, which misses more of
    everything, would else take all that have several labels.
    """
    share = weights / np.maximum(weights.sum(0), 1)
    missing = np.outer(np.array(sizes) / sum(sizes), np.ones(share.shape[1]))
    left, parts = list(sizes), [0] * len(share)
    for group in np.argsort(-(share**2).sum(1), kind="stable"):  # the rarest and the largest first
        gain = [missing[p] @ share[group] / sizes[p] if left[p] else -np.inf for p in range(len(sizes))]
        part = int(np.argmax(gain))
        parts[group], left[part] = part, left[part] - 1
        missing[part] -= share[group]
    return parts
