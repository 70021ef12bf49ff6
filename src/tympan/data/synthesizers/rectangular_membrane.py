"""A struck rectangular drum of varying size and aspect ratio: the modes of an ideal membrane."""

import math

import numpy as np
from jaxtyping import Float

from ...acoustics import upstream
from ...acoustics.inverse import fundamental
from ...acoustics.inverse_shape import pitch_and_shape
from ...acoustics.modes import rectangle_frequencies, rectangle_shapes
from .. import Example, Values
from ._closed_form import ClosedForm
from ._range import Across, Positive, draw, ends


class RectangularMembrane(ClosedForm):
    """Rectangular drums of varying size and aspect ratio, each struck several times.

    The values are `mean_side` (m, the square root of the area), `aspect_ratio` (width / height), `width` and `height`
    (m), `tension` (N/m), `density` (kg/m²), `decay_time` (s), `f0` (Hz, the lowest mode), `strike_x`, `strike_y`,
    `listening_x` and `listening_y` (fractions of width and height). `modes` counts half waves along the width and along
    the height.

    With `convention: upstream`, `mean_side` is kac_drumset's `drum_size`, which sounds twice too high for it, and there
    is no listening point.
    """

    physical_only = (*ClosedForm.physical_only, "listening_x", "listening_y")

    mean_side: Positive = (0.1, 2.0)
    """Square root of the area (m), or [low, high] to draw from."""
    aspect_ratio: Positive = (1.0, 4.0)
    """Width / height, or [low, high] to draw from."""
    strike_x: Across = (0.0, 1.0)
    """Where it is struck, as a fraction of the width."""
    strike_y: Across = (0.0, 1.0)
    """Where it is struck, as a fraction of the height."""
    listening_x: Across = 0.37
    """Where it is heard, as a fraction of the width, or [low, high] to draw from for each drum: off the centre, lest
    mirrored strikes sound the same."""
    listening_y: Across = 0.43
    """Where it is heard, as a fraction of the height."""

    @property
    def units(self) -> dict[str, str]:
        places = ("strike_x", "strike_y", *(("listening_x", "listening_y") if self.convention == "physical" else ()))
        lengths = {"mean_side": "m", "width": "m", "height": "m"}
        return {**super().units, **lengths, "aspect_ratio": "1", **dict.fromkeys(places, "1")}

    def drum(self, rng: np.random.Generator) -> dict[str, float]:
        drawn = _sides(draw(rng, self.mean_side), draw(rng, self.aspect_ratio))
        heard = {"listening_x": draw(rng, self.listening_x), "listening_y": draw(rng, self.listening_y)}
        return {**drawn, **(heard if self.convention == "physical" else {})}

    def strike(self, rng: np.random.Generator, drum: Values, first: bool) -> dict[str, float]:
        x, y = draw(rng, self.strike_x), draw(rng, self.strike_y)
        return {"strike_x": 0.5, "strike_y": 0.5} if first else {"strike_x": x, "strike_y": y}

    def frequencies(self, parameters: Values, speed: float) -> Float[np.ndarray, "columns rows"]:
        if self.convention == "upstream":
            size, aspect_ratio = parameters["mean_side"], parameters["aspect_ratio"]
            return upstream.rectangle_frequencies(size, aspect_ratio, speed, *self.modes)
        return rectangle_frequencies(parameters["width"], parameters["height"], speed, *self.modes)

    def shapes(self, parameters: Values) -> tuple[np.ndarray, np.ndarray]:
        struck = rectangle_shapes(parameters["strike_x"], parameters["strike_y"], *self.modes)
        return struck, rectangle_shapes(parameters["listening_x"], parameters["listening_y"], *self.modes)

    def upstream_amplitudes(self, parameters: Values) -> Float[np.ndarray, "columns rows"]:
        x, y = (parameters[a] * parameters[b] for a, b in (("strike_x", "width"), ("strike_y", "height")))
        size, aspect_ratio = parameters["mean_side"], parameters["aspect_ratio"]
        return upstream.rectangle_amplitudes(x / size, y / size, aspect_ratio, *self.modes)

    def references(self, example: Example) -> dict[str, Values]:
        """Size and aspect ratio by inverting the partials: it is told tension, density, decay and the range of aspect
        ratios, which a model is not."""
        low, high = ends(self.aspect_ratio)
        values, shapes = example.values, np.geomspace(low, high, math.ceil(math.log(high / low) / 0.04) + 1)

        def ratios(shapes: np.ndarray) -> np.ndarray:
            f = np.array([self.frequencies(_sides(1.0, shape), 1.0).ravel() for shape in shapes])
            return f / f[:, :1]

        heard, loss = self.told(values)
        weights, waveform = heard / ratios(shapes[len(shapes) // 2 :][:1])[0], example.waveform.mean(0)
        if len(shapes) > 1:
            f0, aspect = pitch_and_shape(waveform, self.sample_rate, ratios, shapes, weights, loss)
        else:
            f0, aspect = fundamental(waveform, self.sample_rate, ratios(shapes)[0], weights, loss), low
        side = self.f0(_sides(1.0, aspect), self.speed(values)) / f0
        return {"closed_form_inverse": {**_sides(side, aspect), "f0": f0}}

    def _highest_pitch(self) -> float:
        # The pitch rises as the shape leaves the square, so one end of the range is the highest.
        side = ends(self.mean_side)[0]
        return max(self.f0(_sides(side, aspect), self.fastest()) for aspect in ends(self.aspect_ratio))


def _sides(mean_side: float, aspect_ratio: float) -> dict[str, float]:
    root = math.sqrt(aspect_ratio)
    return {
        "mean_side": mean_side,
        "aspect_ratio": aspect_ratio,
        "width": mean_side * root,
        "height": mean_side / root,
    }
