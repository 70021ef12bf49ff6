"""Which arithmetic trains this model fastest on this device: three steps of each are timed."""

import time
from collections.abc import Callable

import torch

from ..device import has_bf16
from .hardware import Hardware
from .optimization import optimizer
from .prepare import Prepared

STEPS = 3
"""Steps timed of each choice, after one that is not."""


def fastest(prepared: Prepared, device: torch.device, say: Callable[[str], None]) -> Hardware:
    """The run's hardware section with the fastest precision and memory format filled in.

    fp32 and bf16 are tried, each with and without channels last, on the first batch of the training part; what the
    steps did to the weights is thrown away. fp32 is kept unless another choice is at least a tenth faster. bf16 is not
    tried on a processor that has no instructions for it: a step would take minutes.
    """
    clips = prepared.clips("train")
    size = min(prepared.run.training.batch_size, len(clips))
    batch = prepared.collate([clips[i] for i in range(size)])
    arguments = {name: _to(device, value) for name, value in batch.items()}
    seconds: dict[tuple[str, bool], float] = {}
    half = has_bf16(device.type)
    for precision in ("fp32", "bf16") if half else ("fp32",):
        for channels_last in (False, True):
            pipeline = prepared.pipeline().to(device).train()
            if channels_last:
                pipeline.backbone.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
            optim = optimizer(prepared.run.optimizer, pipeline)
            took = []
            for _ in range(1 + STEPS):
                began = time.perf_counter()
                with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
                    loss = pipeline(**arguments)["loss"]
                loss.backward()
                optim.step()
                optim.zero_grad()
                loss.detach().item()  # waits for the device
                took.append(time.perf_counter() - began)
            seconds[precision, channels_last] = min(took[1:])
    plain = seconds["fp32", False]
    best = min(seconds, key=lambda choice: seconds[choice])
    best = best if seconds[best] < 0.9 * plain else ("fp32", False)
    told = ", ".join(f"{p}{' channels_last' * c} {1e3 * s:.0f} ms" for (p, c), s in seconds.items())
    say(f"precision auto: {told} a step{'' if half else '; this processor has no bf16'}")
    return prepared.run.hardware.model_copy(update={"precision": best[0], "channels_last": best[1]})


def _to(device: torch.device, value: torch.Tensor | dict[str, torch.Tensor]) -> torch.Tensor | dict[str, torch.Tensor]:
    return value.to(device) if isinstance(value, torch.Tensor) else {k: v.to(device) for k, v in value.items()}
