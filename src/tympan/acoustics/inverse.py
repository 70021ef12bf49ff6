"""The way back: the pitch of the lowest mode from a waveform, when the ratios of the modes are known."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

_POINTS = 300  # in a short waveform's analysis
_STEP = 0.01  # of the grid of pitches, in periods per waveform
_RESOLVED = 6.0  # periods of the lowest mode in the waveform, from which its spectral peak stands alone


def fundamental(
    waveform: Float[np.ndarray, "samples"],
    sample_rate: int,
    ratios: Float[np.ndarray, "modes"],
    weights: Float[np.ndarray, "modes"],
    rate: float,
) -> float:
    """Frequency of the lowest mode (Hz) of a waveform that begins with the blow.

    Where the waveform holds enough periods, this is the lowest substantial peak of the spectrum: off the centre a
    higher mode may be the loudest. Shorter ones are explained as a sum of all modes: the pitch is the one under which
    the waveform is most probable, for independent normal amplitudes.

    Args:
        ratios: frequency of each mode by that of the lowest.
        weights: expected magnitude of each mode, up to a common factor.
        rate: decay rate of all modes (1/s).

    Returns:
        NaN for silence.
    """
    if not waveform.any():
        return math.nan
    seconds = len(waveform) / sample_rate
    y = np.asarray(waveform, np.float64) * np.exp(rate * np.arange(len(waveform)) / sample_rate)
    peak = lowest_peak(y, float(sample_rate))
    if peak * seconds >= _RESOLVED:
        return peak
    stride = max(len(y) // _POINTS, 1)  # no mode of so low a drum is left above half the lower rate
    y = y[::stride]
    model = _Modes(len(y), stride / sample_rate, seconds, tuple(ratios.tolist()), tuple(weights.tolist()))

    def evidence(steps: np.ndarray, noise: float) -> np.ndarray:
        return np.array([_evidence(y, *_whitened(model, int(step), noise)) for step in steps])

    # Much supposed noise makes wide summits, which a coarse grid cannot miss; little noise makes sharp ones.
    coarse = np.arange(25, round((_RESOLVED + 2) / _STEP), 5)
    best = coarse[np.argsort(evidence(coarse, 1e-3))[-4:]]
    fine = np.unique(np.concatenate([step + np.arange(-4, 5) for step in best]))
    return float(fine[evidence(fine, 1e-5).argmax()] * _STEP / seconds)


def lowest_peak(y: np.ndarray, sample_rate: float, floor: float = 0.01) -> float:
    """The lowest spectral peak (Hz) that rises above `floor` times the highest; side lobes stay below 0.0001."""
    from scipy.signal.windows import blackmanharris  # which takes a moment that making sounds need not wait

    n = 1 << (8 * len(y) - 1).bit_length()
    level = np.log(np.abs(np.fft.rfft(y * blackmanharris(len(y)), n)) + 1e-12)
    inner = level[1:-1]
    peaks = (inner > level[:-2]) & (inner >= level[2:]) & (inner > level.max() + math.log(floor))
    return _summit(level, int(np.argmax(peaks)) + 1, 0.0, sample_rate / n)


class _Modes(NamedTuple):
    """What the expected waveform depends on besides the pitch; hashable, so that its factors are computed once."""

    points: int
    period: float  # seconds between points
    seconds: float
    ratios: tuple[float, ...]
    weights: tuple[float, ...]


@lru_cache(maxsize=2048)
def _whitened(model: _Modes, step: int, noise: float) -> tuple[np.ndarray, float, float]:
    """What turns a waveform into independent amplitudes at the pitch `step`, the log determinant, and the noise."""
    frequencies = step * _STEP / model.seconds * np.array(model.ratios)
    kept = frequencies < 0.5 / model.period
    weights = np.array(model.weights)[kept]
    basis = np.sin(2 * np.pi * np.outer(np.arange(model.points) * model.period, frequencies[kept])) * weights
    basis *= np.sqrt(2 / (weights**2).sum())  # expected power 1
    factor = np.linalg.cholesky(basis.T @ basis / noise + np.eye(basis.shape[1]))
    return np.linalg.solve(factor, basis.T) / noise, float(np.log(np.diag(factor)).sum()), noise


def _evidence(y: np.ndarray, whiten: np.ndarray, determinant: float, noise: float) -> float:
    """Log marginal likelihood of sines from time 0: normal amplitudes, noise relative to their power."""
    part = whiten @ y
    misfit = (y @ y / noise - part @ part) / len(y)
    return -0.5 * len(y) * math.log(misfit) - determinant


def _summit(values: np.ndarray, i: int, start: float, step: float) -> float:
    """Where the parabola through three neighbours has its maximum, on an even grid."""
    if not 0 < i < len(values) - 1:
        return start + i * step
    left, top, right = values[i - 1 : i + 2]
    return start + step * (i + 0.5 * (left - right) / (left - 2 * top + right))
