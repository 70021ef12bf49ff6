"""Measured values -> the sound of the drum that has them, by the synthesizer that a model was trained on."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from jaxtyping import Float

from ..acoustics import radial
from ..acoustics.shapes import Polygon
from ..component import trusted
from ..data import Source, Values
from ..data.synthesizers import Synthesizer
from ..data.synthesizers._membrane import Drum
from ..data.synthesizers._polygon import towards_edge
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

        A number is brought into the range that the synthesizer draws from; NaN, and what no drum of the synthesizer's
        can have, is as if it were not told. Radii of `vertices` become as many corners as the synthesizer draws. Where
        `f0` is told of a drum, and its tension is not, the drum is tuned to it by its tension.
        """
        told = {name: self._told(name, np.asarray(measured[name], float)) for name in self.names}
        told = self._sizes({name: value for name, value in told.items() if value is not None})
        own = type(self.source).model_fields
        source = self._make({name: value for name, value in told.items() if name in own})
        drawn = dict(source.values(0))
        if "vertices" in told:
            drawn |= _places(Polygon(told["vertices"]))
        parameters = {**drawn, **told}  # what is no field of its own, and a strike that is not in the centre
        pitched = isinstance(source, Drum)
        if pitched:
            parameters["f0"] = source.f0(parameters, source.speed(parameters))
        if "f0" in told and "f0" not in own and "tension" in parameters and "tension" not in told:
            parameters["f0"] = parameters["f0"] if pitched else drawn["f0"]
            for _ in range(_STEPS):
                parameters["tension"] *= (told["f0"] / parameters["f0"]) ** 2
                parameters["f0"] = source.f0(parameters, source.speed(parameters)) if pitched else told["f0"]
        try:
            waveform = source.sound(source.generator(0, 0), parameters)
        except ValueError:  # struck beyond the edge: as if that were not told
            parameters |= {name: drawn[name] for name in drawn if name.startswith("strike_")}
            waveform = source.sound(source.generator(0, 0), parameters)
        waveform = waveform.mean(0) if waveform.ndim == 2 else waveform
        return waveform / max(float(np.abs(waveform).max()), 1e-9), parameters

    def _told(self, name: str, said: Float[np.ndarray, "values"]) -> Any:
        """What a synthesizer can take of an answer; `None` if nothing."""
        shape, limits = np.shape(self.known[name]), getattr(self.source, name, None)
        if name == "vertices":
            good = len(said) > 2 and np.isfinite(said).all()
            return Polygon(radial.simplified(radial.outline(said), shape[0])).normalised().vertices if good else None
        said = said[: math.prod(shape)].reshape(shape)
        if not np.isfinite(said).all() or shape:
            return said if shape and np.isfinite(said).all() else None
        value, low, high = float(said), *(limits if isinstance(limits, tuple) else (None, None))
        if name not in type(self.source).model_fields:
            return value if name != "f0" or 0 < value < self.source.sample_rate / 2 else None
        value = float(np.clip(value, low, high))
        inside = [] if low is None or high is None else [value + 0.01 * ((low + high) / 2 - value)]  # not at an edge
        for possible in (value, *inside):
            with suppress(ValueError):
                self._make({name: possible})
                return possible
        return None

    def _sizes(self, told: dict[str, Any]) -> dict[str, Any]:
        """Sizes that follow from others, as the synthesizer's own."""
        known, own = self.known, type(self.source).model_fields
        told, found = dict(told), {}
        if "mean_side" in own and "diameter" in told and "diameter" not in own:
            found["mean_side"] = known["mean_side"] / known["diameter"] * told.pop("diameter")
        if "mean_side" in own and {"width", "height"} & set(told):
            width, height = (told.pop(name, known[name]) for name in ("width", "height"))
            area = width * height / (known["width"] * known["height"])
            found |= {"mean_side": known["mean_side"] * abs(area) ** 0.5, "aspect_ratio": width / height}
        possible = {name: self._told(name, np.array([value])) for name, value in found.items()}
        return {**{name: value for name, value in possible.items() if value is not None}, **told}

    def _make(self, fields: Mapping[str, Any]) -> Synthesizer:
        return type(self.source).model_validate({**self.fields, **fields})


def _places(shape: Polygon) -> dict[str, float]:
    """Where a drum of a told shape is struck and heard: in the centre, and halfway to the edge."""
    (x, y), heard = shape.centre.tolist(), towards_edge(shape, 0.5).tolist()
    return {"strike_x": x, "strike_y": y, "listening_x": heard[0], "listening_y": heard[1]}


def note(f0: float) -> int:
    """The MIDI note nearest to a pitch (Hz)."""
    return int(np.clip(round(69 + 12 * math.log2(f0 / 440)), 0, 127))
