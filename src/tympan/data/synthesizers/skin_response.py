"""Music and the skin conductance of simulated listeners, whose best possible answers are known."""

import math
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field, model_validator

from ...signals import Length
from .. import Example, Values
from . import Synthesizer
from ._listener import Listeners, conductance, draw, repeated, strengths
from ._music import Song, compose, play

_Normalize = Literal["recording", "none"]

# Streams of random numbers; stream 0 is each recording's own.
_SONG, _LISTENER, _HEARD_BY, _LAW, _POPULATION = 1, 2, 3, 4, 5
_DRAWS = 256  # recordings that an expected response is the mean of
_SONGS = 32  # sounds kept, some 2.5 MB each


class SkinResponse(Synthesizer):
    """Songs, each heard by several listeners; nobody's skin conductance follows from loudness by a linear law.

    A listener responds 1 to 4 s after an onset that is new: louder or softer, higher or lower than what went before, or
    after a pause; and less so after other responses. How strongly, how late and to what differs from listener to
    listener. Responses to nothing, a drifting level and noise are added. The values are `eda` (a signal at `eda_rate`),
    `tempo` (bpm) and `song` (its number); the groups are listener and song.

    By default a model that knew everything of the listener but not what is random reaches a Pearson correlation of at
    most 0.85 (`law`), and any that knows the population of listeners alone what `population` reaches.
    """

    sample_rate: int = Field(default=16000, gt=0)
    """Samples per second (Hz)."""
    duration: Length = 40.0
    """Length of every song, in seconds or as `1024 samples`."""
    listeners: int = Field(default=40, ge=1)
    """How many listeners there are."""
    listeners_per_song: int = Field(default=4, ge=1)
    """How many of them hear each song; their recordings come one after the other."""
    eda_rate: float = Field(default=4.0, gt=0)
    """Frames of skin conductance per second (Hz)."""
    normalize: _Normalize = "recording"
    """Whether every recording is brought to mean 0 and deviation 1, or is in µS."""

    @model_validator(mode="after")
    def _enough(self) -> "SkinResponse":
        if self.listeners_per_song > self.listeners:
            raise ValueError(
                f"listeners_per_song: {self.listeners_per_song} is more than the {self.listeners} listeners there are"
            )
        return self

    @property
    def group(self) -> str:
        return "song"

    @property
    def clusters(self) -> tuple[str, ...]:
        return ("listener", "song")

    @property
    def units(self) -> dict[str, str]:
        return {"eda": "z" if self.normalize == "recording" else "µS", "tempo": "bpm"}

    @property
    def rates(self) -> dict[str, float]:
        return {"eda": self.eda_rate}

    def groups(self, index: int) -> dict[str, str]:
        song, place = divmod(index, self.listeners_per_song)
        order = self.generator(_HEARD_BY, song).permutation(self.listeners)
        return {"listener": str(order[place]), "song": str(song)}

    def parameters(self, rng: np.random.Generator, index: int) -> dict[str, Any]:
        groups = self.groups(index)
        song = _score(self.seed, int(groups["song"]), self.audio.duration)
        who = self._listener(groups["listener"])
        (eda,) = _recordings(rng, song, who, strengths(song, who), self.eda_rate, self.normalize)
        return {"eda": eda, "tempo": song.tempo, "song": int(groups["song"])}

    def sound(self, rng: np.random.Generator, parameters: Values) -> Float[np.ndarray, "samples"]:
        return _sound(self.seed, parameters["song"], self.audio.duration, self.sample_rate).copy()

    def references(self, example: Example) -> dict[str, Values]:
        """Mean responses, which no answer surpasses for long: of this listener to this song, and of all listeners."""
        number, listener = int(example.groups["song"]), example.groups["listener"]
        song, who = _score(self.seed, number, self.audio.duration), self._listener(listener)
        rng = self.generator(_LAW, number, int(listener))
        often = np.repeat(strengths(song, who), _DRAWS, 0)
        law = _recordings(rng, song, repeated(who, _DRAWS), often, self.eda_rate, self.normalize).mean(0)
        everybody = _population(self.seed, number, self.audio.duration, self.eda_rate, self.normalize).copy()
        return {"law": {"eda": law}, "population": {"eda": everybody}}

    def _listener(self, number: str) -> Listeners:
        return draw(self.generator(_LISTENER, int(number)), 1)


def _recordings(
    rng: np.random.Generator,
    song: Song,
    who: Listeners,
    strength: Float[np.ndarray, "listeners notes"],
    rate: float,
    normalize: _Normalize,
) -> Float[np.ndarray, "listeners frames"]:
    frames = math.ceil(round(song.duration * rate, 6))
    eda = conductance(rng, song, who, strength, np.arange(frames) / rate)
    if normalize == "none":
        return eda
    away = eda - eda.mean(1, keepdims=True)
    return away / np.maximum(away.std(1, keepdims=True), np.finfo(float).tiny)


# A song is heard by several listeners, and by each in every epoch.


@lru_cache(4096)
def _score(seed: int, number: int, duration: float) -> Song:
    return compose(np.random.default_rng((seed, _SONG, number)), duration)


@lru_cache(_SONGS)
def _sound(seed: int, number: int, duration: float, sample_rate: int) -> Float[np.ndarray, "samples"]:
    return play(_score(seed, number, duration), round(duration * sample_rate), sample_rate)


@lru_cache(4096)
def _population(
    seed: int, number: int, duration: float, rate: float, normalize: _Normalize
) -> Float[np.ndarray, "frames"]:
    rng, song = np.random.default_rng((seed, _POPULATION, number)), _score(seed, number, duration)
    who = draw(rng, _DRAWS)
    return _recordings(rng, song, who, strengths(song, who), rate, normalize).mean(0)
