"""The test part handed over, batch by batch, to a function of the user's."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..pipeline import Pipeline
from .plain import Plain
from .prepare import Prepared

Answers = Mapping[str, Tensor]
"""Values by the names of the target's outputs, in their units: `(batch,)` where there is one for each clip, else as a
target decodes them, `(batch, values, frames)`."""
OnTestBatch = Callable[[int, int, Tensor, Answers, Answers], Any]
"""`(index, count, x, y, prediction)`: which batch of how many, the sound that was heard, the truth, and the answer."""


def hand_over(prepared: Prepared, pipeline: Pipeline, call: OnTestBatch) -> None:
    """Hand over the test part, batch by batch, as the model hears it."""
    clips, size = prepared.clips("test"), prepared.run.training.batch_size
    place = next((p.device for p in pipeline.parameters()), torch.device("cpu"))
    starts = range(0, len(clips), size)
    for index, start in enumerate(starts):
        batch = prepared.collate([clips[i] for i in range(start, min(start + size, len(clips)))])
        with torch.inference_mode():
            said = pipeline.eval()(batch["waveform"].to(place), samples=batch["samples"].to(place))
        x, y, answers = batch["waveform"], {}, {}
        for name, output in prepared.run.outputs.items():
            y |= _each(output.target.truth(batch["target"][name]))
            answers |= _each(output.target.decode(said["prediction"][name].float().cpu()))
        flat = isinstance(prepared.run.model, Plain) and prepared.run.model.flat
        call(index, len(starts), x[:, 0] if flat else x, y, answers)


def _each(decoded: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    tensors = {name: torch.as_tensor(values) for name, values in decoded.items()}
    return {name: t[:, 0, 0] if t.shape[1:] == (1, 1) else t for name, t in tensors.items()}
