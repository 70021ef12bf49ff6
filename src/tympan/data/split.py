"""Train, validation and test by group: seeded, disjoint, stratified where asked, written down."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field, model_validator

from ..component import Section, assume, did_you_mean
from . import Description, Source
from .table import some

_PARTS = ("train", "validation", "test")
_CLASSES = 50  # more different values than this are a quantity, not classes


class Split(Section):
    """Which recordings are learned from, which choose the checkpoint, and which are measured on at the end.

    Ratios count groups (subjects, drums, songs), not recordings, and nobody is in two parts.
    """

    ratios: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """Shares of the groups in training, validation and test, where the corpus does not say."""
    validation: float | Literal["none"] | None = None
    """Share of the groups drawn for validation, out of the corpus' own training part where it has one; by default the
    second of `ratios`. `none`: all of it is trained on."""
    group: str | None = None
    """The kind of group that is kept whole; by default the source's own, or each recording."""
    stratify: str | None = None
    """A value with few classes, whose shares should be alike in every part."""
    folds: int | None = Field(default=None, ge=2)
    """Number of folds in a cross-validation, over everything, whatever parts the corpus has."""
    seed: int | None = Field(default=None, ge=0)
    """Decides the draw; by default the run's own."""

    @model_validator(mode="after")
    def _shares(self) -> "Split":
        if min(self.ratios) < 0 or abs(sum(self.ratios) - 1) > 1e-6 or self.ratios[0] == 0:
            raise ValueError(f"ratios are three shares that add up to 1, training's above 0, not {self.ratios}")
        if not 0 <= self.share < 1 - self.ratios[2]:
            raise ValueError(
                f"validation: {self.validation} leaves nothing to train on beside {self.ratios[2]} for test"
            )
        return self

    @property
    def share(self) -> float:
        """The share of the groups that is drawn for validation; 0 for none."""
        if self.validation == "none":
            return 0.0
        return self.ratios[1] if self.validation is None else self.validation


@dataclass(frozen=True)
class Parts:
    """The indices of each part, ascending."""

    train: list[int]
    validation: list[int]
    test: list[int]


def split(source: Source, config: Split, seed: int) -> Parts:
    """Divide a source as its corpus says, and what the corpus leaves open by drawing groups.

    The corpus' own test part is kept as it is. Validation is the corpus' own, or drawn from its training part.

    Args:
        seed: the run's, where `config` has none.

    Raises:
        ValueError: a group would be in two parts, or a part empty; the groups are named.
    """
    draw = _Draw(source, config, seed)
    own = {part: [i for i, d in enumerate(draw.descriptions) if d.part == part] for part in (*_PARTS, None)}
    if config.validation == "none":
        own["train"], own["validation"] = own["train"] + own["validation"], []
    if len(own[None]) < len(draw.descriptions):
        draw.refuse_shared(own)
        if own["validation"] and (config.validation is not None or config.ratios != Split().ratios):
            assume(f"{source.type} has a validation part of its own, which split.validation and ratios do not change")
    test = own["test"]
    train, validation = own["train"], own["validation"]
    if train and not validation and config.share:
        train, validation = draw(train, (1 - config.share, config.share))
    if own[None]:
        drawn = draw(own[None], (1 - config.share - config.ratios[2], config.share, config.ratios[2]))
        train, validation, test = (a + b for a, b in zip((train, validation, test), drawn, strict=True))
    parts = Parts(sorted(train), sorted(validation), sorted(test))
    wanted = {"train": True, "validation": bool(config.share), "test": bool(config.ratios[2])}
    empty = [part for part, indices in asdict(parts).items() if wanted[part] and not indices]
    if empty:
        raise ValueError(
            f"the {' and the '.join(empty)} part of {source.type} would be empty; "
            "add it to the corpus' own tables, or say 0 for it in split.ratios"
        )
    draw.refuse_shared(asdict(parts))
    return parts


def folds(source: Source, config: Split, seed: int) -> list[Parts]:
    """Divide everything into `config.folds` parts by group; each is the test part once, whatever the corpus says.

    Validation is drawn by group from the rest, anew in each fold, unless it is `none`.

    Raises:
        ValueError: there are fewer groups than folds, or too few to draw validation from.
    """
    if config.folds is None:
        raise ValueError("split.folds says into how many parts a cross-validation divides; it is not set")
    draw = _Draw(source, config, seed)
    everything = list(range(len(draw.descriptions)))
    tests = draw(everything, [1 / config.folds] * config.folds)
    parts = []
    for fold, test in enumerate(tests):
        rest = sorted(set(everything) - set(test))
        train, validation = draw(rest, (1 - config.share, config.share), 1 + fold) if config.share else (rest, [])
        parts.append(Parts(sorted(train), sorted(validation), sorted(test)))
    return parts


def record(source: Source, parts: Parts, config: Split, seed: int) -> dict[str, Any]:
    """What `split.json` holds: ids and groups of each part, their counts, the seed, and a SHA-256 over all of it."""
    draw = _Draw(source, config, seed)
    told: dict[str, Any] = {"source": source.type, "seed": draw.seed, "config": config.model_dump(mode="json")}
    for part, indices in asdict(parts).items():
        groups = sorted({draw.groups[i] for i in indices})
        ids = [draw.descriptions[i].id for i in indices]
        told[part] = {"recordings": len(ids), "groups": len(groups), "group_names": groups, "ids": ids}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return {**told, "sha256": hashlib.sha256(text.encode()).hexdigest()}


class _Draw:
    """Descriptions, groups and classes of a source, and draws of whole groups from them."""

    def __init__(self, source: Source, config: Split, seed: int) -> None:
        self.descriptions = [source.describe(i) for i in range(len(source))]
        self.kind = config.group or source.group
        self.groups = [self._group(d) for d in self.descriptions]
        self.seed = seed if config.seed is None else config.seed
        self.weights = self._weights(source, config.stratify)

    def _group(self, description: Description) -> str:
        if self.kind is None:
            return description.id
        if self.kind not in description.groups:
            there = list(description.groups)
            raise ValueError(
                f"{description.id} has no group {self.kind!r} to split by; it has: {', '.join(there) or 'none'}"
                f"{did_you_mean(self.kind, there)}"
            )
        return description.groups[self.kind]

    def _weights(self, source: Source, stratify: str | None) -> Float[np.ndarray, "recordings classes"]:
        """Of each recording: 1, so that parts have equally many, and 1 for its class."""
        each = np.ones((len(self.groups), 1))
        if stratify is None:
            return each
        labels = [source.values(i).get(stratify) for i in range(len(self.groups))]
        if any(label is not None and np.ndim(label) for label in labels):
            raise ValueError(f"split.stratify: {stratify!r} is a signal, not a class of each recording")
        texts = ["" if label is None or label != label else str(label) for label in labels]
        classes = sorted({*texts} - {""})
        if not 0 < len(classes) <= _CLASSES:
            raise ValueError(
                f"split.stratify: {stratify!r} has {len(classes)} different values over {len(texts)} recordings; "
                f"name a value with 1 to {_CLASSES} classes"
            )
        return np.hstack([each, np.array(texts)[:, None] == np.array(classes)])

    def __call__(self, indices: list[int], shares: Sequence[float], stream: int = 0) -> list[list[int]]:
        """Divide recordings into parts of whole groups, whose numbers of groups are in proportion to the shares."""
        members: dict[str, list[int]] = {}
        for i in indices:
            members.setdefault(self.groups[i], []).append(i)
        names = sorted(members)  # so that the order of a table does not matter
        np.random.default_rng((self.seed, stream)).shuffle(names)
        sizes = self._sizes(names, shares)
        weights = np.array([self.weights[members[name]].sum(0) for name in names])
        parts = _deal(weights, sizes) if self.weights.shape[1] > 1 else np.repeat(np.arange(len(sizes)), sizes)
        return [
            [i for name, part in zip(names, parts, strict=True) if part == p for i in members[name]]
            for p in range(len(sizes))
        ]

    def _sizes(self, names: list[str], shares: Sequence[float]) -> list[int]:
        """Numbers of groups, at least one where there is a share; the largest remainders are rounded up."""
        n, used = len(names), sum(share > 0 for share in shares)
        if n < used:
            raise ValueError(
                f"{n} {self.kind or 'recordings'} ({some(sorted(names))}) cannot be divided into {used} parts; "
                "add more, or ask for fewer parts (split.validation: none, fewer split.folds)"
            )
        exact = [max(n * share, 1.0) if share > 0 else 0.0 for share in shares]
        sizes = [int(x + 1e-9) for x in exact]
        while sum(sizes) < n:
            sizes[int(np.argmax([x - size if x else -np.inf for x, size in zip(exact, sizes, strict=True)]))] += 1
        while sum(sizes) > n:
            sizes[int(np.argmax(sizes))] -= 1
        return sizes

    def refuse_shared(self, parts: dict[Any, list[int]]) -> None:
        """Refuse a group that is in two parts."""
        within = {part: {self.groups[i] for i in indices} for part, indices in parts.items() if part}
        for a, b in (("train", "test"), ("train", "validation"), ("validation", "test")):
            shared = sorted(within[a] & within[b])
            if shared:
                raise ValueError(
                    f"{self.kind or 'recording'} {some(shared)}: {len(shared)} in all, both in {a} and in {b}; move "
                    "all recordings of each into one part, else the score says nothing about anybody new"
                )


def _deal(weights: Float[np.ndarray, "groups classes"], sizes: list[int]) -> list[int]:
    """Put groups one by one where their classes are missing most: Sechidis et al. 2011, for groups, of given sizes.

    Each class counts by its shares; the squared distance from the wanted shares is what is kept small.
    """
    share = weights / np.maximum(weights.sum(0), 1)
    missing = np.outer(np.array(sizes) / sum(sizes), np.ones(share.shape[1]))
    left, parts = list(sizes), [0] * len(share)
    for group in np.argsort(-(share**2).sum(1), kind="stable"):  # the rarest and the largest first
        gain = [missing[p] @ share[group] if left[p] else -np.inf for p in range(len(sizes))]
        part = int(np.argmax(gain))
        parts[group], left[part] = part, left[part] - 1
        missing[part] -= share[group]
    return parts
