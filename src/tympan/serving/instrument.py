"""Measured values -> the sound of the drum that has them, by the synthesizer that a model was trained on."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from ..component import trusted
from ..data import Source, Values
from ..data.synthesizers import Synthesizer
from .artifact import Artifact

_STEPS = 5  # of tuning: the pitch of two heads is nearly, not quite, the root of the tension


class Instrument:
    """A synthesizer whose parameters are told where they are known, and otherwise drawn once."""

    def __init__(self, source: Synthesizer, names: Sequence[str], sample_rate: int, duration: float) -> None:
        """Keep the synthesizer, at another rate (Hz) and duration (s).

        Args:
            source: what plays.
            names: what will be told.
            sample_rate: samples per second (Hz) of what is played.
            duration: seconds of each sound.

        Raises:
            ValueError: it takes none of these names.
        """
        told = {"sample_rate": sample_rate, "duration": duration, "size": 1, "channels": "mean"}
        self.source = source
        self.fields = {**source.model_dump(), **told}
        self.known = known = self._make({}).values(0)
        self.names = [name for name in names if name in known]
        if not self.names:
            raise ValueError(
                f"the synthesizer {source.type} takes nothing that the model measures once per clip "
                f"({', '.join(names) or 'nothing'}); it takes {', '.join(known) or 'nothing'}. Take a run that "
                "measures one of these, or another --instrument"
            )

    @classmethod
    def of(
        cls,
        artifact: Artifact,
        sample_rate: int,
        duration: float,
        source: Source | None = None,
        seed: int | None = None,
        trust: Sequence[str] = (),
    ) -> "Instrument":
        """What plays what an artifact measures.

        Args:
            artifact: a trained pipeline.
            sample_rate: samples per second (Hz) of what is played.
            duration: seconds of each sound.
            source: the synthesizer; by default the one that the model was trained on.
            seed: decides what is not measured; by default the synthesizer's.
            trust: dotted paths of components outside tympan that may be imported.

        Raises:
            ValueError: there is none, its code is not trusted, or it takes nothing that is measured.
        """
        if source is None:
            data = artifact.config.provenance.get("data")
            if not isinstance(data, dict):
                raise ValueError("the artifact does not say what it was trained on; name a configuration: --instrument")
            token = trusted.set(frozenset(trust))
            try:
                source = Source.find(str(data.get("type"))).model_validate(data)
            finally:
                trusted.reset(token)
        if not isinstance(source, Synthesizer):
            raise ValueError(f"{source.type} synthesises nothing; name a configuration whose data does: --instrument")
        if seed is not None:
            source = source.model_copy(update={"seed": seed})
        names = [n for o in artifact.config.outputs.values() if o.target.rate is None for n in o.target.outputs]
        return cls(source, names, sample_rate, duration)

    def play(self, measured: Mapping[str, Float[np.ndarray, "values"]]) -> tuple[Float[np.ndarray, "samples"], Values]:
        """The waveform, with a peak of 1, and the parameters that made it, of a model's decoded answer by name.

        A number is brought into the range that the synthesizer draws from; NaN is as if it were not told. Where `f0`
        is told of a drum, and its tension is not, the drum is tuned to it by its tension.
        """
        told = {}
        for name in self.names:
            shape, limits = np.shape(self.known[name]), getattr(self.source, name, None)
            low, high = limits if isinstance(limits, tuple) else (None, None)
            value = np.asarray(measured[name], float)[: math.prod(shape)].reshape(shape)  # a pitch has its probability
            if np.isfinite(value).all():
                told[name] = value if shape else float(np.clip(value, low, high))
        fields = {name: told[name] for name in told if name in type(self.source).model_fields}
        source = self._make(fields)
        parameters = dict(source.values(0))
        if "f0" in told and "f0" not in fields and "tension" in parameters and "tension" not in told:
            for _ in range(_STEPS):
                fields["tension"] = parameters["tension"] * (told["f0"] / parameters["f0"]) ** 2
                source = self._make(fields)
                parameters = dict(source.values(0))
            told["f0"] = parameters["f0"]
        parameters.update(told)  # what is no field of its own, and a strike that is not in the centre
        waveform = source.sound(source.generator(0, 0), parameters)
        waveform = waveform.mean(0) if waveform.ndim == 2 else waveform
        return waveform / max(float(np.abs(waveform).max()), 1e-9), parameters

    def _make(self, fields: Mapping[str, Any]) -> Synthesizer:
        return type(self.source).model_validate({**self.fields, **fields})


def note(f0: float) -> int:
    """The MIDI note nearest to a pitch (Hz)."""
    return int(np.clip(round(69 + 12 * math.log2(f0 / 440)), 0, 127))
