"""What membranes with modes in closed form share: how many modes, and whether they follow physics or kac_drumset."""

import math
from abc import abstractmethod
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float
from pydantic import PositiveInt, model_validator

from ...acoustics import upstream
from ...acoustics.inverse import fundamental
from ...acoustics.strike import decay_rates, to_peak, waveform
from .. import Example, Values
from ._membrane import Membrane


class ClosedForm(Membrane):
    """A membrane whose modes two whole numbers name."""

    physical_only: ClassVar[tuple[str, ...]] = ("high_decay_time", "strike_width")
    """The fields that mean nothing by kac_drumset's convention."""

    modes: tuple[PositiveInt, PositiveInt] = (10, 10)
    """How many modes are heard, as the shape's two mode numbers count; those at or above half the sample rate never
    are."""
    convention: Literal["physical", "upstream"] = "physical"
    """Physics; or kac_drumset's published formulas, to compare with its data: too high, with unsigned amplitudes, heard
    everywhere at once, a fall of 120 dB in `decay_time`, and modes above half the sample rate folded down."""

    @model_validator(mode="after")
    def _theirs(self) -> "ClosedForm":
        fields = type(self).model_fields
        said = [name for name in self.physical_only if getattr(self, name) != fields[name].default]
        if self.convention == "upstream" and said:
            raise ValueError(f"convention: upstream has no {' and no '.join(said)}; leave it out, or take physical")
        return self

    @abstractmethod
    def upstream_amplitudes(self, parameters: Values) -> Float[np.ndarray, "*modes"]:
        """Amplitudes of the modes by kac_drumset's formulas."""

    def inverse(self, example: Example, size: str) -> Values:
        """The size and the lowest mode of a drum of one known shape, from its sound: told all but what it is asked."""
        one = {**example.values, size: 1.0}
        ratios = self.frequencies(one, 1.0).ravel() / self.f0(one, 1.0)
        weights, loss = self.told(example.values)
        heard = fundamental(example.waveform.mean(0), self.sample_rate, ratios, weights / ratios, loss)
        return {size: self.f0(one, self.speed(example.values)) / heard, "f0": heard}

    def told(self, values: Values) -> tuple[Float[np.ndarray, "modes"], float]:
        """What an inverse is told: how much of each mode is heard where it listens, and the decay rate (1/s)."""
        if self.convention == "upstream":
            return np.ones(math.prod(self.modes)), upstream.decay_rate(values["decay_time"])
        heard = np.abs(self.shapes(values)[1]).ravel()
        return heard, float(decay_rates(np.zeros(1), values["decay_time"])[0])

    def sound(self, rng: np.random.Generator, parameters: Values) -> Float[np.ndarray, "samples"]:
        if self.convention == "physical":
            return super().sound(rng, parameters)
        f = self.frequencies(parameters, self.speed(parameters)).ravel()
        rates = np.full_like(f, upstream.decay_rate(parameters["decay_time"]))
        a = self.upstream_amplitudes(parameters).ravel()
        return to_peak(waveform(f, a, rates, self.audio.frames, self.sample_rate, aliases=True), self.amplitude)
