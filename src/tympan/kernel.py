"""Inner loops that numba compiles at their first call and keeps on disk.

Importing this imports numba, so import it, and what uses it, where it is used.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal, no_type_check

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic


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


@no_type_check
def dot(taps: int) -> Any:
    """A function for kernels: the sum of products of `taps` neighbours of x from i on and of y from j on.

    They are multiplied at once and added by halves, which a loop of so few steps is not made into. x and y are
    contiguous float32, i and j unsigned and not checked; `taps` is a power of two.
    """
    number, index = ir.FloatType(), ir.IntType(32)
    together = ir.VectorType(number, taps)

    def made(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def loaded(array: Any, kind: Any, first: Any) -> Any:
            place = builder.gep(context.make_array(kind)(context, builder, array).data, [first])
            return builder.load(builder.bitcast(place, together.as_pointer()), align=4)

        kinds, width = signature.args, taps
        total = builder.fmul(loaded(values[0], kinds[0], values[1]), loaded(values[2], kinds[2], values[3]))
        while width > 1:
            width //= 2
            halves = [
                builder.shuffle_vector(
                    total, total, ir.Constant(ir.VectorType(index, width), list(range(k, k + width)))
                )
                for k in (0, width)
            ]
            total = builder.fadd(*halves)
        return builder.extract_element(total, ir.Constant(index, 0))

    @intrinsic
    def of(typing: Any, x: Any, i: Any, y: Any, j: Any) -> Any:
        return types.float32(x, i, y, j), made

    return of
