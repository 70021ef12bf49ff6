"""One quantity, halved for the network."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tympan.objectives import Target
from tympan.signals import Signal


class Half(Target):
    """Half of the diameter: the radius."""

    space = "real"
    default_loss = "l1"
    default_metrics = ("mae",)

    @property
    def outputs(self) -> tuple[str, ...]:
        return ("diameter",)

    @property
    def unit(self) -> dict[str, str]:
        return {"diameter": "m"}

    def signal(self, duration: float) -> Signal:
        return Signal(("radius",), None, duration, "m")

    def encode(self, values: Mapping[str, Any]) -> Tensor:
        return torch.tensor([[float(values.get("diameter", float("nan"))) / 2]])

    def decode(self, prediction: Tensor) -> dict[str, np.ndarray]:
        return {"diameter": prediction.detach().double().cpu().numpy() * 2}

    def truth(self, encoded: Tensor) -> dict[str, np.ndarray]:
        return self.decode(encoded)

    def columns(self, decoded: Mapping[str, np.ndarray]) -> dict[str, list[float] | list[str]]:
        return {"diameter (m)": decoded["diameter"][0].tolist()}
