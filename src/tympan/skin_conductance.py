"""Skin conductance: what in it cannot be any, filters, z-scores, tonic and phasic parts, responses."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from .component import assume
from .signals import bridge

LOW, HIGH = 0.05, 60.0
"""The range of skin conductance, µS (Kleckner et al. 2018, doi 10.1109/TBME.2017.2758643)."""
STEEPEST = 10.0
"""The steepest that skin conductance changes, µS/s (the same)."""
AROUND = 5.0
"""Seconds before and after a value out of range, or too steep a step, that are not trusted either (the same)."""
FLAT = 5.0
"""Seconds without any change after which an electrode is taken to be off. In 764 recordings of HKU956, at 4 Hz, nobody
who wore one stayed as level for more than 3.5."""
MICROSIEMENS = ("µS", "μS", "uS")
"""Its unit, with the micro sign, the Greek letter or a u."""


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a recording of skin conductance."""

    valid_share: float
    """The share of its frames that can be skin conductance, from 0 to 1."""
    problems: tuple[str, ...]
    """What was found, each in words."""
    valid: Bool[np.ndarray, " frames"]
    """Which frames can be."""


def check(x: Float[np.ndarray, " frames"], rate: float, unit: str = "µS") -> Verdict:
    """What of a recording cannot be skin conductance.

    In µS: values outside of 0.05-60 µS, zeros by name, and steps of more than 10 µS/s, each with 5 s before and after
    (Kleckner et al. 2018, doi 10.1109/TBME.2017.2758643); and a level that is of another unit. In any unit: gaps (NaN),
    and more than 5 s without change, an electrode that is off.

    Args:
        x: NaN where unknown.
        rate: Hz.
        unit: µS, or `z` or nothing where the values are normalised and may have any level.

    Raises:
        ValueError: another unit.
    """
    if unit not in (*MICROSIEMENS, "z", ""):
        raise ValueError(f"skin conductance in {unit!r} cannot be checked; convert it to µS, or say z if normalised")
    if len(x) < 2:
        return Verdict(0.0, (f"{len(x)} frame{'s' * (len(x) != 1)}: too short for a signal",), np.zeros(len(x), bool))
    known = np.isfinite(x)
    x = np.where(known, x, np.nan)
    problems, valid = [], known.copy()

    def found(bad: Bool[np.ndarray, " frames"], what: str, around: float = 0.0) -> None:
        if bad.any():
            problems.append(f"{what}: {bad.sum() / rate:.4g} s of {len(x) / rate:.4g} s")
            near = np.flatnonzero(bad)
            reach = round(around * rate)
            edges = np.zeros(len(x) + 1, int)
            np.add.at(edges, np.maximum(near - reach, 0), 1)
            np.add.at(edges, np.minimum(near + reach + 1, len(x)), -1)
            valid[np.cumsum(edges[:-1]) > 0] = False

    found(~known, "gaps")
    found(_flat(x, rate), f"no change for more than {FLAT:g} s (electrode off)")
    if unit in MICROSIEMENS and known.any():
        wrong = _wrong_unit(x[known])
        if wrong:
            problems.append(wrong)
        found(x == 0, "zero (electrode off)", AROUND)
        found((x < LOW) & (x != 0), f"below {LOW} µS", AROUND)
        found(x > HIGH, f"above {HIGH:g} µS", AROUND)
        steep = np.abs(np.diff(x)) * rate > STEEPEST
        found(np.append(steep, False) | np.insert(steep, 0, False), f"steeper than {STEEPEST:g} µS/s", AROUND)
    return Verdict(float(valid.mean()), tuple(problems), valid)


def lowpass(
    x: Float[np.ndarray, " frames"], rate: float, cutoff: float = 8.0, order: int = 4
) -> Float[np.ndarray, " frames"]:
    """What of a signal lies below a frequency, without delay: a Butterworth filter there and back.

    Args:
        x: NaN where unknown; it is bridged by straight lines for the filter, and unknown after it.
        rate: Hz.
        cutoff: Hz; at or above the Nyquist rate it is lowered to 3/4 of that (1.5 Hz at 4 Hz), and warned of.
        order: of the filter, which acts twice.
    """
    return _filtered(x, rate, cutoff, order, "lowpass")


def highpass(
    x: Float[np.ndarray, " frames"], rate: float, cutoff: float = 0.05, order: int = 2
) -> Float[np.ndarray, " frames"]:
    """What of a signal lies above a frequency, without delay; otherwise as `lowpass`."""
    return _filtered(x, rate, cutoff, order, "highpass")


def _filtered(
    x: Float[np.ndarray, " frames"], rate: float, cutoff: float, order: int, kind: str
) -> Float[np.ndarray, " frames"]:
    from scipy.signal import butter, sosfiltfilt  # half a second, which a list of components need not wait for

    if cutoff >= rate / 2:
        lower = 0.75 * rate / 2
        assume(
            f"a {kind} of {cutoff:g} Hz is not below the Nyquist rate of a signal at {rate:g} Hz ({rate / 2:g} Hz) and "
            f"was set to {lower:g} Hz; set one below {rate / 2:g}, or switch it off"
        )
        cutoff = lower
    if np.isnan(x).all():
        return x.astype(float)
    sections = butter(order, cutoff, kind, output="sos", fs=rate)
    y = sosfiltfilt(sections, bridge(x), padlen=min(3 * (order + 1), len(x) - 1))
    return np.where(np.isnan(x), np.nan, y)


def zscore(x: Float[np.ndarray, " frames"], level: tuple[float, float] | None = None) -> Float[np.ndarray, " frames"]:
    """A signal with mean 0 and standard deviation 1 over its known frames, or by the mean and deviation given.

    A signal that does not vary becomes 0, and is warned of.
    """
    known = x[~np.isnan(x)]
    if not len(known):
        return x.astype(float)
    mean, sd = level or (float(known.mean()), float(known.std()))
    if sd <= 1e-9 * abs(mean):
        assume("a signal that does not vary has no z-score and became 0; leave it out, or set normalize: none")
        return x * 0.0
    return (x - mean) / sd


def tonic_phasic(
    x: Float[np.ndarray, " frames"], rate: float
) -> tuple[Float[np.ndarray, " frames"], Float[np.ndarray, " frames"]]:
    """The slow level of skin conductance and its fast responses, parted at 0.05 Hz; their sum is the signal.

    Both filters are of second order, as in `eda_phasic(method="highpass")` of neurokit2; there and back their powers
    add up to 1, so that the tonic part is what the high-pass takes away.
    """
    phasic = highpass(x, rate)
    return x - phasic, phasic


@dataclass(frozen=True)
class Responses:
    """Skin-conductance responses, one after the other."""

    onset: Float[np.ndarray, " responses"]
    """When each begins to rise, s."""
    peak: Float[np.ndarray, " responses"]
    """When it is highest, s."""
    amplitude: Float[np.ndarray, " responses"]
    """From onset to peak, in the signal's unit."""


def responses(
    phasic: Float[np.ndarray, " frames"], rate: float, amplitude_min: float = 0.01, relative: bool = False
) -> Responses:
    """The skin-conductance responses of a phasic signal: each peak with the trough before it.

    A peak whose rise began before the recording, or in a gap, has no onset and is left out. Noise has peaks of its own:
    filter it out first.

    Args:
        phasic: NaN where unknown.
        rate: Hz.
        amplitude_min: the least amplitude, in the signal's unit (0.01-0.05 µS: Boucsein et al. 2012,
            doi 10.1111/j.1469-8986.2012.01384.x).
        relative: `amplitude_min` is a share: of the most prominent peak, which the prominence of each must reach, as in
            neurokit2, where it is 0.1.
    """
    from scipy.signal import find_peaks, peak_prominences

    onset, peak, prominence = [], [], []
    edges = np.flatnonzero(np.diff(np.concatenate([[False], ~np.isnan(phasic), [False]]).astype(int)))
    for begin, end in edges.reshape(-1, 2):
        y = phasic[begin:end]
        peaks, troughs = find_peaks(y)[0], find_peaks(-y)[0]
        before = np.searchsorted(troughs, peaks) - 1
        onset.append(np.where(before < 0, -1, begin + np.append(troughs, 0)[before]))
        peak.append(begin + peaks)
        prominence.append(peak_prominences(y, peaks)[0])
    if not sum(map(len, peak)):
        return Responses(np.empty(0), np.empty(0), np.empty(0))
    starts, tops, heights = (np.concatenate(each) for each in (onset, peak, prominence))
    amplitude = phasic[tops] - phasic[starts]
    enough = heights >= amplitude_min * heights.max() if relative else amplitude >= amplitude_min
    keep = enough & (starts >= 0)
    return Responses(starts[keep] / rate, tops[keep] / rate, amplitude[keep].astype(float))


def _flat(x: Float[np.ndarray, " frames"], rate: float) -> Bool[np.ndarray, " frames"]:
    begins = np.flatnonzero(np.concatenate([[True], np.diff(x) != 0]))  # a NaN differs from any, also from NaN
    lengths = np.diff(np.append(begins, len(x)))
    return np.repeat((lengths - 1) / rate > FLAT, lengths)


def _wrong_unit(x: Float[np.ndarray, " known"]) -> str:
    level = float(np.median(x))
    if (x < 0).mean() > 0.1:
        return f"{(x < 0).mean():.0%} of the values are negative, as in a normalised signal, whose unit would be z"
    if level > HIGH:
        guess = "nS: divide by 1,000" if level < 5e4 else "ohm: take 1,000,000 / x"
        return f"a level of {level:.4g} is too high for µS; it looks like {guess}"
    if 0 < level < 1e-4:
        return f"a level of {level:.4g} is too low for µS; it looks like S: multiply by 1,000,000"
    return ""
