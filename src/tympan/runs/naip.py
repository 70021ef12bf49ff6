"""The audio configuration of mayo-timm (naip-timm) by its own words, and the sections that it stands for."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails

from ..component import Section, assume
from ..data.decoders import Decoder

HOP = 0.010
"""Seconds from frame to frame."""
_SHIFT, _FILL = 5.0, 0.001  # s, full scale
_NOISE = 0.005  # full scale
_SPEEDS, _TEMPOS, _GAIN = (0.6, 1.3), (0.5, 1.5), 12.0
_UP = 100  # cells of the picture


class NaipAudio(Section):
    """The audio configuration of mayo-timm by its own names and numbers; what it stands for is written into run.yaml.

    A probability of 0 leaves a change out. Values between 0 and 1 are probabilities.
    """

    resample_rate: int = Field(default=16000, gt=0)
    """Samples per second (Hz): `data.sample_rate`."""
    reduce: bool = True
    """The sum of all channels, else the first: `data.channels`."""
    decoder: Decoder = "auto"
    """What decodes: `data.decoder`. What was `lib` is `librosa` here, if that is installed: it decodes by soundfile."""
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

    @model_validator(mode="after")
    def _all_is_read(self) -> "NaipAudio":
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std go together: give both, or neither, and they are computed")
        if self.pshift and not self.pshiftn:
            raise ValueError("pshift shifts by pshiftn, which is 0 semitones; set pshiftn, or leave pshift out")
        return self

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
            (float(self.timem > 0), {"type": "time_mask", "max_width": max(self.timem, 1) * HOP}),
            (float(self.noise), {"type": "spectrogram_noise"}),
            (float(self.cdo), {"type": "coarse_dropout"}),
            (float(self.shift), {"type": "affine_shift", "max_shift": min(_UP, self.num_mel_bins - 1)}),
        ]
        known = {} if self.mean is None or self.std is None else {"mean": self.mean, "std": 2 * self.std}
        features = {
            "type": "fbank",
            "n_mels": self.num_mel_bins,
            "target_length": self.target_length,
        }
        return {
            "data": {
                "sample_rate": self.resample_rate,
                "channels": "sum" if self.reduce else "first",
                "duration": self.clip_length,
                "padding": "right",
                **({"decoder": self.decoder} if self.decoder != "auto" else {}),
            },
            "features": {**features, "normalize": "none", "empty_filters": "keep", "standardize": "dataset", **known},
            "augmentations": [{**change, "p": p} for p, change in changes if p],
        }


def expanded(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with `audio` -> the same with the sections that it stands for.

    Raises:
        ValueError: a section says the same thing itself.
        ValidationError: a word of `audio` is refused.
    """
    try:
        told = NaipAudio.model_validate(config["audio"]).sections()
    except ValidationError as error:
        raise _below("audio", error) from error
    for section in ("features", "augmentations"):
        if config.get(section):
            raise ValueError(f"audio: stands for `{section}`, which is there as well; leave one of them out")
    data = config.get("data")
    data = data if isinstance(data, dict) else {}
    twice = [field for field in told["data"] if field in data]
    if twice:
        raise ValueError(f"audio: says data.{twice[0]} as well; leave one of them out")
    return {**config, **told, "data": {**data, **told["data"]}, "audio": None}


def _below(section: str, error: ValidationError) -> ValidationError:
    """The same error, of fields of a section."""
    problems = [
        InitErrorDetails(
            type=problem["type"], loc=(section, *problem["loc"]), input=problem["input"], ctx=problem.get("ctx", {})
        )
        for problem in error.errors()
    ]
    return ValidationError.from_exception_data(error.title, problems)
