"""Signals that the data know at one rate -> the rate of a target, which a configuration may name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..data import Source, Values
from ..features import Feature
from ..objectives import Target
from ..signals import resample


@dataclass(frozen=True)
class AtRate:
    """Brings each signal to the rate of its target, anti-aliased; what has no rate, or that rate, is left as it is."""

    wanted: Mapping[str, float]
    """The rate of each output of a target (Hz)."""
    given: Mapping[str, Mapping[str, float]]
    """The rate of each signal (Hz) in each corpus; `""` where there is one."""

    @classmethod
    def of(cls, source: Source, targets: Mapping[str, Target]) -> "AtRate":
        """From a source's own rates to those of the targets."""
        wanted: dict[str, float] = {}
        given = {"": source.rates, **{name: own.rates for name, (own, _) in source.corpora.items()}}
        known = {name for rates in given.values() for name in rates}
        for target in targets.values():
            if target.rate is not None and known:
                wanted.update(dict.fromkeys(target.outputs, target.rate))
        return cls(wanted, given)

    def __call__(self, values: Values, corpus: str = "") -> Values:
        """The same values, each signal at its target's rate."""
        given = self.given.get(corpus, {})
        differ = {k: v for k, v in given.items() if k in values and self.wanted.get(k, v) != v}
        return (
            {**values, **{k: resample(values[k], v, self.wanted[k]) for k, v in differ.items()}} if differ else values
        )


def named(target: Mapping[str, Any], source: Source, features: Feature) -> float:
    """The rate (Hz) that a configuration calls `native`, `features` or `audio`.

    Args:
        target: what the configuration says of the target.
        source: where the sound comes from.
        features: the representation of it.

    Raises:
        ValueError: a native rate that nothing has, or not all of it the same.
    """
    if target["rate"] == "audio":
        return float(source.sample_rate)
    if target["rate"] == "features":
        found = features.build(source.audio)[1]
        return found.frames / found.duration
    quantities = target.get("quantities") or target.get("labels") or [target.get("column", "")]
    corpora = {name: own for name, (own, _) in source.corpora.items()} or {source.type: source}
    rates = {(name, corpus): own.rates.get(name) for corpus, own in corpora.items() for name in quantities}
    different = set(rates.values())
    native = different.pop()
    if native is None or different:
        told = ", ".join(f"{name} of {corpus}: {f'{r:g} Hz' if r else 'none'}" for (name, corpus), r in rates.items())
        raise ValueError(f"rate: native is one rate that the data have, and there is {told}; give hertz")
    return native
