"""Train, validation and test by group: seeded, disjoint, stratified where asked, written down."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from ..component import Section, assume
from . import Source
from .groups import Draw

_PARTS = ("train", "validation", "test")


Protocol = Literal["group", "unseen_song", "unseen_listener", "unseen_both", "ordered"]
Ratios = tuple[float, float, float]

_KINDS = {"unseen_song": ("song",), "unseen_listener": ("listener",), "unseen_both": ("song", "listener")}
_RATIOS: Ratios = (0.8, 0.1, 0.1)


class Split(Section):
    """Which recordings are learned from, which choose the checkpoint, and which are measured on at the end.

    Ratios count groups (subjects, drums, songs), not recordings, and nobody is in two parts. The name of a protocol
    alone will do: `split: unseen_both`.
    """

    protocol: Protocol = "group"
    """What is new in validation and test: a group of the kind below; a song; a listener; both, which leaves out the
    recordings whose song and listener fall into different parts. `ordered` takes the recordings in their order instead,
    and so lets songs and listeners be in several parts."""
    ratios: Ratios | None = None
    """Shares of the groups in training, validation and test, where the corpus does not say; by default the corpus' own
    `split_ratios`, else 0.8, 0.1, 0.1."""
    validation: float | Literal["none"] | None = None
    """Share of the groups drawn for validation, out of the corpus' own training part where it has one; by default the
    second of `ratios`. `none`: all of it is trained on."""
    group: str | None = None
    """The kind of group that is kept whole; by default the source's own, or each recording."""
    stratify: str | tuple[str, ...] | None = None
    """A value with few classes, or several, whose shares should be alike in every part; by default the labels of the
    data's label file that are 0 or 1. `[]`: none."""
    folds: int | None = Field(default=None, ge=2)
    """Number of folds in a cross-validation, over everything, whatever parts the corpus has."""
    seed: int | None = Field(default=None, ge=0)
    """Decides the draw; by default the corpus' own, or the run's."""

    @model_validator(mode="before")
    @classmethod
    def _protocol_alone(cls, value: Any) -> Any:
        return {"protocol": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [handler(core_schema), {"enum": list(get_args(Protocol))}]}

    @model_validator(mode="after")
    def _fits(self) -> "Split":
        ratios = self.ratios or _RATIOS
        if min(ratios) < 0 or abs(sum(ratios) - 1) > 1e-6 or ratios[0] == 0:
            raise ValueError(f"ratios are three shares that add up to 1, training's above 0, not {ratios}")
        if not 0 <= self.share < 1 - ratios[2]:
            raise ValueError(f"validation: {self.validation} leaves nothing to train on beside {ratios[2]} for test")
        if self.group and self.protocol != "group":
            raise ValueError(f"group is for protocol group; {self.protocol} says itself what is kept whole")
        if self.stratify and self.protocol == "ordered":
            raise ValueError("stratify has no part in an ordered split; leave it out, or take another protocol")
        if self.folds and self.protocol in ("unseen_both", "ordered"):
            raise ValueError(f"folds divide one kind of group, and protocol {self.protocol} does not; leave one out")
        return self

    @property
    def stratified(self) -> tuple[str, ...]:
        """The values whose shares should be alike in every part."""
        return (self.stratify,) if isinstance(self.stratify, str) else self.stratify or ()

    @property
    def by_labels(self) -> bool:
        """Whether those are the labels that the data list."""
        return self.stratify is None and self.protocol != "ordered"

    @property
    def share(self) -> float:
        """The share of the groups that is drawn for validation; 0 for none."""
        if self.validation == "none":
            return 0.0
        return (self.ratios or _RATIOS)[1] if self.validation is None else self.validation

    @property
    def shares(self) -> Ratios:
        """The shares of the groups in training, validation and test."""
        test = (self.ratios or _RATIOS)[2]
        return (1 - self.share - test, self.share, test)

    def kinds(self, source: Source) -> tuple[str | None, ...]:
        """The kinds of group that are kept whole; `None` is each recording."""
        if self.protocol == "ordered":
            return (None,)
        return _KINDS.get(self.protocol, (self.group or source.group,))

    def of(self, corpus: Source) -> "Split":
        """The same, with the ratios and the seed of a corpus where it has its own and this says nothing."""
        seed = corpus.own_seed if self.seed is None else self.seed
        return Split.model_validate({**self.model_dump(), "ratios": self.ratios or corpus.own_ratios, "seed": seed})


@dataclass(frozen=True)
class Parts:
    """The indices of each part, ascending."""

    train: list[int]
    validation: list[int]
    test: list[int]


def split(source: Source, config: Split, seed: int) -> Parts:
    """Divide a source as its corpus says, and what the corpus leaves open by drawing groups.

    The corpus' own test part is kept as it is. Validation is the corpus' own, or drawn from its training part. Of a
    mixture each corpus is divided by itself.

    Args:
        seed: the run's, where neither `config` nor the corpus has one.

    Raises:
        ValueError: a group would be in two parts, or a part empty; the groups are named.
    """
    draw = Draw(source, config, seed)
    inside: dict[str, list[int]] = {}
    for i, description in enumerate(draw.descriptions):
        inside.setdefault(description.groups.get("corpus", "") if source.corpora else "", []).append(i)
    divided = []
    for name, own in inside.items():
        corpus, named = source.corpora.get(name, (source, _PARTS))
        divided.append(_divide(draw, config.of(corpus), named, own, seed))
    train, validation, test = (sorted(i for one in divided for i in one[p]) for p in range(3))
    parts = Parts(train, validation, test)
    wanted = config.of(source).shares
    empty = [part for part, share, own in zip(_PARTS, wanted, (train, validation, test), strict=True)
             if share and not own]  # fmt: skip
    if empty:
        raise ValueError(
            f"the {' and the '.join(empty)} part of {source.type} would be empty; "
            "add it to the corpus' own tables, or say 0 for it in split.ratios"
        )
    if config.protocol == "ordered":
        _tell_leaks(draw, source, parts)
    else:
        draw.refuse_shared(asdict(parts))
    return parts


def _divide(
    draw: Draw, config: Split, named: Sequence[str], indices: list[int], seed: int
) -> tuple[list[int], list[int], list[int]]:
    """The three parts of one corpus, which has a share in those that are named."""
    own = {part: [i for i in indices if draw.descriptions[i].part == part] for part in (*named, None)}
    own = {part: own.get(part, []) for part in (*_PARTS, None)}
    shares: list[float] = [s if part in named else 0.0 for part, s in zip(_PARTS, config.shares, strict=True)]
    if config.validation == "none":
        own["train"], own["validation"] = own["train"] + own["validation"] * ("train" in named), []
    if len(own[None]) < len(indices) and config.protocol != "ordered":
        draw.refuse_shared(own)
    if own["validation"] and (config.validation is not None or config.ratios not in (None, _RATIOS)):
        assume("the corpus has a validation part of its own, which split.validation and ratios do not change")
    divide = _ordered if config.protocol == "ordered" else draw
    seed = seed if config.seed is None else config.seed
    train, validation, test = own["train"], own["validation"], own["test"]
    if train and not validation and shares[1]:
        train, validation = divide(train, (1 - config.share, config.share), seed=seed)
    if own[None] and sum(shares):
        drawn = divide(own[None], [share / sum(shares) for share in shares], seed=seed)
        train, validation, test = (a + b for a, b in zip((train, validation, test), drawn, strict=True))
    return train, validation, test


def _ordered(indices: list[int], shares: Sequence[float], seed: int) -> list[list[int]]:
    """Parts one after the other, in the order of the corpus; the seed has no part in it."""
    ends = [round(sum(shares[: p + 1]) * len(indices)) for p in range(len(shares))]
    return [indices[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _tell_leaks(draw: Draw, source: Source, parts: Parts) -> None:
    """Say how much of the test part was heard in training, since the order of a corpus keeps no group whole."""
    of = [{k: d.groups[k] for k in source.clusters if k in d.groups} for d in draw.descriptions]
    told = []
    for kind in source.clusters:
        heard, judged = ({of[i].get(kind) for i in own} - {None} for own in (parts.train, parts.test))
        told.append(f"{len(heard & judged)} of the {len(judged)} {kind}s of the test part are in training too")
    assume(
        f"split: ordered keeps nothing whole: {' and '.join(told) or 'what belongs together may be in two parts'}, so "
        "the figures say little about anything new; take unseen_song, unseen_listener or unseen_both"
    )


def folds(source: Source, config: Split, seed: int) -> list[Parts]:
    """Divide everything into `config.folds` parts by group; each is the test part once, whatever the corpus says.

    Validation is drawn by group from the rest, anew in each fold, unless it is `none`.

    Raises:
        ValueError: there are fewer groups than folds, or too few to draw validation from.
    """
    if config.folds is None:
        raise ValueError("split.folds says into how many parts a cross-validation divides; it is not set")
    config, k = config.of(source), config.folds
    draw = Draw(source, config, seed if config.seed is None else config.seed)
    everything = list(range(len(draw.descriptions)))
    tests = draw(everything, [1 / k] * k)
    parts = []
    for fold, test in enumerate(tests):
        rest = sorted(set(everything) - set(test))
        train, validation = draw(rest, (1 - config.share, config.share), 1 + fold) if config.share else (rest, [])
        parts.append(Parts(sorted(train), sorted(validation), sorted(test)))
    return parts


def record(source: Source, parts: Parts, config: Split, seed: int) -> dict[str, Any]:
    """What `split.json` holds: ids and groups of each part, their counts, the seed, and a SHA-256 over all of it."""
    config = config.of(source)
    draw = Draw(source, config, seed if config.seed is None else config.seed)
    told: dict[str, Any] = {"source": source.type, "seed": draw.seed, "config": config.model_dump(mode="json")}
    for part, indices in asdict(parts).items():
        groups = draw.names(indices)
        ids = [draw.descriptions[i].id for i in indices]
        told[part] = {"recordings": len(ids), "groups": len(groups), "group_names": groups, "ids": ids}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return {**told, "sha256": hashlib.sha256(text.encode()).hexdigest()}
