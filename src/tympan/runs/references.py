"""Answers to compare with by those who know more of a signal over time than a model hears: never a baseline."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from torch import Tensor

from ..data import Example
from ..objectives import Target
from ..objectives.resample import mean
from .prepare import Prepared
from .said import Decoded


class References:
    """What the source knows, what other listeners of the same song show, and what was true a frame before."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.targets = {name: output.target for name, output in prepared.run.outputs.items()}
        self.others: dict[tuple[str | None, str], list[tuple[str, int]]] = {}
        self.encoded: dict[int, dict[str, Tensor]] = {}
        kinds = prepared.source.clusters
        signals = any(target.rate and target.space == "real" for target in self.targets.values())
        self.listener = kinds[0] if signals and "song" in kinds[1:] else None
        for i in range(len(prepared.source)) if self.listener else ():
            groups = prepared.source.describe(i).groups
            if self.listener in groups and "song" in groups:
                self.others.setdefault(_song(groups), []).append((groups[self.listener], i))

    def __call__(self, example: Example, truth: Mapping[str, Decoded]) -> dict[str, dict[str, Decoded]]:
        """By target, then by who: `{output: (1, frames)}`, NaN where nothing is known.

        Args:
            example: the recording that is answered.
            truth: what is true of it, by target.
        """
        found: dict[str, dict[str, Decoded]] = {name: {} for name in self.targets}
        for who, values in self.prepared.source.references(example).items():
            encoded = self.prepared.encode(replace(example, values=values))
            for name, target in self.targets.items():
                if target.space == "real" and set(target.outputs) <= set(values):
                    found[name][f"reference/{who}"] = _decoded(target, encoded[name])
        for name, target in self.targets.items():
            if target.rate and target.space == "real":
                if others := self._others(example, name):
                    found[name]["reference/other_listeners"] = others
                found[name]["reference/persistence"] = {k: _before(v) for k, v in truth[name].items()}
        return found

    def _others(self, example: Example, name: str) -> Decoded:
        """The mean over the other listeners of the same song, frame by frame; nothing if there are none."""
        if self.listener is None or not {self.listener, "song"} <= set(example.groups):
            return {}
        me = example.groups[self.listener]
        indices = [i for who, i in self.others.get(_song(example.groups), ()) if who != me]
        target, found = self.targets[name], []
        for i in indices:
            if i not in self.encoded:
                self.encoded[i] = self.prepared.encode(replace(example, values=self.prepared.source.values(i)))
            found.append(_decoded(target, self.encoded[i][name]))
        return {output: _mean([one[output] for one in found]) for output in target.outputs} if found else {}


def _song(groups: Mapping[str, str]) -> tuple[str | None, str]:
    return groups.get("corpus"), groups["song"]


def _decoded(target: Target, encoded: Tensor) -> Decoded:
    return {output: values[0] for output, values in target.truth(encoded[None]).items()}


def _mean(arrays: list[np.ndarray]) -> np.ndarray:
    """The mean over arrays `(1, frames)` of different lengths, of what is known."""
    together = np.full((1, max(own.shape[1] for own in arrays), len(arrays)), np.nan)
    for i, own in enumerate(arrays):
        together[:, : own.shape[1], i] = own
    return mean(together)


def _before(truth: np.ndarray) -> np.ndarray:
    """The value one frame before; unknown at the start."""
    return np.concatenate([np.full((1, 1), np.nan), truth[:, :-1]], 1)
