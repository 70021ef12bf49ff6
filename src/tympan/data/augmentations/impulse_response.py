"""Impulse response: a recorded room, telephone or microphone."""

from typing import ClassVar

import numpy as np
from jaxtyping import Float

from ._fourier import convolved
from ._recorded import Chosen


class ImpulseResponse(Chosen):
    """Convolve each clip with a random file of a folder.

    A response begins with its strongest sample, so that nothing is late, and has an energy of 1.
    """

    draws: ClassVar[int] = 1

    def disturb(
        self, x: Float[np.ndarray, "channels samples"], uniform: Float[np.ndarray, " draws"], sample_rate: int
    ) -> Float[np.ndarray, "channels samples"]:
        uri, response = self.chosen(float(uniform[0]), sample_rate)
        response = response[int(np.abs(response).argmax()) :]
        energy = float(np.sqrt(np.square(response, dtype=np.float64).sum()))
        if not energy:
            raise ValueError(f"augmentation impulse_response: {uri} is silent; take it out of the folder")
        return convolved(x, response / energy)
