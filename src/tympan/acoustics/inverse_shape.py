"""The way back where the shape is unknown too: pitch and one ratio of a drum, as an aspect ratio, from a waveform."""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from .inverse import lowest_peak

Shapes = Float[np.ndarray, "shapes"]
"""One positive number for each shape, as an aspect ratio."""

_PERIODS = 8.0  # of the lowest peak, in the first window
_LONGEST = 64.0  # of the lowest peak, in the last
_BAND = 3.5  # times the lowest peak: what is above is not looked at
_PITCHES = np.arange(0.25, 1.1 * _PERIODS, 0.05)  # of the grid, in periods per first window
_MODES = 30  # the lowest ones of a shape
_SUMMITS = 3  # of the grid, which are climbed
_NOISE = 1e-2  # supposed, by expected power: much makes wide summits, which a grid cannot miss
_NEIGHBOURS = np.arange(-2, 4)  # points between which a spectrum is interpolated


def pitch_and_shape(
    waveform: Float[np.ndarray, "samples"],
    sample_rate: int,
    ratios: Callable[[Shapes], Float[np.ndarray, "shapes modes"]],
    shapes: Shapes,
    weights: Float[np.ndarray, "modes"],
    rate: float,
) -> tuple[float, float]:
    """Frequency of the lowest mode (Hz), and the shape, of a waveform that begins with the blow.

    The waveform is explained as a sum of its lower modes, sines that begin together: the answer is the pitch and the
    shape under which it is most probable, for independent normal amplitudes. Both are first sought on a grid, in the
    first 8 periods of the lowest spectral peak or in as many as there are. The grid's summits are climbed, and then the
    highest again in a window twice as long, up to 64 periods: a long window tells more, but its summit is too sharp to
    find. In less than some four periods of the lowest mode the answer is a guess.

    Args:
        ratios: from shapes to the frequency of each mode by that of the lowest.
        shapes: the shapes to search, at least two in even ratios.
        weights: expected magnitude of each mode, up to a common factor.
        rate: decay rate of all modes (1/s).

    Returns:
        NaN twice for silence.
    """
    from scipy.optimize import minimize  # which takes a moment that making sounds need not wait

    if not waveform.any():
        return math.nan, math.nan
    y = np.asarray(waveform, np.float64) * np.exp(rate * np.arange(len(waveform)) / sample_rate)
    first = math.ceil(_PERIODS / lowest_peak(y, float(sample_rate)) * sample_rate)
    between = math.log(shapes[1] / shapes[0])
    heard = min(_BAND * _PERIODS, 4.0 * (min(first, len(y)) // 8))  # what is below half the sample rate, in steps of 4
    window = _Window(y[:first], sample_rate, heard)

    def climb(start: np.ndarray, size: float) -> tuple[float, np.ndarray]:
        """From the logarithms of pitch and shape to the summit near them: how far below 0 it is, and where."""
        step = size * np.array([0.05 / (math.exp(start[0]) * window.seconds), between])

        def depth(place: np.ndarray) -> float:
            if (abs(place - start) > 6 * step).any():
                return math.inf
            shape = np.exp(place[1:])
            f = math.exp(place[0]) * ratios(np.clip(shape, shapes[0], shapes[-1]))[0]
            kept = np.argsort(f)[:_MODES]
            kept = kept[f[kept] < window.band / window.seconds]
            if not kept.size:
                return math.inf
            factor, scale = _factor(f[kept] * window.seconds, weights[kept], window.band, window.samples - 1.0)
            part = np.linalg.solve(factor, scale * window.products(f[kept]))
            return -float(_likelihood(window, part) - np.log(np.diag(factor)).sum())

        simplex = start + np.array([[0, 0], [step[0], 0], [0, step[1]]])
        options = {"xatol": 1e-2 * step.min(), "fatol": 1e-2, "maxfev": 40, "initial_simplex": simplex}
        found = minimize(depth, start, method="Nelder-Mead", options=options)
        return float(found.fun), found.x

    grid = _grid(ratios(shapes).tobytes(), len(shapes), weights.tobytes(), heard)
    climbed = [climb(start, 0.5) for start in grid.summits(window, shapes)[:_SUMMITS]]
    place = min(climbed, key=lambda found: found[0])[1]
    while window.samples < min(len(y), first * _LONGEST / _PERIODS):
        longer = y[: 2 * window.samples]
        window = _Window(longer, sample_rate, window.band * len(longer) / window.samples)
        place = climb(place, 0.25)[1]
    return math.exp(place[0]), float(np.clip(math.exp(place[1]), shapes[0], shapes[-1]))


class _Window:
    """The beginning of a waveform: its mean power in a band, and its mean product with the sine of any frequency."""

    def __init__(self, y: np.ndarray, sample_rate: int, band: float) -> None:
        self.samples, self.rate, self.seconds = len(y), sample_rate, (len(y) - 1) / sample_rate
        self.band = band
        """The highest frequency looked at, in periods per window."""
        size = 1 << (8 * len(y) - 1).bit_length()
        self.step, self.middle = sample_rate / size, len(y) // 2
        padded = np.zeros(size)  # counted from its middle, the window's spectrum is smooth enough to be interpolated
        padded[: len(y) - self.middle], padded[size - self.middle :] = y[self.middle :], y[: self.middle]
        padded[len(y) - self.middle - 1] /= 2  # the trapezoidal rule, whose first value is 0
        self.spectrum = np.fft.rfft(padded) / (len(y) - 1)
        heard = self.spectrum[: int(self.band / self.seconds / self.step) + 1]
        self.power = 2 * float(np.square(np.abs(heard)).sum()) * (len(y) - 1) / size

    def products(self, f: np.ndarray) -> np.ndarray:
        """With the sines of frequencies within the band (Hz); 0 with those above."""
        x = f / self.step
        first = np.clip(x.astype(np.int64), 2, len(self.spectrum) - 4)
        t, value = x - first, 0.0
        for k in _NEIGHBOURS:
            others = [(t - o) / (k - o) for o in _NEIGHBOURS if o != k]
            value = value + self.spectrum[first + k] * np.prod(others, 0)
        turned = value * np.exp(-2j * np.pi * f * self.middle / self.rate)
        return np.where(f * self.seconds < self.band, -turned.imag, 0.0)


def _likelihood(window: _Window, part: np.ndarray) -> np.ndarray | np.floating:
    """Log marginal likelihood of independent amplitudes `part`, up to their determinant, whatever the loudness."""
    points = 2 * window.band
    misfit = window.power / _NOISE - np.square(part).sum(-1) / points
    return -0.5 * points * np.log(np.maximum(misfit, 1e-6 * window.power / _NOISE))


def _factor(
    periods: np.ndarray, weights: np.ndarray, band: float, steps: float = math.inf
) -> tuple[np.ndarray, np.ndarray]:
    """Cholesky factor of the covariance of sines' products, and what the products are to be multiplied by.

    Args:
        periods: of each sine in the window, `(..., modes)`.
        weights: expected magnitude of each; 0 takes it out.
        steps: between the samples of the window.
    """
    scale = weights * np.sqrt(2 / np.square(weights).sum(-1, keepdims=True))  # expected power 1

    def cosine(x: np.ndarray) -> np.ndarray:
        """The mean of a cosine of so many periods."""
        if steps == math.inf:
            return np.sinc(2 * x)
        angle = np.where(x == 0, 1e-9, np.pi * x / steps)
        return np.sinc(2 * x) * angle / np.tan(angle)

    a, b = periods[..., :, None], periods[..., None, :]
    together = 0.5 * (cosine(a - b) - cosine(a + b)) * scale[..., :, None] * scale[..., None, :]
    points = 2 * band
    return np.linalg.cholesky(together * (points / _NOISE) + np.eye(periods.shape[-1])), scale * (points / _NOISE)


class _Grid(NamedTuple):
    """What the evidence for each pitch and shape depends on besides the waveform."""

    periods: np.ndarray
    """Of each mode kept in the window: `(pitches, shapes, modes)`, the lowest first."""
    whiten: np.ndarray
    """From products with sines to independent amplitudes: `(pitches, shapes, modes, modes)`."""
    determinant: np.ndarray
    """Of each covariance, half its logarithm: `(pitches, shapes)`."""

    def summits(self, window: _Window, shapes: Shapes) -> np.ndarray:
        """Logarithms of pitch and shape of the most probable places among their neighbours, the best first."""
        part = (self.whiten @ window.products(self.periods / window.seconds)[..., None])[..., 0]
        evidence = _likelihood(window, part) - self.determinant
        around = np.pad(evidence, 1, constant_values=-np.inf)
        rows, columns = evidence.shape
        near = [around[1 + i : 1 + i + rows, 1 + j : 1 + j + columns] for i in (-1, 0, 1) for j in (-1, 0, 1)]
        row, column = np.nonzero(evidence >= np.max(near, 0))
        best = np.argsort(-evidence[row, column])
        row, column = row[best], column[best]
        return np.log(np.stack([self.periods[row, column, 0] / window.seconds, shapes[column]], 1))


@lru_cache(maxsize=4)
def _grid(ratios: bytes, shapes: int, weights: bytes, band: float) -> _Grid:
    table, expected = np.frombuffer(ratios).reshape(shapes, -1), np.frombuffer(weights)
    lowest = np.argsort(table, 1)[:, :_MODES]
    periods = _PITCHES[:, None, None] * np.take_along_axis(table, lowest, 1)
    factor, scale = _factor(periods, np.where(periods < band, expected[lowest], 0.0), band)
    whiten = np.linalg.inv(factor) * scale[..., None, :]
    return _Grid(periods, whiten, np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(-1))
