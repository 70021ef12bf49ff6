"""Freed memory is kept for the next batch: to give it back to the system and to ask for it anew takes time.

glibc gives every large block back as soon as it is freed, and the system clears each page of it before it is used
again. A network on a processor frees and asks for hundreds of megabytes in every step.
"""

import ctypes
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

# What mallopt calls them (malloc.h), and the largest that glibc itself would come to.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
_KEEP = {_MMAP_MAX: 0, _TRIM_THRESHOLD: -1}
_USUAL = {_MMAP_MAX: 65536, _MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 64 << 20}

_kept = False


def keep() -> None:
    """Keep what this process frees, from now on; does nothing where the allocator is not glibc's.

    Processes that are forked from it give large blocks back as ever: a reader may hold hours of sound for a moment.
    """
    global _kept
    if not _kept and _set(_KEEP):
        _kept = True
        os.register_at_fork(after_in_child=lambda: _set(_USUAL))


def give_back() -> None:
    """Give what was kept and is free back to the system, which would otherwise happen when the process ends."""
    if _kept:
        ctypes.CDLL(None).malloc_trim(0)


def _set(options: Mapping[int, int]) -> bool:
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another allocator, or another system
        return False
    return all([mallopt(name, value) for name, value in options.items()])


def plain(x: "Tensor") -> bool:
    """Whether a tensor may be written piece by piece: in the processor's memory, and no gradient is wanted of it."""
    return x.device.type == "cpu" and not x.requires_grad
