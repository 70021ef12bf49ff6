"""What a model that hears its past would say if it heard the true one."""

import math

import numpy as np
import torch

from ..data import Example
from ..data.batch import pad
from ..pipeline import Pipeline
from .said import Decoded


@torch.inference_mode()
def taught(pipeline: Pipeline, name: str, example: Example, encoded: torch.Tensor, frames: int) -> Decoded:
    """What a model that hears its past would say if it heard the true one: how well it knows the next step alone."""
    device = next(pipeline.parameters()).device
    waveform = torch.from_numpy(np.array(example.waveform, np.float32)).to(device)
    target = pipeline.outputs[name].target
    steps = target.past_signal(waveform.shape[1] / (pipeline.audio.rate or 1.0)).frames  # the sound may be longer
    past = pad(encoded[:, :frames], max(steps, frames), "right", math.nan)
    said = pipeline.teacher_forced(waveform[None], {name: past[None].to(device)})["prediction"][name]
    return {k: v[0] for k, v in target.decode(said[:, :, :frames].float().cpu()).items()}
