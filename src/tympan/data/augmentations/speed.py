"""Speed: faster and higher, or slower and lower, by a random factor."""

from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from ._tempo import Tempo


class Speed(Tempo):
    """Play each clip at a speed drawn evenly between two, as a tape would: tempo and pitch change together.

    What no longer fits into the clip is lost at its end; what becomes shorter is padded on the side where the clip is.
    """

    low: float = Field(default=0.9, ge=0.25, le=4)
    """The slowest speed; 1 is the clip's own."""
    high: float = Field(default=1.1, ge=0.25, le=4)
    """The fastest."""

    def play(
        self,
        x: Float[Tensor, "rows frames"],
        begin: Int[Tensor, " rows"],
        factor: Float[Tensor, " rows"],
        sample_rate: float,
    ) -> Float[Tensor, "rows frames"]:
        from ._vocoder import read

        return read(x, factor, begin, x.shape[1])
