"""Files of weights that nothing describes: a state dictionary is read, and no code that a file brings is ever run."""

import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

_INSIDE = ("state_dict_ema", "model_ema", "state_dict", "model")
"""Under which of these names a checkpoint keeps its weights, the first that is there."""


def read(file: Path, called: str) -> dict[str, Tensor]:
    """The weights in a file, `.safetensors` or what torch saves, by name; those of a checkpoint without what is beside
    them.

    Args:
        file: where they are.
        called: the field or option that names it, and how it is named, for messages.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds no weights, or asks for code to be run.
    """
    try:
        if file.suffix.lower() == ".safetensors":
            found: Any = load_file(file)
        else:
            found = torch.load(file, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # bytes that mean nothing lead to whatever error of a pickle they chance upon
        code = re.search("was not an allowed global|is blocked", str(error))
        raise _refused(called, "asks for code to be run, which is not done" if code else _kind(file)) from error
    if isinstance(found, dict):
        found = next((found[name] for name in _INSIDE if isinstance(found.get(name), dict)), found)
    if not isinstance(found, dict) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        held = ", ".join(map(str, [*found][:5])) if isinstance(found, dict) else f"a {type(found).__name__}"
        raise _refused(called, f"holds no weights by name, but {held or 'nothing'}")
    return found


def _kind(file: Path) -> str:
    return "cannot be read as weights: it is damaged, or of another kind" if file.stat().st_size else "is empty"


def _refused(called: str, why: str) -> ValueError:
    return ValueError(
        f"{called} {why}; give a state dictionary, saved as .safetensors, or by torch.save(model.state_dict(), ...) "
        "as .pth"
    )
