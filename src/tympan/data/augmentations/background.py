"""Background: a stretch of another recording is heard behind the clip."""

from typing import ClassVar

import numpy as np
from jaxtyping import Float
from pydantic import Field, model_validator

from ._recorded import Recorded, sound, sounds


class Background(Recorded):
    """Add a random stretch of a random file of a folder, at a signal-to-noise ratio drawn evenly in decibels.

    A file that is shorter than the clip is repeated. Nobody can know whether a file holds the sound of a recording
    that is tested on: keep them apart.
    """

    draws: ClassVar[int] = 3

    folder: str
    """Path or URI of a folder with sound files, also in folders below it."""
    low: float = Field(default=5.0, ge=-60, le=120)
    """The lowest signal-to-noise ratio, in dB."""
    high: float = Field(default=30.0, ge=-60, le=120)
    """The highest, in dB."""

    @model_validator(mode="after")
    def _ordered(self) -> "Background":
        if self.low > self.high:
            raise ValueError(f"background.low is {self.low:g} dB, above high, {self.high:g} dB; exchange them")
        return self

    def ready(self) -> None:
        sounds(self.folder, "background")

    def disturb(
        self, x: Float[np.ndarray, "channels samples"], uniform: Float[np.ndarray, " draws"], sample_rate: int
    ) -> Float[np.ndarray, "channels samples"]:
        files = sounds(self.folder, "background")
        behind, n = sound(files[int(uniform[0] * len(files))], sample_rate), x.shape[1]
        room = max(len(behind) - n, 0) if len(behind) > n else len(behind) - 1
        behind = np.take(behind, np.arange(n) + int(uniform[1] * (room + 1)), mode="wrap")
        power = float(np.square(behind, dtype=np.float64).mean())
        ratio = self.low + (self.high - self.low) * float(uniform[2])
        wanted = float(np.square(x, dtype=np.float64).mean()) * 10 ** (-ratio / 10)
        return x + behind * np.float32(np.sqrt(wanted / power) if power else 0.0)
