"""CREPE's answers every 10 ms beside the same network in onnxruntime, each with the windows at once that suit it."""

import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from tympan.models.crepe import Crepe, _Network, windows
from tympan.signals import Signal

RATE, HOP = 16000, 160
CAPACITIES = {"full": (128, (4, 16, 64)), "tiny": (512, (4, 16, 64))}
"""Windows that are heard; and how many of them onnxruntime may take at once, of which the best counts."""


def hearing(best: Callable[..., list[float]]) -> dict[str, tuple[float, float]]:
    """Seconds for each second of sound, ours and the peer's, from windows of noise to the embedding."""
    found = {}
    for capacity, (count, sizes) in CAPACITIES.items():
        with beside(capacity, count) as (ours, theirs):
            times = best(ours, *(lambda size=size: theirs(size) for size in sizes))
            first, peer = (t / count * RATE / HOP for t in (times[0], min(times[1:])))
            found[f"CREPE {capacity}, 1 s of windows every 10 ms / onnxruntime"] = first, peer
    return found


@contextmanager
def beside(capacity: str, count: int) -> Iterator[tuple[Callable[[], Tensor], Callable[[int], np.ndarray]]]:
    """The network as it answers here, and by so many windows at once in onnxruntime; they were seen to say the same."""
    torch.manual_seed(0)
    signal = Signal(("mono",), float(RATE), count * HOP / RATE)
    network, _ = Crepe.model_validate({"capacity": capacity, "hop": HOP / RATE}).build(signal, signal)
    assert isinstance(network, _Network)
    layers, spectra = network.eval().layers, network.spectra
    x = windows(torch.randn(1, 1, count * HOP), HOP, count)[0]
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        path = str(Path(folder) / "crepe.onnx")
        with warnings.catch_warnings(), torch.inference_mode(False), torch.no_grad():
            warnings.simplefilter("ignore")
            shapes = ({0: torch.export.Dim("windows")},)
            torch.onnx.export(layers, (x.clone(),), path, dynamo=True, dynamic_shapes=shapes, verbose=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name

        def theirs(at_once: int) -> np.ndarray:
            return np.concatenate([np.asarray(session.run(None, {name: part.numpy()})[0]) for part in x.split(at_once)])

        def ours() -> Tensor:
            return spectra(layers, x)

        np.testing.assert_allclose(ours().numpy(), theirs(16), atol=1e-4)
        yield ours, theirs
