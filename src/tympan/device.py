"""The device that is asked for, if this machine has it."""

from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    import torch

Name = Literal["auto", "cpu", "cuda", "mps"]


def device(name: str, field: str = "device") -> "torch.device":
    """The device of that name; `auto` is cuda, then mps, then cpu.

    Args:
        field: where the name was written, for the message.

    Raises:
        ValueError: there is no device of that name, or this machine has none.
    """
    import torch  # two seconds, which the command line's help need not wait for

    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name not in get_args(Name):
        raise ValueError(f"{field}: {name!r} is no device; one of: {', '.join(get_args(Name))}")
    if name == "auto":
        return torch.device(next(d for d in here if here[d]))
    if not here[name]:
        raise ValueError(f"{field}: this machine has no {name}; it has {', '.join(d for d in here if here[d])}")
    return torch.device(name)


def has_bf16(kind: str) -> bool:
    """Whether a kind of device computes in bfloat16, or else makes it up, which is many times slower than float32."""
    import torch

    return kind != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
