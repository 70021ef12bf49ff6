"""Examples -> one batch: padded to one length, NaN where a target is unknown."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.utils.data import default_collate

from ..signals import frames_within
from . import Example, Source
from .augmentations import Augmentation
from .bad_samples import BadSamples

Encode = Callable[[Example], dict[str, Tensor]]
"""Values of an example -> the encoded target `(channels, frames)` of each output."""


AGAIN = 1_000_003
"""Epochs that lie between a clip and the same one again in one epoch: a prime, so that its window is another."""


class Clips(torch.utils.data.Dataset[dict[str, Any]]):
    """The plans of all epochs laid end to end: position alone decides epoch and example.

    So shuffling, workers and resuming need no state: an item is a pure function of its position. What comes again
    within an epoch is told as of a later one, so that it is cropped and augmented anew.
    """

    def __init__(
        self,
        source: Source,
        part: Sequence[int],
        encode: Encode,
        seed: int = 0,
        epochs: int = 1,
        shuffle: bool = True,
        batch_size: int = 1,
        augmentations: Sequence[tuple[int, Augmentation]] = (),
        shares: Float[np.ndarray, "examples"] | None = None,
        bad: BadSamples | None = None,
    ) -> None:
        """Args:
        augmentations: those of single recordings, each with its seed.
        shares: how large a part of a shuffled epoch each recording of the part is; by default each comes once.
        bad: what becomes of recordings that cannot be used; by default they are errors.
        """
        self.shares, self.bad = shares, bad
        self.source, self.part, self.encode, self.augmentations = source, list(part), encode, augmentations
        self.seed, self.epochs, self.shuffle, self.batch_size = seed, epochs, shuffle, batch_size
        self._plans: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.part) * self.epochs

    def at(self, position: int) -> tuple[int, int]:
        """The epoch and the example at a position."""
        epoch, place = divmod(position, len(self.part))
        if epoch not in self._plans:  # two are kept: what is read ahead may be of the next
            last = list(self._plans.items())[-1:]
            plan = np.asarray(self._plan(epoch) if self.shuffle else self.part, np.int64)
            self._plans = dict(last) | {epoch: np.stack([plan, _repeats(plan)], 1)}
        index, again = self._plans[epoch][place].tolist()
        return epoch + again * AGAIN, index

    def _plan(self, epoch: int) -> Int[np.ndarray, "examples"]:
        """The order of a shuffled epoch, pure in (seed, epoch)."""
        if self.shares is None:
            return self.source.order(self.part, self.seed, epoch, self.batch_size)
        # Evenly spaced places along the shares, so that how often each comes is its share rounded up or down. They lie
        # in another order of recordings in every epoch, so that no recording is the one that is always left out.
        draw = np.random.default_rng((self.seed, epoch))
        order = draw.permutation(len(self.part))
        ends = np.cumsum(self.shares[order])
        places = (np.arange(len(order)) + draw.random()) / len(order) * ends[-1]
        taken = order[np.searchsorted(ends, places, side="right").clip(max=len(order) - 1)]
        return draw.permutation(np.asarray(self.part, np.int64)[taken])

    def __getitem__(self, position: int) -> dict[str, Any]:
        return self.bad.item(self, position) if self.bad else self.item(*self.at(position))

    def item(self, epoch: int, index: int) -> dict[str, Any]:
        """The clip of an example in an epoch, augmented, with its encoded target."""
        example = self.source.clip(index, epoch, self.seed)
        key = torch.tensor([epoch, index])
        waveform = torch.from_numpy(np.require(example.waveform, np.float32, ["C", "W"]))
        return {"waveform": self._changed(waveform, key), "key": key, "target": self.encode(example)}

    def _changed(self, waveform: Float[Tensor, "channels samples"], key: Int[Tensor, " 2"]) -> Tensor:
        if not self.augmentations:
            return waveform
        x, real = waveform[None], torch.ones(1, waveform.shape[1], dtype=torch.bool)
        signal = replace(self.source.audio, duration=waveform.shape[1] / self.source.sample_rate)
        for seed, augmentation in self.augmentations:
            x, real = augmentation(x, real, key[None], seed, signal)
        return x[0]


def _repeats(plan: Int[np.ndarray, "examples"]) -> Int[np.ndarray, "examples"]:
    """How often what is at each place came before it."""
    order = np.argsort(plan, kind="stable")
    place = np.arange(len(plan))
    begins = np.concatenate([[True], np.diff(plan[order]) != 0]) if len(plan) else np.empty(0, bool)
    found = np.empty(len(plan), np.int64)
    found[order] = place - np.maximum.accumulate(np.where(begins, place, 0))
    return found


class Collate:
    """Stack clips to one length: the padding is silence, and NaN in a target that has a rate.

    Returns `{waveform (batch, channels, samples), samples (batch,) true lengths, key (batch, 2) = (epoch, index),
    target: {name: (batch, channels, frames)}}`.
    """

    def __init__(self, samples: int, padding: Literal["left", "right"], frames: Mapping[str, int]) -> None:
        self.samples, self.frames = samples, frames
        self.padding: Literal["left", "right"] = padding

    def __call__(self, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
        target = {}
        for name in items[0]["target"]:
            rows = [self._beside(item["target"][name], item["waveform"], self.frames[name]) for item in items]
            target[name] = torch.stack(rows)
        return {
            # In a worker this lays the clips where the training process finds them; `stack` would be copied there.
            "waveform": default_collate([pad(item["waveform"], self.samples, self.padding) for item in items]),
            "samples": torch.tensor([item["waveform"].shape[-1] for item in items]),
            "key": torch.stack([item["key"] for item in items]),
            "target": target,
        }

    def _beside(self, target: Tensor, waveform: Tensor, frames: int) -> Tensor:
        """A target that begins with its sound, whichever of them is longer, and is padded where its sound is."""
        own = min(max(frames_within(waveform.shape[-1] / self.samples, float(frames)), 1), frames)
        return pad(pad(target[:, :own], own, "right", math.nan), frames, self.padding, math.nan)


def pad(
    x: Float[Tensor, "channels frames"], frames: int, side: Literal["left", "right"], fill: float = 0.0
) -> Float[Tensor, "channels {frames}"]:
    """Lengthened to `frames` on one side."""
    missing = frames - x.shape[-1]
    return torch.nn.functional.pad(x, (missing, 0) if side == "left" else (0, missing), value=fill) if missing else x


def real(
    samples: Int[Tensor, "batch"], length: int, padding: Literal["left", "right"]
) -> Bool[Tensor, "batch samples"]:
    """Which of `length` samples are sound and which are padding."""
    place = torch.arange(length, device=samples.device)
    n = samples[:, None]
    return place >= length - n if padding == "left" else place < n
