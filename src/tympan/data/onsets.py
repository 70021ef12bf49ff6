"""When strokes begin in a recording of percussion: peaks of the spectral flux, and the attack before each."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import maximum_filter1d, uniform_filter1d

_WINDOW, _HOP = 0.023, 0.005  # seconds
_AT_ONCE = 4096  # frames whose spectra are in memory, of an hour's 720,000
_BANDS = 24  # to an octave at most; below, single bins
_LOWEST = 27.5  # Hz
_BEFORE, _AFTER = 0.10, 0.03  # seconds around a peak over which it must stand out
_REFRACTORY = 0.03  # seconds between two strokes at least
_RANGE = 60.0  # dB below the loudest band of the recording, where levels end
_QUIET, _ABOVE = 0.05, 10.0  # and dB above this quantile of a band's own level: what is softer is noise


def onsets(waveform: Float[np.ndarray, "channels samples"], rate: int, threshold: float = 0.6) -> list[float]:
    """The seconds at which strokes begin, ascending; none in silence.

    The flux is the mean rise of level (dB) over bands, of which each is compared with the loudest of its neighbours
    one frame earlier, so that a gliding partial is no rise (Böck & Widmer, DAFx 2013). A stroke is where the flux is
    highest around, and `threshold` dB above its mean there. Its time is the attack that the waveform itself shows.

    Args:
        threshold: dB; lower finds softer strokes, and more that are none.
    """
    mono = waveform.mean(0, dtype=np.float64)
    hop, size = max(round(_HOP * rate), 1), max(round(_WINDOW * rate), 2)
    if not mono.any():
        return []
    mono = np.concatenate([np.zeros(size), mono, np.zeros(size)])
    frames = np.lib.stride_tricks.sliding_window_view(mono, size)[::hop]
    parts = (frames[i : i + _AT_ONCE] * np.hanning(size) for i in range(0, len(frames), _AT_ONCE))
    level = _levels(np.concatenate([_bands(np.abs(np.fft.rfft(part, axis=1)) ** 2, rate / size) for part in parts]))
    rise = level[1:] - maximum_filter1d(level[:-1], 3, axis=1)
    flux = np.concatenate([[0.0], np.maximum(rise, 0).mean(1)])
    around = [round(s / _HOP) for s in (_BEFORE, _AFTER)]
    mean = uniform_filter1d(flux, sum(around) + 1, origin=(around[0] - around[1]) // 2, mode="constant")
    near = maximum_filter1d(flux, 2 * round(_REFRACTORY / _HOP) + 1, mode="constant")
    found: list[float] = []
    for frame in np.flatnonzero((flux == near) & (flux > mean + threshold)).tolist():
        time = _attack(mono, frame * hop, size, rate) / rate - size / rate
        if not found or time - found[-1] >= _REFRACTORY:
            found.append(max(time, 0.0))
    return found


def _bands(power: Float[np.ndarray, "frames bins"], resolution: float) -> Float[np.ndarray, "frames bands"]:
    """The mean power of bands that are evenly apart in octaves, or one bin where that is wider."""
    bins = power.shape[1]
    edges = np.unique(np.round(_LOWEST / resolution * 2 ** (np.arange(0, 400) / _BANDS)).clip(1, bins).astype(int))
    bands = np.add.reduceat(power, edges[:-1], axis=1) if len(edges) > 1 else power
    return bands / np.diff(edges) if len(edges) > 1 else bands


def _levels(bands: Float[np.ndarray, "frames bands"]) -> Float[np.ndarray, "frames bands"]:
    """Level (dB), down to that of noise."""
    noise = np.quantile(bands, _QUIET, axis=0) * 10 ** (_ABOVE / 10)
    return 10 * np.log10(np.maximum(bands, np.maximum(noise, bands.max() * 10 ** (-_RANGE / 10))))


def _attack(mono: Float[np.ndarray, "samples"], first: int, size: int, rate: int) -> int:
    """The sample in a window from which on the sound changes fastest: 1 ms before the steepest rise of its edge."""
    piece = np.abs(np.diff(mono[first : first + size], prepend=mono[max(first - 1, 0)]))
    block = max(round(0.001 * rate), 1)
    edge = uniform_filter1d(piece, block)
    high = np.flatnonzero(edge >= edge.max() / 2)
    return first + max(int(high[0]) - block, 0)
