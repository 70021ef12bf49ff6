"""Files of weights for timm's networks: found, read, translated from other spellings, and fitted to sound."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

from timm.models import adapt_input_conv, clean_state_dict
from torch import Tensor

from .. import state_dict
from ..component import assume

_PACKAGE = "package:"
_EXPANDED = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2", "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}  # fmt: skip
_SEPARABLE = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_AROUND = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}


def load(network: Any, weights: str, planes: int) -> None:
    """Start from a file of weights; strict but for the classifier, which the head replaces.

    Args:
        network: of timm.
        weights: a path, a URI, or `package:NAME`.
        planes: channels of the network's image.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no weights, or those of another network.
    """
    path = _found(weights)
    state = _of_lukemelas(clean_state_dict(state_dict.read(path, f"model.weights: {path}")), network)
    translate = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    if translate is not None:  # timm's own, for older names and for positions of another image size
        state = translate(state, network)
    expected, known = network.state_dict(), network.pretrained_cfg
    for name in _listed(known.get("classifier")):
        state = {k: v for k, v in state.items() if not k.startswith(f"{name}.") or k in expected}
    for name in (f"{n}.weight" for n in _listed(known.get("first_conv"))):
        if name in state and name in expected and state[name].shape[1] != expected[name].shape[1]:
            heard = "hear one channel" if planes == 1 else f"hear {planes} channels alike, each a part,"
            assume(f"{path}: {name} of {state[name].shape[1]} image channels is summed to {heard} of features")
            # Equal sounds in all channels are then heard as one sound alone would be.
            state[name] = adapt_input_conv(1, state[name]).repeat_interleave(planes, 1) / planes
    wrong = [f"{k} is missing" for k in expected if k not in state]
    wrong += [f"{k} is not the network's" for k in state if k not in expected]
    wrong += [
        f"{k} is {tuple(state[k].shape)}, not {tuple(v.shape)}"
        for k, v in expected.items()
        if k in state and state[k].shape != v.shape
    ]
    if wrong:
        raise ValueError(f"{path} holds weights of another network than model.name: {'; '.join(wrong)}")
    network.load_state_dict(state)


def _found(weights: str) -> Path:
    if not weights.startswith(_PACKAGE):
        # A file of a bucket is brought here by `runs`, before a model is built.
        path = Path(weights).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f"model.weights: there is no file {path}; give a .safetensors or .pth file")
        return path
    name = weights.removeprefix(_PACKAGE)
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"model.weights: there is no package {name!r} here; install it")
    folder = Path(spec.submodule_search_locations[0])
    files = [f for f in sorted(folder.rglob("*")) if f.suffix in (".pth", ".safetensors")]
    if len(files) != 1:
        raise ValueError(
            f"model.weights: package {name} holds {len(files)} files of weights, and one is meant; name it"
        )
    return files[0]


def _of_lukemelas(state: dict[str, Tensor], network: Any) -> dict[str, Tensor]:
    """The names of EfficientNet-PyTorch, which number blocks through, in timm's names, which number them by stage."""
    if "_conv_stem.weight" not in state or not hasattr(network, "blocks"):
        return state
    places = [f"blocks.{stage}.{i}" for stage, blocks in enumerate(network.blocks) for i in range(len(blocks))]
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        first, _, rest = name.partition(".")
        if first == "_blocks":
            number, part, what = rest.split(".", 2)
            names = _EXPANDED if f"_blocks.{number}._expand_conv.weight" in state else _SEPARABLE
            if int(number) < len(places) and part in names:
                name = f"{places[int(number)]}.{names[part]}.{what}"
        elif first in _AROUND:
            name = f"{_AROUND[first]}.{rest}"
        found[name] = tensor
    return found


def _listed(names: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names or ())
