"""Arguments of mayo-timm (naip-timm), from its command line or a JSON file -> a configuration of ours."""

import json
import shlex
from collections.abc import Sequence
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from ..component import did_you_mean
from ..data import storage, yaml_file
from .naip import NaipAudio

# Names of arguments, and where they go: a field of ours, or a word of `audio`.
_FIELDS = {
    "study": "data.study",
    "label_txt": "data.label_file",
    "data_split_root": "data.splits",
    "model_type": "model.name",
    "dataset": "name",
    "seed": "seed",
    "exp_dir": "checkpoint.checkpoint_dir",
    "batch_size": "training.batch_size",
    "epochs": "training.max_epochs",
    "num_workers": "loader.num_workers",
    "learning_rate": "optimizer.learning_rate",
    "weight_decay": "optimizer.weight_decay",
    "max_lr": "optimizer.max_lr",
    "activation": "head.activation",
    "final_dropout": "head.dropout",
    "layernorm": "head.layer_norm",
    "clf_bottleneck": "head.bottleneck",
    "sd_bottleneck": "head.shared_dense",
}
_AUDIO = {"dataset_mean": "mean", "dataset_std": "std", "gauss": "gauss_noise"}
_ELSEWHERE = {
    "mode": "is the command: train, evaluate, embed",
    "embedding_type": "is an option: tympan embed --layer",
    "pooling_mode": "is an option: tympan embed --pooling",
    "trained_mdl_path": "is an argument of evaluate and embed",
    "project_name": "is taken from the environment, as are credentials",
    "cloud": "is checkpoint.upload, gs://BUCKET/CLOUD_DIR: nothing leaves the machine without it",
    "cloud_dir": "is part of checkpoint.upload",
    "shared_dense": "is head.shared_dense, the width of that layer",
    "val_size": "is split.validation, a share of the speakers",
    "bucket_name": "is part of data.root",
    "prefix": "is data.root",
}
_SHORT = {
    **{"i": "prefix", "s": "study", "d": "data_split_root", "l": "label_txt"},
    **{"b": "bucket_name", "p": "project_name", "o": "exp_dir", "m": "mode"},
}
_DEFAULTS = {
    "optimizer": {"name": "adamw", "learning_rate": 3e-4, "weight_decay": 1e-4, "scheduler": "none"},
    "training": {"max_epochs": 1, "batch_size": 8},
    "loader": {"num_workers": 0},
    "head": {"dropout": 0.3},
    "model": {"type": "timm", "name": "efficientnet_b0"},
}


def imported(text: str) -> str:
    """Arguments of mayo-timm -> a configuration of ours, as YAML.

    Args:
        text: a JSON object of them, or the command line that one would give.

    Raises:
        ValueError: an argument is not known, or has no meaning here.
    """
    given = json.loads(text) if text.lstrip().startswith("{") else _parsed(shlex.split(text))
    if not isinstance(given, dict):
        raise ValueError("arguments are a JSON object, or a command line")
    config: dict[str, Any] = {"name": "run", "data": {"type": "speech_folder", "folder": ""}}
    config |= json.loads(json.dumps(_DEFAULTS))
    audio: dict[str, Any] = {}
    notes: list[str] = []
    for name, value in given.items():
        if value is None:
            continue
        if name in _FIELDS:
            _put(config, _FIELDS[name], value)
        elif (word := _AUDIO.get(name, name)) in NaipAudio.model_fields:
            audio[word] = value
        elif name == "lib":
            audio |= {"decoder": "soundfile"} if value else {}
            notes.append("lib: soundfile decodes, as librosa does by it; without lib, PyAV decodes what it cannot")
        elif name in ("optim", "loss", "scheduler"):
            _choose(config, name, str(value).lower())
            if name == "loss" and str(value).lower() != "bce":
                notes.append("target.quantities: write the columns here that --label_txt names, for they are numbers")
        elif name in _ELSEWHERE:
            notes.append(f"{name}: {_ELSEWHERE[name]}")
        else:
            known = [*_FIELDS, *_AUDIO, *NaipAudio.model_fields, *_ELSEWHERE, "lib", "optim", "loss", "scheduler"]
            raise ValueError(f"mayo-timm has no argument {name!r}{did_you_mean(name, known)}")
    if "prefix" in given:
        bucket = given.get("bucket_name")
        root = str(given["prefix"])
        _put(config, "data.root", storage.join(f"gs://{bucket}", root) if bucket else root)
    else:
        notes.append("data.root is missing: the folder of recordings (--prefix)")
    if given.get("cloud") and (bucket := given.get("bucket_name")):
        _put(config, "checkpoint.upload", storage.join(f"gs://{bucket}", str(given.get("cloud_dir") or "")))
    config["target"] = config.get("target", {"type": "binary"})
    NaipAudio.model_validate(audio)
    config["audio"] = audio
    out = StringIO()
    YAML().dump(config, out)
    return "".join(f"# {note}\n" for note in notes) + out.getvalue()


def _parsed(words: Sequence[str]) -> dict[str, Any]:
    """`--name value`, `-n value`, and flags; the program's own name is passed over."""
    found: dict[str, Any] = {}
    rest = [
        w for i, w in enumerate(words) if not (w in ("python", "python3", "run.py") or (i < 3 and w.endswith(".py")))
    ]
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            raise ValueError(f"{word!r} is no argument of mayo-timm: they begin with - or --")
        name, equals, value = word.lstrip("-").partition("=")
        name = _SHORT.get(name, name) if not word.startswith("--") else name
        if not equals:
            value = rest.pop(0) if rest and not (rest[0].startswith("-") and not _is_number(rest[0])) else "true"
        found[name] = yaml_file.read(value, name)[0] if value != "None" else None
    return found


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _choose(config: dict[str, Any], name: str, value: str) -> None:
    if name == "optim":
        if value not in ("adam", "adamw", "sgd"):
            raise ValueError(f"optim: {value!r} is not there; one of: adam, adamw, sgd")
        _put(config, "optimizer.name", value)
    elif name == "loss":
        config["target"] = {"type": "binary"} if value == "bce" else {"type": "continuous", "quantities": []}
        _put(config, "loss", value)
    else:
        _put(config, "optimizer.scheduler", "none" if value in ("none", "null") else value)
        if value == "onecycle":
            config["optimizer"].setdefault("max_lr", 0.01)


def _put(config: dict[str, Any], field: str, value: Any) -> None:
    *sections, last = field.split(".")
    for section in sections:
        config = config.setdefault(section, {})
    config[last] = value
