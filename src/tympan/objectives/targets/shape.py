"""The outline of a membrane, whatever its size and however it is turned: the share of its area in each direction."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor

from ...acoustics import radial
from ...signals import Signal
from .. import Target
from ._read import unknown


class Shape(Target):
    """An outline about its centroid, of unit area, which the network sees as a softmax over even sectors.

    The share of the area in a sector is positive and all shares add up to 1, so whatever the network says is an outline
    of unit area. Corners were the other choice: their number differs from drum to drum, and a small change of a shape
    may change which of them comes first. How a drum is turned, and whether it is mirrored, cannot be heard: every
    outline is learned in one pose, which its moments choose, and judged in the pose that fits best.

    An answer has no frames but `points` radii, in square roots of the area; the size itself is another target, of the
    quantity `mean_side`. Outlines that their centroid does not see whole are refused.
    """

    space = "shape"
    takes_losses_of = frozenset({"real"})  # of logarithms of the shares, in the one pose
    default_loss = "overlap"
    default_metrics = ("overlap", "radial_error")

    column: str = Field(default="vertices", min_length=1)
    """The value that holds the corners of each shape, `(corners, 2)`, in any unit and at any place."""
    points: int = Field(default=128, ge=8, le=1024)
    """Sectors in which the outline is seen; the narrower, the sharper its corners."""
    corners: int | None = Field(default=None, ge=3)
    """Corners of the polygon that people read; by default as many as there are sectors."""

    @model_validator(mode="after")
    def _once(self) -> "Shape":
        if self.rate is not None:
            raise ValueError("a shape is given once per clip; leave `rate` out")
        return self

    @property
    def outputs(self) -> tuple[str, ...]:
        return (self.column,)

    def signal(self, duration: float) -> Signal:
        return Signal(tuple(f"{self.column}_{i}" for i in range(self.points)), None, duration)

    def encode(self, values: Mapping[str, Any]) -> Float[Tensor, "points 1"]:
        vertices = values.get(self.column)
        if unknown(vertices):
            return torch.full((self.points, 1), torch.nan)
        try:
            corners = np.asarray(vertices, np.float64)
            shares = radial.shares(radial.pose(radial.normalised(corners)), self.points)
        except (TypeError, ValueError) as error:
            raise ValueError(f"shape {self.column!r}: {error}") from error
        return torch.from_numpy(np.log(shares * self.points).astype(np.float32))[:, None]

    def decode(self, prediction: Float[Tensor, "batch points 1"]) -> dict[str, Float[np.ndarray, "batch 1 points"]]:
        """The radius of every sector, in square roots of the area."""
        shares = prediction[:, :, 0].detach().cpu().double().softmax(1).numpy()
        return {self.column: radial.radii(shares)[:, None]}

    def truth(self, encoded: Float[Tensor, "batch points 1"]) -> dict[str, Float[np.ndarray, "batch 1 points"]]:
        return self.decode(encoded)

    def columns(self, decoded: Mapping[str, Float[np.ndarray, "1 points"]]) -> dict[str, list[float] | list[str]]:
        """The polygon as well-known text (ISO 19125-1), `POLYGON ((x y, x y, …))`, of unit area."""
        vertices = radial.outline(decoded[self.column][0])
        if self.corners is not None:
            vertices = radial.simplified(vertices, self.corners)
        ring = ", ".join(f"{x:.5f} {y:.5f}" for x, y in [*vertices, vertices[0]])
        return {self.column: [f"POLYGON (({ring}))"]}
