"""Clips in equal portions for several processes, with some that teach nothing at the end."""

import math
from typing import Any

import torch

from ..data.ahead import Ahead, Gated
from ..data.batch import Clips


class Padded(torch.utils.data.Dataset[dict[str, Any]]):
    """Clips lengthened to a whole number of steps' portions: what is added has unknown targets, which count nowhere.

    Otherwise the first clips would come once more at the end, where processes are several.
    """

    def __init__(self, clips: Clips | Ahead | Gated, multiple: int) -> None:
        self.clips, self.multiple = clips, multiple

    def __len__(self) -> int:
        return math.ceil(len(self.clips) / self.multiple) * self.multiple

    def __getitem__(self, position: int) -> dict[str, Any]:
        last = len(self.clips) - 1
        item = self.clips[min(position, last)]
        if position <= last:
            return item
        return {**item, "target": {name: torch.full_like(t, math.nan) for name, t in item["target"].items()}}
