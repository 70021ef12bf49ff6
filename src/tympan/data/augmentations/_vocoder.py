"""Sound made longer or shorter at its own pitch, and read faster or slower: every clip of a batch by its own rate.

On a processor both are done by compiled loops, on other devices and where a gradient is wanted by tensors; the two
agree within rounding. Importing this imports numba, so import it where it is used.
"""

import math
from typing import Any, no_type_check

import numpy as np
import torch
from jaxtyping import Complex, Float, Shaped
from torch import Tensor
from torch.nn import functional

from ...kernel import dot, kernel
from ...memory import plain

_FRAME = 0.064  # s; long enough for the lowest voices, short enough for consonants
_OVERLAP = 4  # frames over every sample
_TAPS, _PHASE_BITS = 16, 9
_PHASES = 1 << _PHASE_BITS
_BITS = 32  # of a place that are below one sample
_ONE = 1 << _BITS
_BETA = 7.0  # of Kaiser's window: images of the sound are 60 dB below it
_NOTHING = 1e-30  # a product of two magnitudes
_BEFORE = 2  # frames until the one whose middle is the first sample
_AT_ONCE = 1 << 22  # spectral values in memory at once
_dot = dot(_TAPS)


def stretched(
    x: Float[Tensor, "rows samples"], rate: Float[Tensor, " rows"], sample_rate: float, samples: int
) -> Tensor:
    """Each row played at `rate` times its tempo at its own pitch, the first `samples` of it, `(rows, samples)`.

    A phase vocoder whose phases grow by those between neighbouring frames (Flanagan & Golden 1966; Laroche & Dolson
    1999). The distance of frames is the same in analysis and synthesis, so that the growth is a product of unit
    numbers, and no angle is taken.
    """
    size = max(1 << round(math.log2(_FRAME * sample_rate)), 2 * _OVERLAP)
    hop = size // _OVERLAP
    window = torch.hann_window(size, device=x.device, dtype=x.dtype)
    frames = samples // hop + _OVERLAP
    rows = max(1, _AT_ONCE // (max(x.shape[1] // hop, frames) * size))
    out = [_stretched(x[i : i + rows], rate[i : i + rows], window, hop, frames) for i in range(0, len(x), rows)]
    return torch.cat(out)[:, :samples]


def _stretched(x: Tensor, rate: Tensor, window: Tensor, hop: int, frames: int) -> Tensor:
    size = len(window)
    # So many frames begin before the sound that all of it lies under four, and every frame has a next.
    spectrum = torch.fft.rfft(functional.pad(x, (size, size + 2 * hop)).unfold(1, size, hop) * window)
    spectrum = _vocode(spectrum, rate, frames)
    pieces = (torch.fft.irfft(spectrum, size) * (window * (2 / 3))).unflatten(
        2, (_OVERLAP, hop)
    )  # Hann² adds up to 3/2
    y = pieces.new_zeros(len(x), frames + _OVERLAP - 1, hop)
    for i in range(_OVERLAP):
        y[:, i : i + frames] += pieces[:, :, i]
    return y.flatten(1)[:, size:]


def _vocode(
    spectrum: Complex[Tensor, "rows frames bins"], rate: Float[Tensor, " rows"], frames: int
) -> Complex[Tensor, "rows out bins"]:
    if plain(spectrum):
        given = torch.view_as_real(spectrum).flatten(2).numpy()
        made = np.empty((len(given), frames, given.shape[2]), np.float32)
        _turn(given, made, rate.double().numpy())
        return torch.view_as_complex(torch.from_numpy(made).unflatten(2, (-1, 2)))
    last = spectrum.shape[1] - 2
    at = _BEFORE + (torch.arange(frames, device=spectrum.device) - _BEFORE) * rate.double()[:, None]
    at = at.clamp(min=0)
    first = at.long().clamp(max=last)
    between = (at - first).to(spectrum.real.dtype)[:, :, None].clamp(max=1)
    row = torch.arange(len(rate), device=spectrum.device)[:, None]
    now, then = spectrum[row, first], spectrum[row, first + 1]
    size = now.abs() * (1 - between) + then.abs() * between
    turn = then * now.conj()
    silent = turn.abs() <= _NOTHING
    turned = torch.where(silent, 0.0, turn.angle()).double().cumsum(1).roll(1, 1)
    # After silence, as at the beginning, a bin has the phase of the sound itself.
    anew = silent.roll(1, 1)
    anew[:, 0], turned[:, 0] = True, 0.0
    step = torch.arange(frames, device=spectrum.device)[:, None].expand_as(anew)
    begun = torch.where(anew, step, 0).cummax(1).values
    phase = now.angle().gather(1, begun) + (turned - turned.gather(1, begun)).to(size.dtype)
    there = (at <= last)[:, :, None] & ~(anew & silent)
    return torch.polar(torch.where(there, size, 0.0), phase)


@kernel(fastmath=True)
@no_type_check
def _turn(given: Any, made: Any, rates: Any) -> None:
    """Interleaved real and imaginary parts; `unit` is the phase so far as a number of size 1."""
    rows, frames, width = made.shape
    last = given.shape[1] - 2
    for row in range(rows):
        unit = np.zeros(width, np.float32)
        for k in range(frames):
            at = max(_BEFORE + (k - _BEFORE) * rates[row], 0.0)
            first = int(at)
            if at > last:
                made[row, k:] = 0
                break
            _frame(given[row, first], given[row, first + 1], np.float32(at - first), unit, made[row, k])


@kernel(fastmath=True)
@no_type_check
def _frame(now: Any, then: Any, between: Any, unit: Any, made: Any) -> None:
    zero, one, nothing = np.float32(0), np.float32(1), np.float32(_NOTHING)
    for b in range(len(now) // 2):
        ar, ai, br, bi = now[2 * b], now[2 * b + 1], then[2 * b], then[2 * b + 1]
        na, nb = np.sqrt(ar * ar + ai * ai), np.sqrt(br * br + bi * bi)
        both = na * nb
        silent = both <= nothing
        # After silence, as at the beginning, a bin has the phase of the sound itself.
        anew = unit[2 * b] * unit[2 * b] + unit[2 * b + 1] * unit[2 * b + 1] < np.float32(0.5)
        own = zero if silent else one / na
        ur, ui = (ar * own, ai * own) if anew else (unit[2 * b], unit[2 * b + 1])
        size = na + between * (nb - na)
        made[2 * b], made[2 * b + 1] = size * ur, size * ui
        scale = zero if silent else one / both
        tr, ti = (br * ar + bi * ai) * scale, (bi * ar - br * ai) * scale
        vr, vi = ur * tr - ui * ti, ur * ti + ui * tr
        near = np.float32(1.5) - np.float32(0.5) * (vr * vr + vi * vi)  # one step of Newton's back to size 1
        unit[2 * b], unit[2 * b + 1] = vr * near, vi * near


def read(
    x: Float[Tensor, "rows samples"], speed: Float[Tensor, " rows"], start: Shaped[Tensor, " rows"], samples: int
) -> Float[Tensor, "rows {samples}"]:
    """Samples of each row at the places start + k speed, between its samples too, and 0 beyond its ends.

    A sinc of 16 taps under Kaiser's window, which lets through what the new rate can hold; its phase is the nearest of
    512. Places are whole numbers of 2^-32 samples, so that they are the same on every device.
    """
    tables = _tables((1 / speed).clamp(max=1.0))
    step, begin = ((number * _ONE).long() for number in (speed, start))
    if plain(x):
        made = np.empty((len(x), samples), np.float32)
        _interpolate(x.numpy(), made, step.numpy(), begin.numpy(), tables.numpy())
        return torch.from_numpy(made)
    at = begin[:, None] + torch.arange(samples, device=x.device) * step[:, None]
    first, phase = (at >> _BITS) + _TAPS // 2 + 1, (at >> (_BITS - _PHASE_BITS)) & (_PHASES - 1)
    wide = functional.pad(x, (_TAPS, _TAPS)).unfold(1, _TAPS, 1)
    row = torch.arange(len(x), device=x.device)[:, None]
    return (wide[row, first.clamp(0, wide.shape[1] - 1)] * tables[row, phase]).sum(2)


def _tables(cut: Float[Tensor, " rows"]) -> Float[Tensor, "rows phases taps"]:
    """The taps of each phase; their sum is 1, so that what is constant stays."""
    phase = (torch.arange(_PHASES, device=cut.device) + 0.5) / _PHASES
    away = torch.arange(_TAPS, device=cut.device) - (_TAPS // 2 - 1) - phase[:, None]
    window = torch.special.i0(_BETA * (1 - (away / (_TAPS / 2)).square()).clamp(min=0).sqrt())
    taps = torch.sinc(away * cut[:, None, None]) * window
    return taps / taps.sum(2, keepdim=True)


@kernel()
@no_type_check
def _interpolate(x: Any, made: Any, steps: Any, begins: Any, tables: Any) -> None:
    wide = np.zeros(x.shape[1] + 2 * _TAPS, np.float32)
    last = x.shape[1] + _TAPS
    for row in range(len(made)):
        wide[_TAPS:last] = x[row]
        table, step, samples = tables[row].ravel(), steps[row], made.shape[1]
        at = begins[row] + (_TAPS // 2 + 1) * _ONE
        # Of these samples all taps lie within the padded row.
        first = min(max(-(at // step), 0), samples)
        end = min(max(((last + 1) * _ONE - at - 1) // step + 1, first), samples)
        made[row, :first] = 0
        made[row, end:] = 0
        place, step = np.uint64(at + first * step), np.uint64(step)
        for k in range(first, end):
            phase = (place >> np.uint64(_BITS - _PHASE_BITS)) & np.uint64(_PHASES - 1)
            made[row, k] = _dot(wide, place >> np.uint64(_BITS), table, phase * np.uint64(_TAPS))
            place += step
