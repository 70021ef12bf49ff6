"""Listeners hear songs of noise: what they show follows the loudness of the last second, with noise of their own."""

from typing import Any

import numpy as np
from pydantic import Field

from tympan.data import Description, Example, Source, Values

FIR = np.array([0.0, 0.0, 0.2, 0.5, 0.3])  # what a frame takes of the loudness (dB) of it and of those before


class Crowd(Source):
    """Every listener hears some of the songs; one signal at 4 Hz."""

    songs: int = Field(default=20, ge=1)
    listeners: int = Field(default=12, ge=1)
    each: int = Field(default=3, ge=1)
    """Songs that a listener hears."""
    own: float = 2.0
    """How large a listener's own noise is beside what the song does to all."""
    halves: int = Field(default=0, ge=0)

    def __len__(self) -> int:
        return self.listeners * self.each

    @property
    def group(self) -> str:
        return "song"

    @property
    def units(self) -> dict[str, str]:
        return {"level": "uS"}

    @property
    def rates(self) -> dict[str, float]:
        return {"level": 4.0}

    @property
    def clusters(self) -> tuple[str, ...]:
        return ("listener", "song")

    def _song(self, index: int) -> int:
        return (7 * index + index // self.songs) % self.songs

    def _loudness(self, song: int) -> np.ndarray:
        rng = np.random.default_rng(song)
        return -40 + 20 * rng.random(round(4 * self.audio.duration))

    def describe(self, index: int) -> Description:
        listener, song = index // self.each, self._song(index)
        groups = {"listener": f"l{listener}", "song": f"s{song}"}
        if self.halves:
            groups["corpus"] = f"c{listener % self.halves}"
        return Description(f"r{index}", groups, self.audio.duration)

    def values(self, index: int) -> Values:
        heard = self._loudness(self._song(index))
        law = np.convolve(np.pad(heard, (len(FIR) - 1, 0), mode="edge"), FIR, "valid")
        return {"level": law + self.own * np.random.default_rng((1, index)).normal(size=len(law))}

    def references(self, example: Example) -> dict[str, Values]:
        song = int(example.groups["song"][1:])
        heard = self._loudness(song)
        return {"population": {"level": np.convolve(np.pad(heard, (len(FIR) - 1, 0), mode="edge"), FIR, "valid")}}

    def __getitem__(self, index: int) -> Example:
        if not 0 <= index < len(self):
            raise IndexError(index)
        told, song = self.describe(index), self._song(index)
        rng = np.random.default_rng((2, song))
        # Frame i is what surrounds second i / 4.
        at = np.floor(np.arange(self.audio.frames) * 4 / self.sample_rate + 0.5).astype(int)
        loud = np.append(self._loudness(song), self._loudness(song)[-1])
        sound = 10 ** (loud[at] / 20) * np.sign(rng.normal(size=len(at)))
        values: dict[str, Any] = dict(self.values(index))
        return Example(sound[None].astype(np.float32), values, told.id, told.groups)
