"""Listeners who respond to what is new in music, and the skin conductance that follows."""

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float, Int

from ._music import Song

_MEMORY = 4.0  # time constant of what is held for usual, s
_LEVEL, _PITCH = 8.0, 12.0  # changes that are as new as 1: dB, semitones
_PAUSE = 1.0  # from how long on silence is noticed, s
_FIRST = 1.8  # how new the first note is
_MOST = 2.0  # the strongest response, in gains
_VARIES = 0.4  # deviation of the logarithm of a response's size
_SPONTANEOUS = 0.5  # mean size of a response to nothing, in gains
_BEFORE = 15.0  # responses to nothing begin so long before the music, s
_SETTLES = 10.0  # time constant of the fall at the beginning, s
_SLOW = (30.0, 90.0)  # periods of the drift, s


@dataclass(frozen=True)
class Listeners:
    """What makes listeners differ; every field is `(listeners,)`."""

    gain: np.ndarray
    """Size of a response (µS)."""
    latency: np.ndarray
    """From an onset to the beginning of the response (s)."""
    rise: np.ndarray
    """Shorter time constant of a response (s)."""
    decay: np.ndarray
    """Longer time constant of a response (s)."""
    threshold: np.ndarray
    """How new an onset must be to be responded to."""
    habituation: np.ndarray
    """How much a response weakens those that follow."""
    recovery: np.ndarray
    """Time constant in which that is forgotten (s)."""
    loudness: np.ndarray
    """Weight of a change of loudness."""
    register: np.ndarray
    """Weight of a change of pitch."""
    pause: np.ndarray
    """Weight of each second of silence."""
    level: np.ndarray
    """Tonic level (µS)."""
    settling: np.ndarray
    """How far the level falls at the beginning, in gains."""
    drift: np.ndarray
    """Amplitude of slow changes of the level, in gains."""
    spontaneous: np.ndarray
    """Responses to nothing (Hz)."""
    noise: np.ndarray
    """Deviation of the amplifier's noise, in gains."""


def draw(rng: np.random.Generator, count: int) -> Listeners:
    """So many listeners."""

    def between(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, count)

    return Listeners(
        gain=0.4 * np.exp(0.5 * rng.standard_normal(count)),
        latency=between(1.0, 4.0),
        rise=between(0.5, 1.0),
        decay=between(2.0, 5.0),
        threshold=between(0.9, 1.4),
        habituation=between(0.4, 1.0),
        recovery=between(8.0, 25.0),
        loudness=between(0.7, 1.7),
        register=between(0.7, 1.7),
        pause=between(0.2, 1.0),
        level=between(4.0, 12.0),
        settling=between(1.0, 1.6),
        drift=between(0.4, 0.7),
        spontaneous=between(2.0, 6.0) / 60,
        noise=between(0.02, 0.04),
    )


def repeated(who: Listeners, count: int) -> Listeners:
    """One listener, so many times."""
    return Listeners(*(np.repeat(getattr(who, field.name), count) for field in fields(who)))


def novelty(song: Song) -> tuple[Float[np.ndarray, "notes"], Float[np.ndarray, "notes"], Float[np.ndarray, "notes"]]:
    """How far every note is from what was usual in loudness and in pitch, up or down, and the silence before it (s)."""
    notes = np.stack([song.level / _LEVEL, song.pitch / _PITCH])
    gaps = np.diff(song.onset, prepend=song.onset[0])
    usual, away = notes[:, 0], np.zeros_like(notes)
    for k in range(1, len(gaps)):
        away[:, k] = np.abs(notes[:, k] - usual)
        usual = usual + (1 - np.exp(-gaps[k] / _MEMORY)) * (notes[:, k] - usual)
    return away[0], away[1], np.maximum(gaps - _PAUSE, 0)


def strengths(song: Song, who: Listeners) -> Float[np.ndarray, "listeners notes"]:
    """The mean response to every note, in gains: to what is newer than the threshold, less after other responses."""
    loudness, register, pause = novelty(song)
    weighted = np.outer(who.loudness, loudness) + np.outer(who.register, register) + np.outer(who.pause, pause)
    weighted[:, 0] = _FIRST
    over = np.clip(weighted - who.threshold[:, None], 0, _MOST)
    weary = np.zeros(len(who.gain))  # 0 is fresh, 1 responds to nothing
    gaps = np.diff(song.onset, prepend=song.onset[0])
    for k in range(len(gaps)):
        weary = weary * np.exp(-gaps[k] / who.recovery)
        over[:, k] *= 1 - weary
        weary = 1 - (1 - weary) * np.exp(-who.habituation * over[:, k])
    return over


def conductance(
    rng: np.random.Generator,
    song: Song,
    who: Listeners,
    strength: Float[np.ndarray, "listeners notes"],
    times: Float[np.ndarray, "frames"],
) -> Float[np.ndarray, "listeners frames"]:
    """One recording of each listener at these times (µS).

    Responses to the notes vary in size; others come from nothing; both are Bateman functions (Lim et al. 1997, doi
    10.1016/S0167-8760(96)00017-9) on a level that settles and drifts. What is random but noise does not depend on how
    many frames there are within the same seconds.
    """
    count = len(who.gain)
    sizes = strength * np.exp(_VARIES * rng.standard_normal(strength.shape) - _VARIES**2 / 2)
    whose, note = np.nonzero(sizes)
    heard = _responses(who, whose, song.onset[note] + who.latency[whose], sizes[whose, note], times)
    whose = np.repeat(np.arange(count), rng.poisson(who.spontaneous * (song.duration + _BEFORE)))
    begin, size = rng.uniform(-_BEFORE, song.duration, len(whose)), rng.exponential(_SPONTANEOUS, len(whose))
    phase, period = rng.random((2, count, 1)), rng.uniform(*_SLOW, (2, count, 1))
    tonic = who.settling[:, None] * np.exp(-times / _SETTLES)
    tonic = tonic + who.drift[:, None] * np.sin(2 * np.pi * (times / period + phase)).sum(0)
    noise = who.noise[:, None] * rng.standard_normal((count, len(times)))
    return who.level[:, None] + who.gain[:, None] * (heard + _responses(who, whose, begin, size, times) + tonic + noise)


def _responses(
    who: Listeners,
    whose: Int[np.ndarray, "events"],
    begin: Float[np.ndarray, "events"],
    size: Float[np.ndarray, "events"],
    times: Float[np.ndarray, "frames"],
) -> Float[np.ndarray, "listeners frames"]:
    """The sum of every listener's responses, each a Bateman function whose peak is its size."""
    rise, decay = who.rise[whose, None], who.decay[whose, None]
    peak = np.log(decay / rise) * rise * decay / (decay - rise)
    since = np.maximum(times - begin[:, None], 0)
    shape = (np.exp(-since / decay) - np.exp(-since / rise)) / (np.exp(-peak / decay) - np.exp(-peak / rise))
    total = np.zeros((len(who.gain), len(times)))
    np.add.at(total, whose, size[:, None] * shape)
    return total
