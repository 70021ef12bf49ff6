"""Music as a score of notes, drawn section by section, and the sound of it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

_BPM = (80.0, 140.0)
_SECTION = (5.0, 13.0)  # length of a section, s
_LEVEL = (-30.0, 0.0)  # of a section, dB
_PITCH = (42.0, 88.0)  # middle of a section's pitches, MIDI
_DENSITY = (0.4, 1.0)  # share of the eighths on which a note begins
_PAUSE, _PAUSES = (1.0, 3.0), 0.25  # silence after a section, s, and how often there is one
_SCALE = np.array([-3, -1, 0, 2, 4])  # pitches of a section, semitones from its middle
_RING = 0.5  # how long a note is heard, s


@dataclass(frozen=True)
class Song:
    """Notes in the order in which they begin."""

    duration: float
    """Seconds."""
    tempo: float
    """Beats per minute."""
    onset: Float[np.ndarray, "notes"]
    """Seconds; the first is 0."""
    level: Float[np.ndarray, "notes"]
    """dB, 0 for the loudest."""
    pitch: Float[np.ndarray, "notes"]
    """MIDI numbers: 69 is 440 Hz, 12 are an octave."""


def compose(rng: np.random.Generator, duration: float) -> Song:
    """A song of so many seconds, cut out of a longer one: sections of one loudness, register and density; pauses."""
    tempo = float(rng.uniform(*_BPM))
    eighth = 30 / tempo
    time = -rng.uniform(0.0, _SECTION[1])
    notes: list[tuple[float, float, float]] = []
    while time < duration:
        count = round(rng.uniform(*_SECTION) / eighth)
        level, middle, density = rng.uniform(*_LEVEL), round(rng.uniform(*_PITCH)), rng.uniform(*_DENSITY)
        played = rng.random(count) < density
        played[0] = True
        levels = np.minimum(level + rng.uniform(-1.5, 1.5, count), 0.0)
        pitches = middle + rng.choice(_SCALE, count)
        onsets = time + eighth * np.arange(count)
        notes += zip(onsets[played], levels[played], pitches[played], strict=True)
        time += count * eighth + (rng.uniform(*_PAUSE) if rng.random() < _PAUSES else 0.0)
    heard = np.array([note for note in notes if note[0] >= 0] or notes[-1:])
    heard[:, 0] -= heard[0, 0]
    onset, level, pitch = heard[heard[:, 0] < duration].T
    return Song(duration, tempo, onset, level, pitch)


def play(song: Song, frames: int, sample_rate: int) -> Float[np.ndarray, "samples"]:
    """The sound of a song, float32: plucked tones of a few partials, all of them below half the sample rate."""
    ring = round(_RING * sample_rate)
    t = np.arange(ring, dtype=np.float32) / np.float32(sample_rate)
    # A note begins and ends without a click.
    envelope = np.exp(-t / 0.12) * np.minimum(t / 0.004, 1) * np.minimum((_RING - t) / 0.05, 1)
    wave = np.zeros(frames + ring, np.float32)
    for onset, level, pitch in zip(song.onset, song.level, song.pitch, strict=True):
        f0 = 440 * 2 ** ((pitch - 69) / 12)
        tone = np.zeros(ring, np.float32)
        for n in (1, 2, 3, 5):
            if n * f0 < 0.45 * sample_rate:
                tone += np.sin(np.float32(2 * np.pi * n * f0) * t) / np.float32(n)
        first = min(round(onset * sample_rate), frames)
        wave[first : first + ring] += np.float32(10 ** (level / 20)) * envelope * tone
    wave = wave[:frames]
    return np.float32(0.95 / np.abs(wave).max()) * wave
