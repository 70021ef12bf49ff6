"""Background: a stretch of another recording is heard behind the clip."""

from typing import ClassVar

import numpy as np
from jaxtyping import Float
from pydantic import Field

from ._between import Between
from ._recorded import Chosen


class Background(Chosen, Between):
    """Add a random stretch of a random file of a folder, at a signal-to-noise ratio drawn evenly in decibels.

    A file that is shorter than the clip is repeated. Nobody can know whether a file holds the sound of a recording
    that is tested on: keep them apart.
    """

    draws: ClassVar[int] = 3
    unit: ClassVar[str] = " dB"

    low: float = Field(default=5.0, ge=-60, le=120)
    """The lowest signal-to-noise ratio, in dB."""
    high: float = Field(default=30.0, ge=-60, le=120)
    """The highest, in dB."""

    def disturb(
        self, x: Float[np.ndarray, "channels samples"], uniform: Float[np.ndarray, " draws"], sample_rate: int
    ) -> Float[np.ndarray, "channels samples"]:
        _, behind = self.chosen(float(uniform[0]), sample_rate)
        n = x.shape[1]
        if len(behind) <= n:
            behind = np.resize(behind, n + len(behind) - 1)
        start = int(uniform[1] * (len(behind) - n + 1))
        behind = behind[start : start + n]
        power = float(np.dot(behind, behind)) / n
        ratio = self.between(float(uniform[2]))
        wanted = float(np.vdot(x, x)) / x.size * 10 ** (-ratio / 10)
        return x + behind * np.float32(np.sqrt(wanted / power) if power else 0.0)
