"""Random numbers of (seed, name, epoch, index) on a processor, by a compiled loop.

Importing this imports numba, so import it where it is used.
"""

from typing import Any, no_type_check

import numpy as np

from ..kernel import kernel
from .draw import CONSTANTS

_STEP, _FIRST, _SECOND = map(np.uint64, CONSTANTS)
_ONE, _27, _30, _31, _40 = map(np.uint64, (1, 27, 30, 31, 40))
_SCALE = np.float32(2.0**-24)


@kernel(inline="always")
@no_type_check
def _mixed(x: Any) -> Any:
    x = (x ^ (x >> _30)) * _FIRST
    x = (x ^ (x >> _27)) * _SECOND
    return x ^ (x >> _31)


@kernel()
@no_type_check
def fill(key: Any, stream: Any, out: Any) -> None:
    """Into `out`, `(batch, n)` of float32, what `draw.uniform` draws for `key`, `(batch, 2)` of int64."""
    for i in range(len(key)):
        begin = _mixed(_mixed(np.uint64(key[i, 0]) + stream) + _STEP * (np.uint64(key[i, 1]) + _ONE))
        for j in range(out.shape[1]):
            out[i, j] = np.float32(_mixed(begin + _STEP * (np.uint64(j) + _ONE)) >> _40) * _SCALE
