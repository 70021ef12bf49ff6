"""Several corpora as one: each part names its own, and each batch of training is drawn from one of them by weight."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any

import numpy as np
from jaxtyping import Int
from pydantic import Field, SerializeAsAny, field_validator, model_validator

from .. import Description, Example, Source, Values
from . import Dataset

_SHARED = ("sample_rate", "duration", "channels", "channel_names", "crop", "padding", "trim")


def _or_less(schema: dict[str, Any]) -> None:
    """A corpus may leave out what the mixture says for it, though by itself it needs it."""
    schema["additionalProperties"] = {
        "anyOf": [schema["additionalProperties"], {"type": "object", "required": ["type"]}]
    }


class Mixture(Dataset):
    """Corpora by name, mixed in training and scored one by one and together.

    A corpus that is named in one part alone is all of that part; one that is named in several is split, as `split`
    says, by itself. Its recordings, songs and listeners are called by its name and their own: `pmemo2019/996`.
    """

    sources: dict[str, SerializeAsAny[Source]] = Field(min_length=1, json_schema_extra=_or_less)
    """The corpora by name; what they say of `sample_rate`, `duration`, `channels`, `channel_names`, `crop`,
    `padding` and `trim` is what the mixture says, and may be left out."""
    train: tuple[str, ...] | None = Field(default=None, min_length=1)
    """The corpora that are trained on; by default all."""
    validation: tuple[str, ...] | None = None
    """The corpora that choose the checkpoint; by default all."""
    test: tuple[str, ...] | None = None
    """The corpora that are measured on at the end; by default all."""
    sampling_weights: tuple[float, ...] = ()
    """How often a batch of training is drawn from each corpus of `train`, in their order, as long as it has any left in
    the epoch; 0 leaves its training part out. By default in proportion to the recordings of each."""

    @model_validator(mode="before")
    @classmethod
    def _one_sound(cls, value: Any) -> Any:
        """Give each corpus what the mixture says of sound."""
        if not isinstance(value, dict) or not isinstance(value.get("sources"), dict):
            return value
        said = {name: value[name] for name in _SHARED if name in value}
        sources = {k: {**said, **v} if isinstance(v, dict) else v for k, v in value["sources"].items()}
        return {**value, "sources": sources}

    @field_validator("sources")
    @classmethod
    def _names(cls, sources: dict[str, Source]) -> dict[str, Source]:
        for name, source in sources.items():
            if not name or "/" in name:
                raise ValueError(f"a corpus is called {name!r}; a name has at least one character, and no /")
            if source.corpora:
                raise ValueError(f"corpus {name!r} is itself a mixture; name its corpora here instead")
        return sources

    @model_validator(mode="after")
    def _fits(self) -> "Mixture":
        for name, source in self.sources.items():
            for field in _SHARED:
                mine, own = getattr(self, field), getattr(source, field)
                if mine != own:
                    raise ValueError(
                        f"corpus {name!r} has {field} {own!r}, and the mixture {mine!r}; leave it out there"
                    )
        for part, names in self._named.items():
            if unknown := [name for name in names if name not in self.sources]:
                raise ValueError(f"{part} names {', '.join(unknown)}; the sources are: {', '.join(self.sources)}")
        every = {name for names in self._named.values() for name in names}
        if idle := [name for name in self.sources if name not in every]:
            raise ValueError(f"{', '.join(idle)} is in no part; name it in train, validation or test, or take it out")
        weights, names = self.sampling_weights, self._named["train"]
        if weights and len(weights) != len(names):
            raise ValueError(
                f"{len(weights)} sampling_weights for {len(names)} corpora in training ({', '.join(names)}); give one "
                "for each"
            )
        if weights and (min(weights) < 0 or not any(weights)):
            raise ValueError(f"sampling_weights are shares, none below 0 and one above it, not {list(weights)}")
        return self

    @property
    def _named(self) -> dict[str, tuple[str, ...]]:
        every = tuple(self.sources)
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {part: every if names is None else names for part, names in named.items()}

    @property
    def corpora(self) -> Mapping[str, tuple[Source, tuple[str, ...]]]:
        weight = dict(zip(self._named["train"], self.sampling_weights, strict=False))
        return {
            name: (
                source,
                tuple(p for p, own in self._named.items() if name in own and (p != "train" or weight.get(name, 1))),
            )
            for name, source in self.sources.items()
        }

    @property
    def group(self) -> str | None:
        own = {source.group for source in self.sources.values()}
        return own.pop() if len(own) == 1 else next(iter(self.clusters), None)

    @property
    def clusters(self) -> tuple[str, ...]:
        first, *others = (source.clusters for source in self.sources.values())
        return tuple(kind for kind in first if all(kind in other for other in others))

    @property
    def of_people(self) -> bool:
        return any(source.of_people for source in self.sources.values())

    @property
    def units(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for corpus, source in self.sources.items():
            for name, unit in source.units.items():
                if found.setdefault(name, unit) != unit:
                    raise ValueError(
                        f"{name} is in {unit or 'no unit'} in {corpus}, and in {found[name] or 'no unit'} in another "
                        "corpus; process both alike"
                    )
        return found

    @property
    def rates(self) -> dict[str, float]:
        """Rates that all corpora have in common; what has another in each is brought to the target's."""
        every = [source.rates for source in self.sources.values()]
        return {name: rate for name, rate in every[0].items() if all(own.get(name) == rate for own in every)}

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *accumulate(len(source) for source in self.sources.values())]

    def __len__(self) -> int:
        return self._starts[-1]

    def _at(self, index: int) -> tuple[str, Source, int]:
        if not 0 <= index < len(self):
            raise IndexError(f"mixture has {len(self)} recordings, none at {index}")
        place = bisect_right(self._starts, index) - 1
        name = list(self.sources)[place]
        return name, self.sources[name], index - self._starts[place]

    def __getitem__(self, index: int) -> Example:
        name, source, i = self._at(index)
        return _called(name, source[i])

    def clip(self, index: int, epoch: int, seed: int) -> Example:
        name, source, i = self._at(index)
        return _called(name, source.clip(i, epoch, seed))

    def describe(self, index: int) -> Description:
        name, source, i = self._at(index)
        own, parts = source.describe(i), self.corpora[name][1]
        part = parts[0] if len(parts) == 1 else own.part
        return Description(f"{name}/{own.id}", _groups(name, own.groups), own.duration, part)

    def seconds(self, index: int) -> float | None:
        _, source, i = self._at(index)
        return source.seconds(i)

    def values(self, index: int) -> Values:
        _, source, i = self._at(index)
        return source.values(i)

    def files(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for start, source in zip(self._starts, self.sources.values(), strict=False):
            for uri, indices in source.files().items():
                found.setdefault(uri, []).extend(start + i for i in indices)
        return found

    def fetch(self, index: int) -> bool:
        _, source, i = self._at(index)
        return source.fetch(i)

    @property
    def sounding(self) -> bool:
        return all(source.sounding for source in self.sources.values())

    def remarks(self) -> list[str]:
        return [f"{name}: {told}" for name, source in self.sources.items() for told in source.remarks()]

    def left_out(self) -> dict[str, str]:
        return {f"{name}/{id}": why for name, source in self.sources.items() for id, why in source.left_out().items()}

    def references(self, example: Example) -> dict[str, Values]:
        name = example.groups["corpus"]
        groups = {k: v.removeprefix(f"{name}/") for k, v in example.groups.items() if k != "corpus"}
        own = Example(example.waveform, example.values, example.id.removeprefix(f"{name}/"), groups, example.start)
        return self.sources[name].references(own)

    def order(self, part: Sequence[int], seed: int, epoch: int, batch_size: int) -> Int[np.ndarray, "examples"]:
        """The recordings of a part for an epoch, in whole batches of one corpus, drawn by weight.

        What does not fill a batch is mixed, at the epoch's start, where it fills the batch that the epoch before began,
        and at its end. Pure in (seed, epoch); every recording comes once.
        """
        indices = np.asarray(part, np.int64)
        place = np.searchsorted(self._starts, indices, side="right") - 1
        draw = np.random.default_rng((seed, epoch))
        own = {int(k): draw.permutation(indices[place == k]) for k in np.unique(place)}
        begun = min(-epoch * len(indices) % batch_size, len(indices))
        full = {k: len(rows) // batch_size for k, rows in own.items()}
        while sum(map(len, own.values())) - batch_size * sum(full.values()) < begun:
            full[max(full, key=lambda k: full[k])] -= 1
        rest = draw.permutation(np.concatenate([rows[full[k] * batch_size :] for k, rows in own.items()]))
        names, given = list(self.sources), dict(zip(self._named["train"], self.sampling_weights, strict=False))
        weight = {k: given.get(names[k], float(len(rows))) for k, rows in own.items()}
        batches, left = [rest[:begun]], dict(full)
        while any(left.values()):
            there = [k for k, n in left.items() if n]
            shares = np.array([weight[k] for k in there])
            k = there[int(draw.choice(len(there), p=shares / shares.sum()))]
            done = (full[k] - left[k]) * batch_size
            batches.append(own[k][done : done + batch_size])
            left[k] -= 1
        return np.concatenate([*batches, rest[begun:]])


def _groups(corpus: str, groups: Mapping[str, str]) -> dict[str, str]:
    return {**{kind: f"{corpus}/{name}" for kind, name in groups.items()}, "corpus": corpus}


def _called(corpus: str, example: Example) -> Example:
    groups = _groups(corpus, example.groups)
    return Example(example.waveform, example.values, f"{corpus}/{example.id}", groups, example.start)
