"""Time stretch: faster or slower by a random factor, at the same pitch."""

from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from ._places import moved
from ._tempo import Tempo


class TimeStretch(Tempo):
    """Play each clip at a tempo drawn evenly between two, at its own pitch, by a phase vocoder.

    What no longer fits into the clip is lost at its end; what becomes shorter is padded on the side where the clip is.
    """

    low: float = Field(default=0.8, ge=0.25, le=4)
    """The slowest tempo; 1 is the clip's own."""
    high: float = Field(default=1.25, ge=0.25, le=4)
    """The fastest."""

    def play(
        self,
        x: Float[Tensor, "rows frames"],
        begin: Int[Tensor, " rows"],
        factor: Float[Tensor, " rows"],
        sample_rate: float,
    ) -> Float[Tensor, "rows frames"]:
        from ._vocoder import stretched

        return stretched(moved(x[:, None], -begin)[:, 0], factor, sample_rate, x.shape[1])
