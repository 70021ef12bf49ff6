"""How far apart two curves are when their times are aligned: DTW, the discrete Fréchet distance, soft-DTW.

Every table is filled one anti-diagonal at a time, whose cells do not depend on each other. A cell lies where its
difference of times i - j says, so that its predecessors (i-1, j-1), (i-1, j) and (i, j-1) are the same place two
diagonals ago and two neighbours on the last one; b is reversed, and every operand is then a slice that is read
forwards. The loops over a diagonal are given few slices, and the compiler then computes many cells at once.

Importing this imports numba, so import it where it is used. Kernels are compiled at the first call and kept on disk.
"""

from typing import Any, no_type_check

import numpy as np
from jaxtyping import Float, Int

from ..kernel import kernel

# Infinity stands for "outside of the table", so it keeps its meaning; nothing is NaN.
_kernel = kernel({"nnan", "nsz", "contract", "arcp"})
_ROOT3, _LOG_ROOT3 = float(np.sqrt(3)), float(np.log(3) / 2)


def dtw(a: Float[np.ndarray, "n"], b: Float[np.ndarray, "m"], band: int | None = None) -> float:
    """The least sum of |a - b| over all warping paths (Sakoe & Chiba 1978), in the precision of the arrays.

    Args:
        a: `(n,)`, float64 or float32, at least one value.
        b: `(m,)`, likewise.
        band: paths stay within |i - j| <= band frames; by default anywhere. Infinite below |n - m|, where none is left.

    Returns:
        The sum; NaN where a value is not finite.
    """
    return float(_hard(a, b, _width(a, b, band), False)) if _finite(a, b) else float("nan")


def warping_path(a: Float[np.ndarray, "n"], b: Float[np.ndarray, "m"], band: int | None = None) -> tuple[float, float]:
    """DTW and the number of pairs on its path: of equally cheap paths, the one with the fewest."""
    return _hard_with_length(a, b, _width(a, b, band)) if _finite(a, b) else (float("nan"), float("nan"))


def frechet(a: Float[np.ndarray, "n"], b: Float[np.ndarray, "m"]) -> float:
    """The discrete Fréchet distance, the least possible largest |a - b| on a warping path (Eiter & Mannila 1994)."""
    return float(_hard(a, b, _width(a, b, None), True)) if _finite(a, b) else float("nan")


def soft_dtw(
    a: Float[np.ndarray, "frames"],
    b: Float[np.ndarray, "frames"],
    lengths: Int[np.ndarray, "curves"],
    gamma: float,
    band: int | None = None,
    gradient: bool = True,
) -> tuple[Float[np.ndarray, "curves"], Float[np.ndarray, "frames"], Float[np.ndarray, "frames"]]:
    """Soft-DTW of squared differences (Cuturi & Blondel 2017) of many pairs of curves, laid end to end, in float64.

    Args:
        a: the first curve of every pair, one after the other.
        b: the second ones, as long.
        lengths: the length of each pair of curves; 0 for a pair without any, whose value is 0.
        gamma: how soft the minimum is; towards 0 it becomes DTW of squared differences.
        band: paths stay within |i - j| <= band frames; by default anywhere.
        gradient: whether the derivatives are computed, which keeps 8 bytes per cell of the largest pair.

    Returns:
        The values, accurate to 1e-9 gamma a frame, and their derivatives by `a` and by `b` (0 without `gradient`); NaN
        for a pair with a value that is not finite.
    """
    found = _soft(a.astype(np.float64), b.astype(np.float64), lengths, gamma, _width(a, b, band), gradient)
    pair = np.repeat(np.arange(len(lengths)), lengths)
    broken = np.isin(np.arange(len(lengths)), pair[~np.isfinite(a + b)])
    values, by_a, by_b = (np.where(at, np.nan, x) for at, x in zip((broken, *[broken[pair]] * 2), found, strict=True))
    return values, by_a, by_b


def _width(a: Float[np.ndarray, "n"], b: Float[np.ndarray, "m"], band: int | None) -> int:
    return len(a) + len(b) if band is None else band


def _finite(a: Float[np.ndarray, "n"], b: Float[np.ndarray, "m"]) -> bool:
    return bool(np.isfinite(a).all() and np.isfinite(b).all())


@_kernel
@no_type_check
def _diagonal(k: int, n: int, m: int, width: int) -> tuple[int, int, int, int, int]:
    """Of diagonal i + j = k: the first i and the one after the last, where they begin in their own row of the table, in
    the other one, and in the reversed b."""
    low, high = max(0, k - m + 1, (k - width + 1) // 2), min(n, k + 1, (k + width) // 2 + 1)
    place = m // 2 + 1 + low - (k + 1) // 2
    return low, max(high, low), place, place - 1 + k % 2, m - 1 - k + low


@_kernel
@no_type_check
def _cheapest(own: Any, other: Any, a: Any, b: Any) -> None:
    for t in range(len(a)):
        own[t] = abs(a[t] - b[t]) + min(own[t], min(other[t], other[t + 1]))


@_kernel
@no_type_check
def _nearest(own: Any, other: Any, a: Any, b: Any) -> None:
    for t in range(len(a)):
        own[t] = max(abs(a[t] - b[t]), min(own[t], min(other[t], other[t + 1])))


@_kernel
@no_type_check
def _fewest(own: Any, other: Any, own_pairs: Any, other_pairs: Any, apart: Any) -> None:
    for t in range(len(apart)):
        x, y, z = own[t], other[t], other[t + 1]
        i, j, k = own_pairs[t], other_pairs[t], other_pairs[t + 1]
        least = min(x, min(y, z))
        # A number of pairs that no path has, where a predecessor costs more.
        i, j, k = i if x == least else np.inf, j if y == least else np.inf, k if z == least else np.inf
        own[t], own_pairs[t] = apart[t] + least, min(i, min(j, k)) + 1


@_kernel
@no_type_check
def _hard(a: Any, b: Any, width: int, farthest: bool) -> float:
    n, m = len(a), len(b)
    reverse = b[::-1].copy()
    table = np.full((2, (n + m) // 2 + 3), np.inf, a.dtype)
    table[0, m // 2 + 1] = 0  # before the first cell
    for k in range(n + m - 1):
        low, high, at, near, back = _diagonal(k, n, m, width)
        own, other = table[k % 2, at : at + high - low], table[1 - k % 2, near : near + high - low + 1]
        if farthest:
            _nearest(own, other, a[low:high], reverse[back : back + high - low])
        else:
            _cheapest(own, other, a[low:high], reverse[back : back + high - low])
    return table[(n + m) % 2, _diagonal(n + m - 2, n, m, n + m)[2]]


@_kernel
@no_type_check
def _hard_with_length(a: Any, b: Any, width: int) -> tuple[float, float]:
    n, m = len(a), len(b)
    reverse = b[::-1].copy()
    cost, pairs = np.full((2, (n + m) // 2 + 3), np.inf), np.zeros((2, (n + m) // 2 + 3))
    cost[0, m // 2 + 1] = 0
    for k in range(n + m - 1):
        low, high, at, near, back = _diagonal(k, n, m, width)
        h = high - low
        apart = np.abs(a[low:high] - reverse[back : back + h])
        own, other = cost[k % 2, at : at + h], cost[1 - k % 2, near : near + h + 1]
        _fewest(own, other, pairs[k % 2, at : at + h], pairs[1 - k % 2, near : near + h + 1], apart)
    end = (n + m) % 2, _diagonal(n + m - 2, n, m, n + m)[2]
    return cost[end], pairs[end]


@_kernel
@no_type_check
def _exp(x: float) -> float:
    """exp of x <= 0, within 1e-13; below -40 it is exp(-40). A polynomial at x / 64, squared six times."""
    z = max(x, -40.0) / 64
    p = 1 + z * (1 + z * (1 / 2 + z * (1 / 6 + z * (1 / 24 + z * (1 / 120 + z * (1 / 720 + z * (1 / 5040)))))))
    for _ in range(6):
        p *= p
    return p


@_kernel
@no_type_check
def _soften(own: Any, other: Any, diagonal: Any, before: Any, a: Any, b: Any, gamma: float) -> None:
    """One diagonal of soft-DTW, and how much (i-1, j-1) and (i-1, j) weigh in each of its minima."""
    for t in range(len(a)):
        least = min(own[t], min(other[t], other[t + 1]))
        x, y, z = _exp((least - own[t]) / gamma), _exp((least - other[t]) / gamma), _exp((least - other[t + 1]) / gamma)
        total = x + y + z
        # The logarithm of 1 to 3 by its series around the root of 3; one division serves it and the weights.
        both = 1 / (total * (total + _ROOT3))
        u = (total - _ROOT3) * total * both
        v = u * u
        series = 1 + v * (1 / 3 + v * (1 / 5 + v * (1 / 7 + v * (1 / 9 + v * (1 / 11 + v * (1 / 13))))))
        diagonal[t], before[t] = x * both * (total + _ROOT3), y * both * (total + _ROOT3)
        own[t] = (a[t] - b[t]) * (a[t] - b[t]) + least - gamma * (_LOG_ROOT3 + 2 * u * series)


@_kernel
@no_type_check
def _descend(own: Any, a: Any, b: Any, by_a: Any, by_b: Any) -> None:
    for t in range(len(a)):
        slope = 2 * own[t] * (a[t] - b[t])
        by_a[t] += slope
        by_b[t] -= slope


@_kernel
@no_type_check
def _pass_on(own: Any, other: Any, diagonal: Any, before: Any) -> None:
    """Give what reaches each cell to its predecessors, by their weights."""
    for t in range(len(own)):
        other[t] += own[t] * before[t]
    for t in range(len(own)):
        other[t + 1] += own[t] * (1 - diagonal[t] - before[t])
    for t in range(len(own)):
        own[t] *= diagonal[t]


@_kernel
@no_type_check
def _soft(a: Any, b: Any, lengths: Any, gamma: float, width: int, gradient: bool) -> Any:
    values, by_a, by_b = np.zeros(len(lengths)), np.zeros(len(a)), np.zeros(len(a))
    longest = max(lengths.max(), 1)
    cells = 0
    for k in range(2 * longest - 1 if gradient else 0):
        low, high, _, _, _ = _diagonal(k, longest, longest, width)
        cells += high - low
    diagonal, before = np.empty(max(cells, longest), np.float32), np.empty(max(cells, longest), np.float32)
    begin = 0
    for curve in range(len(lengths)):
        n = lengths[curve]
        if n == 0:
            continue
        x, y = a[begin : begin + n], b[begin : begin + n][::-1].copy()
        table = np.full((2, n + 3), np.inf)
        table[0, n // 2 + 1] = 0
        cell = 0
        for k in range(2 * n - 1):
            low, high, at, near, back = _diagonal(k, n, n, width)
            h = high - low
            own, other = table[k % 2, at : at + h], table[1 - k % 2, near : near + h + 1]
            weights = diagonal[cell : cell + h], before[cell : cell + h]
            _soften(own, other, weights[0], weights[1], x[low:high], y[back : back + h], gamma)
            cell += h if gradient else 0
        values[curve] = table[0, n // 2 + 1]
        if gradient:
            table[:] = 0
            table[0, n // 2 + 1] = 1
            by_y = np.zeros(n)
            for k in range(2 * n - 2, -1, -1):
                low, high, at, near, back = _diagonal(k, n, n, width)
                h = high - low
                cell -= h
                own, other = table[k % 2, at : at + h], table[1 - k % 2, near : near + h + 1]
                ahead = by_a[begin + low : begin + high]
                _descend(own, x[low:high], y[back : back + h], ahead, by_y[back : back + h])
                _pass_on(own, other, diagonal[cell : cell + h], before[cell : cell + h])
            by_b[begin : begin + n] = by_y[::-1]
        begin += n
    return values, by_a, by_b
