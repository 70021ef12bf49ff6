"""Arguments of mayo-timm (naip-timm), from its command line or a JSON file -> a configuration of ours."""

import json
import re
import shlex
from collections.abc import Sequence
from io import StringIO
from pathlib import PurePosixPath
from typing import Any

from ruamel.yaml import YAML

from ..component import did_you_mean
from ..data import storage, yaml_file
from .configuration import valid
from .naip import HOP, NaipAudio

# Names of arguments, and where they go: a field of ours, or a word of `audio`.
_FIELDS = {
    "prefix": "data.root",
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
    "scheduler": "optimizer.scheduler",
    "activation": "head.activation",
    "final_dropout": "head.dropout",
    "layernorm": "head.layer_norm",
    "clf_bottleneck": "head.bottleneck",
    "sd_bottleneck": "head.shared_dense",
    "optim": "optimizer.name",
    "loss": "loss",
}
_AUDIO = {"dataset_mean": "mean", "dataset_std": "std", "gauss": "gauss_noise", "lib": "decoder"}
_ELSEWHERE = {
    "mode": "is the command: train, evaluate, embed",
    "embedding_type": "is an option: tympan embed --layer",
    "pooling_mode": "is an option: tympan embed --pooling",
    "debug": "is an option: tympan train --dry-run",
    "trained_mdl_path": "is an argument of evaluate and embed",
    "project_name": "is taken from the environment, as are credentials",
    "cloud": "is checkpoint.upload, gs://BUCKET/CLOUD_DIR: nothing leaves the machine without it",
    "cloud_dir": "is part of checkpoint.upload",
    "shared_dense": "is head.shared_dense, the width of that layer",
    "val_size": "is split.validation, a share of the speakers",
    "bucket_name": "is part of data.root",
    **dict.fromkeys(("target_labels", "label_groups", "n_class"), "is what the label file says"),
}
_WORDS = tuple(word for word in NaipAudio.model_fields if word != "decoder")  # which is ours
KNOWN = tuple(dict.fromkeys((*_FIELDS, *_AUDIO, *_WORDS, *_ELSEWHERE)))
"""Every name of an argument, or of its audio configuration, that is known."""
_SHORT = {
    **{"i": "prefix", "s": "study", "d": "data_split_root", "l": "label_txt"},
    **{"b": "bucket_name", "p": "project_name", "o": "exp_dir", "m": "mode"},
    **{"bs": "batch_size", "nw": "num_workers", "lr": "learning_rate", "e": "epochs"},
}
_TEXTS = ("prefix", "study", "label_txt", "data_split_root", "dataset", "exp_dir", "bucket_name", "cloud_dir")
_WIDTH = 768  # of its dense layers, where nothing else is said
_DEFAULTS = {
    "optimizer": {"name": "adamw", "learning_rate": 3e-4, "weight_decay": 1e-4, "scheduler": "none"},
    "training": {"max_epochs": 1, "batch_size": 8},
    "loader": {"num_workers": 0},
    "head": {"bottleneck": _WIDTH, "dropout": 0.3},
    "model": {"type": "timm", "name": "efficientnet_b0"},
}


def imported(text: str) -> str:
    """Arguments of mayo-timm -> a configuration of ours, as YAML.

    Args:
        text: a JSON object of them, or the command line that one would give.

    Raises:
        ValueError: an argument is not known, has no meaning here, or its value is refused; each is named.
    """
    given = json.loads(text) if text.lstrip().startswith("{") else _parsed(shlex.split(text))
    if not isinstance(given, dict):
        raise ValueError("arguments are a JSON object, or a command line")
    for name in given:
        if name not in KNOWN:
            raise ValueError(f"mayo-timm has no argument {name!r}{did_you_mean(name, list(KNOWN))}")
    given = {name: value for name, value in given.items() if value is not None and value != ""}
    config: dict[str, Any] = {"name": _named(given), "data": {"type": "speech_folder", "folder": ""}}
    config |= json.loads(json.dumps(_DEFAULTS)) | {"target": {"type": "binary"}, "audio": {}}
    notes = [f"{name}: {_ELSEWHERE[name]}" for name in given if name in _ELSEWHERE]
    for name, value in given.items():
        if name not in _ELSEWHERE:
            _put(config, _place(name), value)
    for change in (_choices, _cloud, _head, _sound):
        notes += change(config, given)
    _check(config, given)
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
        plain = value if name in _TEXTS else yaml_file.read(value, name)[0]
        found[name] = None if value == "None" else plain
    return found


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _named(given: dict[str, Any]) -> Any:
    """What `dataset` says, or the lowest folder of the split; of one table, that and the table's name."""
    if "dataset" in given:
        return given["dataset"]
    path = PurePosixPath(str(given.get("data_split_root", "")))
    name = f"{path.parent.name}_{path.stem}" if path.suffix == ".csv" else path.name
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("._-")[:100] or "run"


def _place(name: str) -> str:
    """The field that an argument goes to."""
    return _FIELDS.get(name) or f"audio.{_AUDIO.get(name, name)}"


def _choices(config: dict[str, Any], given: dict[str, Any]) -> list[str]:
    """Optimizer, schedule and loss, in small letters, and what depends on them."""
    notes, optimizer = [], config["optimizer"]
    for name in ("optim", "scheduler", "loss"):
        if name in given:
            _put(config, _place(name), str(given[name]).lower())
    if optimizer["scheduler"] == "onecycle":
        optimizer.setdefault("max_lr", 0.01)
    elif optimizer.pop("max_lr", None) is not None:
        notes.append("max_lr: is of scheduler onecycle, there as here, and was left out")
    if config.get("loss", "bce") != "bce":
        config["target"] = {"type": "continuous", "quantities": []}
        notes.append("target.quantities: write the columns here that --label_txt names, for they are numbers")
    return notes


def _cloud(config: dict[str, Any], given: dict[str, Any]) -> list[str]:
    """Where recordings are, and whether runs are copied to a bucket."""
    bucket = given.get("bucket_name")
    if _true(given, "cloud") and bucket:
        _put(config, "checkpoint.upload", storage.join(f"gs://{bucket}", str(given.get("cloud_dir", ""))))
    if "prefix" not in given:
        return ["data.root is missing: the folder of recordings (--prefix)"]
    if bucket:
        _put(config, "data.root", storage.join(f"gs://{bucket}", str(given["prefix"])))
    return []


def _head(config: dict[str, Any], given: dict[str, Any]) -> list[str]:
    """The first dense layer of each classifier, and the shared one, which is there by `shared_dense` alone."""
    notes = []
    if "clf_bottleneck" not in given:
        notes.append(f"head.bottleneck: {_WIDTH}, as by default there; versions without clf_bottleneck: the backbone's")
    if _true(given, "shared_dense"):
        config["head"].setdefault("shared_dense", _WIDTH)
    elif config["head"].pop("shared_dense", None) is not None:
        notes.append("sd_bottleneck: is the width of the layer that --shared_dense true adds, and was left out")
    return notes


def _sound(config: dict[str, Any], given: dict[str, Any]) -> list[str]:
    """What `lib` meant, and 0 where it is no number here.

    Raises:
        ValueError: a mean is given, and no deviation.
    """
    notes, audio = [], config["audio"]
    if _true(given, "lib"):
        audio["decoder"] = "soundfile"
        notes.append("lib: soundfile decodes, as librosa does by it; without lib, PyAV decodes what it cannot")
    elif "lib" in given:
        del audio["decoder"]
    if "mean" in audio or "std" in audio:
        mean = audio.setdefault("mean", 0.0)
        if not audio.get("std"):
            if mean:
                raise ValueError(
                    f"dataset_std: is 0 or missing, and dataset_mean is {mean}; give it as well, or neither, and both "
                    "are computed"
                )
            del audio["mean"]
            audio.pop("std", None)
            notes.append("dataset_mean, dataset_std: a deviation of 0 is none; both are computed of the training part")
    frames = audio.get("target_length", NaipAudio.model_fields["target_length"].default)
    if audio.get("clip_length") == 0 and isinstance(frames, int):
        audio["clip_length"] = round(frames * HOP, 3)
        config["training"]["batch_size"] = 1
        notes.append(
            f"clip_length: 0 cut nothing, and target_length kept {audio['clip_length']:g} s; the batches of 1 "
            "that it asked for need not be here"
        )
    return notes


def _true(given: dict[str, Any], name: str) -> bool:
    value = given.get(name, False)
    if not isinstance(value, bool):
        raise ValueError(f"{name}: is true or false, not {value!r}")
    return value


def _check(config: dict[str, Any], given: dict[str, Any]) -> None:
    """Refuse what a run would refuse, by the names of arguments; what the notes ask for may be missing."""
    from .run import Run  # and torch with it

    trial = {**config, "data": {"root": "recordings", **config["data"]}}
    if "quantities" in config["target"]:
        trial["target"] = {**config["target"], "quantities": ["asked_for"]}
    named = [name for name in (*given, *KNOWN) if name not in _ELSEWHERE]
    places: dict[tuple[str | int, ...], str] = {(section,): "arguments" for section in Run.model_fields}
    places |= {tuple(_place(name).split(".")): f"argument {name}" for name in reversed(named)}
    valid(Run, trial, "arguments", places)


def _put(config: dict[str, Any], field: str, value: Any) -> None:
    *sections, last = field.split(".")
    for section in sections:
        config = config.setdefault(section, {})
    config[last] = value
