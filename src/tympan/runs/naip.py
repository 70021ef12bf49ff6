"""The words of mayo-timm (naip-timm): its audio configuration as ours, and its arguments as a configuration of ours."""

import json
import shlex
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from pydantic import Field
from ruamel.yaml import YAML

from ..component import Section, assume, did_you_mean
from ..data import storage

_SHIFT, _FILL = 5.0, 0.001  # s, full scale
_NOISE = 0.005  # full scale
_SPEEDS, _TEMPOS, _GAIN = (0.6, 1.3), (0.5, 1.5), 12.0
_HOP = 0.010  # s
_UP = 100  # cells of the picture


class NaipAudio(Section):
    """The audio configuration of mayo-timm by its own names and numbers; what it stands for is written into run.yaml.

    A probability of 0 leaves a change out. Values between 0 and 1 are probabilities.
    """

    resample_rate: int = Field(default=16000, gt=0)
    """Samples per second (Hz): `data.sample_rate`."""
    reduce: bool = True
    """The sum of all channels, else the first: `data.channels`."""
    clip_length: float = Field(default=10.0, gt=0)
    """Seconds: `data.duration`."""
    num_mel_bins: int = Field(default=128, ge=1)
    """Mel bands: `features.n_mels` of fbank."""
    target_length: int = Field(default=1024, ge=1)
    """Frames: `features.target_length`."""
    mean: float | None = None
    """Of all features: `features.mean`; by default computed of the training part."""
    std: float | None = Field(default=None, gt=0)
    """Of all features; they are divided by twice this: `features.std` is 2 std."""
    tshift: float = Field(default=0.0, ge=0, le=1)
    """Moved by up to 5 s: `time_shift`."""
    speed: float = Field(default=0.0, ge=0, le=1)
    """At 0.6 to 1.3 times the speed: `speed`."""
    gauss_noise: float = Field(default=0.0, ge=0, le=1)
    """Noise of deviation 0.005: `gaussian_noise`."""
    pshift: float = Field(default=0.0, ge=0, le=1)
    """Shifted by `pshiftn` semitones: `pitch_shift`."""
    pshiftn: float = Field(default=0.0, ge=-24, le=24)
    """Semitones."""
    gain: float = Field(default=0.0, ge=0, le=1)
    """Louder or softer by up to 12 dB: `gain`."""
    stretch: float = Field(default=0.0, ge=0, le=1)
    """At 0.5 to 1.5 times the tempo: `time_stretch`."""
    mixup: float = Field(default=0.0, ge=0, le=1)
    """Mixed with another recording: `mixup`."""
    freqm: int = Field(default=0, ge=0)
    """The widest band that is hidden: `frequency_mask`."""
    timem: int = Field(default=0, ge=0)
    """The most frames that are hidden: `time_mask`."""
    noise: bool = False
    """Noise on the spectrogram, which is rolled as well: `spectrogram_noise`."""
    cdo: bool = False
    """Holes: `coarse_dropout`."""
    shift: bool = False
    """Moved in frequency: `affine_shift`."""

    def sections(self) -> dict[str, Any]:
        """`data`, `features` and `augmentations` as they are written here."""
        half = self.num_mel_bins // 2
        if self.freqm > half:
            assume(f"audio.freqm: {self.freqm} is more than half of {self.num_mel_bins} bands; {half} was taken")
        shifts = {"low": self.pshiftn, "high": self.pshiftn}
        changes: list[tuple[float, dict[str, Any]]] = [
            (self.tshift, {"type": "time_shift", "max_shift": min(_SHIFT, self.clip_length / 2), "fill": _FILL}),
            (self.speed, {"type": "speed", "low": _SPEEDS[0], "high": _SPEEDS[1]}),
            (self.gauss_noise, {"type": "gaussian_noise", "deviation": _NOISE}),
            (self.pshift, {"type": "pitch_shift", **shifts}),
            (self.gain, {"type": "gain", "low": -_GAIN, "high": _GAIN}),
            (self.stretch, {"type": "time_stretch", "low": _TEMPOS[0], "high": _TEMPOS[1]}),
            (self.mixup, {"type": "mixup"}),
            (float(self.freqm > 0), {"type": "frequency_mask", "max_width": max(min(self.freqm, half), 1)}),
            (float(self.timem > 0), {"type": "time_mask", "max_width": max(self.timem, 1) * _HOP}),
            (float(self.noise), {"type": "spectrogram_noise"}),
            (float(self.cdo), {"type": "coarse_dropout"}),
            (float(self.shift), {"type": "affine_shift", "max_shift": min(_UP, self.num_mel_bins - 1)}),
        ]
        known = {} if self.mean is None or self.std is None else {"mean": self.mean, "std": 2 * self.std}
        features = {
            "type": "fbank",
            "n_mels": self.num_mel_bins,
            "target_length": self.target_length,
            "normalize": "none",
        }
        return {
            "data": {
                "sample_rate": self.resample_rate,
                "channels": "sum" if self.reduce else "first",
                "duration": self.clip_length,
            },
            "features": {**features, "normalize": "none", "empty_filters": "keep", "standardize": "dataset", **known},
            "augmentations": [{**change, "p": p} for p, change in changes if p],
        }


def expanded(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with `audio` -> the same with the sections that it stands for.

    Raises:
        ValueError: a section says the same thing itself.
    """
    audio = config["audio"]
    told = (audio if isinstance(audio, NaipAudio) else NaipAudio.model_validate(audio)).sections()
    for section in ("features", "augmentations"):
        if config.get(section):
            raise ValueError(f"audio: stands for `{section}`, which is there as well; leave one of them out")
    data = config.get("data")
    data = data if isinstance(data, dict) else {}
    twice = [field for field in told["data"] if field in data]
    if twice:
        raise ValueError(f"audio: says data.{twice[0]} as well; leave one of them out")
    return {**config, **told, "data": {**data, **told["data"]}, "audio": None}


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
    "cloud": "nothing leaves the machine unless it is told to",
    "cloud_dir": "nothing leaves the machine unless it is told to",
    "lib": "soundfile decodes, and PyAV what it cannot",
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
        elif name in ("optim", "loss", "scheduler"):
            _choose(config, name, str(value).lower())
        elif name in _ELSEWHERE:
            notes.append(f"{name}: {_ELSEWHERE[name]}")
        else:
            known = [*_FIELDS, *_AUDIO, *NaipAudio.model_fields, *_ELSEWHERE, "optim", "loss", "scheduler"]
            raise ValueError(f"mayo-timm has no argument {name!r}{did_you_mean(name, known)}")
    if "prefix" in given:
        bucket = given.get("bucket_name")
        root = str(given["prefix"])
        _put(config, "data.root", storage.join(f"gs://{bucket}", root) if bucket else root)
    else:
        notes.append("data.root is missing: the folder of recordings (--prefix)")
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
        found[name] = YAML(typ="safe").load(value) if value != "None" else None
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
