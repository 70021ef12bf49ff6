"""Voices of made-up speakers, by source and filter, whose roughness, breath, tremor and rate are known."""

import math
from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import Field
from scipy.signal import lfilter

from .. import Values
from . import Synthesizer
from ._range import Positive, Range, draw

# Hz, of men, women's being a sixth higher (Peterson & Barney 1952, doi 10.1121/1.1906875)
_FORMANTS = {
    "a": (730, 1090, 2440),
    "e": (530, 1840, 2480),
    "i": (270, 2290, 3010),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
}
_WIDTHS = (80.0, 100.0, 150.0, 250.0)  # Hz
_FOURTH = 3500.0  # Hz
_OPEN = 0.6  # share of a period in which the glottis is open
LABELS = ("rough", "breathy", "tremulous", "slow")


class Voice(Synthesizer):
    """Syllables of one vowel, by pulses of the glottis (Klatt & Klatt 1990) through four resonances.

    A speaker has a sex, an age, a pitch, a length of the vocal tract, and each of four labels or not; each recording
    draws a vowel and measures of its own from the ranges of its speaker's labels. `rough` voices have much jitter (the
    deviation of periods, %) and shimmer (that of amplitudes, dB), `breathy` ones a low ratio `hnr` of harmonics to
    noise (dB), `tremulous` ones a deep tremor (semitones, at `tremor_rate` Hz), and `slow` ones few syllables a second
    (`rate`). Age and sex say nothing of the labels, and neither do the recording's level and the noise of its room; how
    loud each syllable is (`stress`) hides what a label makes of peaks and pauses.
    """

    recordings_per_speaker: int = Field(default=4, ge=1)
    """Recordings of one speaker, who is in one part alone."""
    prevalence: float = Field(default=0.4, gt=0, lt=1)
    """The share of speakers who have a label, of each label by itself."""
    pitch: Positive = (95.0, 140.0)
    """Pitch of men (Hz), or [low, high]; women's is 1.75 times as high."""
    jitters: tuple[Positive, Positive] = ((0.1, 0.5), (1.5, 4.0))
    """Deviation of periods in per cent, without and with the label rough."""
    shimmers: tuple[Positive, Positive] = ((0.1, 0.4), (0.6, 1.5))
    """Deviation of the amplitudes of periods in dB, without and with the label rough."""
    hnrs: tuple[Range, Range] = ((22.0, 30.0), (4.0, 12.0))
    """Harmonics to noise in dB, without and with the label breathy."""
    tremors: tuple[Range, Range] = ((0.0, 0.1), (0.6, 1.5))
    """Depth of the tremor of pitch in semitones, without and with the label tremulous."""
    tremor_rate: Positive = (4.0, 7.0)
    """The rate of the tremor (Hz)."""
    syllables: tuple[Positive, Positive] = ((4.0, 5.5), (1.8, 2.8))
    """Syllables a second, without and with the label slow."""
    stress: Range = (0.0, 5.0)
    """Deviation of the loudness of syllables in dB."""
    noise: Range = (-40.0, -15.0)
    """The noise of the room in dB below the voice, which is a negative number."""
    level: Range = (-45.0, -22.0)
    """The level (root mean square) of the voice in dB of full scale, by the gain of the recording."""

    @property
    def units(self) -> dict[str, str]:
        return {"f0": "Hz", "jitter": "%", "shimmer": "dB", "hnr": "dB", "tremor": "semitones", "tremor_rate": "Hz",
                "rate": "Hz", "stress": "dB", "noise": "dB", "level": "dB", "age": "years"}  # fmt: skip

    @property
    def label_groups(self) -> tuple[tuple[str, ...], ...]:
        return (LABELS,)

    def groups(self, index: int) -> dict[str, str]:
        return {"subject": f"v{index // self.recordings_per_speaker:04d}"}

    def parameters(self, rng: np.random.Generator, index: int) -> dict[str, Any]:
        speaker = self.generator(1, index // self.recordings_per_speaker)
        woman = bool(speaker.random() < 0.5)
        told: dict[str, Any] = {"sex": "f" if woman else "m", "age": int(speaker.integers(20, 85))}
        told["f0"] = draw(speaker, self.pitch) * (1.75 if woman else 1.0)
        tract = (1.17 if woman else 1.0) * float(speaker.uniform(0.95, 1.05))
        labels = {label: int(speaker.random() < self.prevalence) for label in LABELS}
        told |= labels
        told["vowel"] = str(rng.choice(list(_FORMANTS)))
        told["tract"] = tract
        told["jitter"] = draw(rng, self.jitters[labels["rough"]])
        told["shimmer"] = draw(rng, self.shimmers[labels["rough"]])
        told["hnr"] = draw(rng, self.hnrs[labels["breathy"]])
        told["tremor"] = draw(rng, self.tremors[labels["tremulous"]])
        told["tremor_rate"] = draw(rng, self.tremor_rate)
        told["rate"] = draw(rng, self.syllables[labels["slow"]])
        for name, given in (("stress", self.stress), ("noise", self.noise), ("level", self.level)):
            told[name] = draw(rng, given)
        return told

    def sound(self, rng: np.random.Generator, parameters: Values) -> Float[np.ndarray, "samples"]:
        n, rate = self.audio.frames, float(self.sample_rate)
        source, opened = _glottis(rng, parameters, n, rate)
        breath = rng.standard_normal(n) * (0.3 + 0.7 * opened)
        ratio = 10 ** (-parameters["hnr"] / 20)
        y = source + breath * (ratio * source.std() / max(breath.std(), 1e-12))
        first = parameters["tract"] * np.array([*_FORMANTS[parameters["vowel"]], _FOURTH])
        for frequency, width in zip(first, _WIDTHS, strict=True):
            if frequency < rate / 2:
                r = np.exp(-np.pi * width / rate)
                a = [1.0, -2 * r * np.cos(2 * np.pi * frequency / rate), r * r]
                y = lfilter([sum(a)], a, y)
        syllable = np.arange(n) / rate * parameters["rate"] + rng.random()
        loud = 10 ** (parameters["stress"] * rng.standard_normal(int(syllable[-1]) + 1) / 20)
        y = y * loud[syllable.astype(int)] * (0.05 + 0.95 * np.sin(np.pi * syllable) ** 2)
        room = rng.standard_normal(n) * 10 ** (parameters["noise"] / 20)
        gain = 10 ** (parameters["level"] / 20)
        return (gain * (y / y.std() + room)).clip(-1, 1).astype(np.float32)


def _glottis(
    rng: np.random.Generator, parameters: Values, samples: int, rate: float
) -> tuple[Float[np.ndarray, " samples"], Float[np.ndarray, " samples"]]:
    """The derivative of the flow, period by period, and where the glottis is open."""
    phase, at = 2 * math.pi * rng.random(), 0.0
    starts, periods = [], []
    turn = 2 * math.pi * parameters["tremor_rate"] / rate
    while at < samples:
        bend = parameters["tremor"] * math.sin(turn * at + phase)
        period = rate / (parameters["f0"] * 2 ** (bend / 12)) * (1 + parameters["jitter"] / 100 * rng.standard_normal())
        starts.append(at)
        periods.append(max(period, 2.0))
        at += periods[-1]
    loud = 10 ** (parameters["shimmer"] * rng.standard_normal(len(starts)) / 20)
    n = np.arange(samples)
    own = np.searchsorted(starts, n, side="right") - 1  # the period of each sample
    x = (n - np.array(starts)[own]) / (_OPEN * np.array(periods)[own])  # flow grows as x², and falls as x³
    opened = x < 1
    return np.where(opened, loud[own] * (2 * x - 3 * x * x), 0.0), opened.astype(np.float64)
