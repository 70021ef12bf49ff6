"""The device that a run asks for, if this machine has it."""

import torch


def device(name: str) -> torch.device:
    """The device of that name; `auto` is cuda, then mps, then cpu.

    Raises:
        ValueError: this machine has no such device.
    """
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(d for d in here if here[d]))
    if not here[name]:
        raise ValueError(f"hardware.device: this machine has no {name}; it has {', '.join(d for d in here if here[d])}")
    return torch.device(name)
