"""Inner loops that numba compiles at their first call and keeps on disk.

Importing this imports numba, so import it, and what uses it, where it is used.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal

from numba import njit


def kernel(
    fastmath: bool | set[str] = False, inline: Literal["never", "always"] = "never"
) -> Callable[[Callable[..., Any]], Any]:
    """A decorator that compiles a function, which then releases the interpreter, so that several run on threads.

    Args:
        fastmath: what the compiler may assume of floating-point numbers, by LLVM's names; True: everything.
        inline: whether it becomes a part of the kernels that call it.
    """

    def compiled(function: Callable[..., Any]) -> Any:
        made = njit(error_model="numpy", nogil=True, fastmath=fastmath, inline=inline)(function)
        with suppress(RuntimeError):  # where nothing can be written, it is compiled anew in every process
            made.enable_caching()
        return made

    return compiled
