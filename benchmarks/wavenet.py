"""A WaveNet's generation beside the same network in onnxruntime, and beside the receptive field at every step."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from tympan.models.wavenet import WaveNet
from tympan.signals import Signal

RATE, CHANNELS, FIELD = 100.0, 40, 2047


def generation(best: Callable[..., list[float]]) -> dict[str, tuple[float, float]]:
    """Seconds for each frame of 2 stacks of 10 layers with 64 channels, batch 1, once begun: ours and the peer's."""
    with torch.inference_mode():
        one, many = _beside(1, 20, best), _beside(25, 2, best)
        network, x, real, past, known = _network(1)
        begun, frames = network.start(x, real), 20

        def again() -> None:
            network(x[:, :, :FIELD], real[:, :FIELD], past[:, :, :FIELD], known[:, :FIELD])

        def ours() -> None:
            for _ in range(frames):
                network.step(begun, past[:, :, 0], known[:, 0])

        a, b = best(ours, again)
    name = "WaveNet 20 × 64, a frame, {} in a step"
    return {
        f"{name.format(1)} / the receptive field again": (a / frames, b),
        f"{name.format(1)} / onnxruntime, state in and out": one,
        f"{name.format(25)} / onnxruntime, state in and out": many,
    }


def _beside(per_step: int, steps: int, best: Callable[..., list[float]]) -> tuple[float, float]:
    network, x, real, past, known = _network(per_step)
    peer, begun = _Peer(network, network.input(x)[0].T.numpy(), per_step), network.start(x, real)
    said = np.concatenate([peer.step() for _ in range(60)])
    expected = network(x, real, past[:, :, :60], known[:, :60])[0].T.numpy()
    np.testing.assert_allclose(said, expected, atol=1e-4)

    def ours() -> None:
        for _ in range(steps):
            network.step(begun, past[:, :, 0], known[:, 0])

    def theirs() -> None:
        for _ in range(steps):
            peer.step()

    a, b = best(ours, theirs)
    return a / steps / per_step, b / steps / per_step


def _network(per_step: int) -> tuple[Any, Tensor, Tensor, Tensor, Tensor]:
    """The network, features, which of them are real, and a past of which nothing is known."""
    torch.manual_seed(0)
    features = Signal(tuple(f"band_{i}" for i in range(CHANNELS)), RATE, 100.0)
    model = WaveNet(context_size_in_seconds=FIELD / RATE, max_layers_per_stack=10)
    target = Signal(("eda",), RATE / per_step, features.duration)
    assert model.derive(features, target).receptive_field == FIELD
    network, _ = model.build(features, target)
    x, real = torch.randn(1, CHANNELS, features.frames), torch.ones(1, features.frames, dtype=torch.bool)
    return network.eval(), x, real, torch.zeros(1, 1, target.frames), torch.zeros(1, target.frames, dtype=torch.bool)


class _Peer:
    """One step of the same network as a graph; what layers heard before is kept in rings by numpy, or in the graph.

    For one frame a step the rings are by far the faster way, for many the graph's own state.
    """

    def __init__(self, network: Any, hidden: np.ndarray, frames: int) -> None:
        self.hidden, self.frames, self.dilations = hidden, frames, network.dilations
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        w = {name: p.detach().numpy() for name, p in network.named_parameters()}
        width, layers = hidden.shape[1], len(self.dilations)
        self.width = width
        inputs, outputs = [("hidden", [frames, width]), ("recent", [1, 18])], [("embedding", [1, 64])]
        entered = self._leaky(
            self._dense("recent", w["upsampler.enter.weight"].reshape(width, -1), w["upsampler.enter.bias"])
        )
        long = self._dense(entered, w["upsampler.lengthen.weight"][:, :, 0], w["upsampler.lengthen.bias"])
        long = self._leaky(self._node("Reshape", long, self._constant(np.array([width, frames]))))
        gates = self._dense(
            self._node("Transpose", long, perm=[1, 0]),
            w["gates.weight"][:, :, 0],
            np.zeros(2 * width * layers, np.float32),
        )
        conditions = self._split(gates, layers, 1)
        olds = self._split("old", layers, 0) if frames == 1 else []
        now, skips, heard = "hidden", "", []
        if frames == 1:
            inputs.append(("old", [layers, width]))
        for i, dilation in enumerate(self.dilations):
            heard.append(now)
            if frames == 1:
                old = olds[i]
            else:
                inputs.append((f"old_{i}", [dilation, width]))
                outputs.append((f"new_{i}", [dilation, width]))
                both = self._node("Concat", f"old_{i}", now, axis=0)
                old = self._node(
                    "Slice", both, *map(self._constant, (np.array([0]), np.array([frames]), np.array([0])))
                )
                ends = (np.array([frames]), np.array([frames + dilation]), np.array([0]))
                self._node("Slice", both, *map(self._constant, ends), name=f"new_{i}")
            taps = np.concatenate([w[f"dilated.{i}.weight"][:, :, 0], w[f"dilated.{i}.weight"][:, :, 1]], 1)
            y = self._dense(self._node("Concat", old, now, axis=1), taps, w[f"dilated.{i}.bias"])
            a, b = self._split(self._node("Add", y, conditions[i]), 2, 1)
            y = self._node("Mul", self._node("Tanh", a), self._node("Sigmoid", b))
            residual, skip = self._split(self._dense(y, w[f"paths.{i}.weight"][:, :, 0], w[f"paths.{i}.bias"]), 2, 1)
            now = self._node("Add", now, residual)
            skips = self._node("Add", skips, skip) if skips else skip
        if frames == 1:
            self._node("Concat", *heard, name="new", axis=0)
            outputs.append(("new", [layers, width]))
        y = skips
        for i in (1, 3):
            y = self._dense(self._node("Relu", y), w[f"after.{i}.weight"][:, :, 0], w[f"after.{i}.bias"])
        score = self._node("MatMul", y, self._constant(w["attention.weight"][0]))
        score = self._node("Softmax", self._node("Transpose", score, perm=[1, 0]), axis=1)
        self._node("MatMul", score, y, name="embedding")
        asks, tells = (
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in side] for side in (inputs, outputs)
        )
        graph = helper.make_graph(self.nodes, "step", asks, tells, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        onnx.checker.check_model(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        self.outputs = [name for name, _ in outputs]
        self.states = [name for name, _ in inputs[2:]]
        self.begin()

    def begin(self) -> None:
        self.time, self.recent = 0, np.zeros((1, 2, 9), np.float32)
        d = np.array(self.dilations)
        self.ring, self.places, self.lengths = np.zeros((d.sum(), self.width), np.float32), np.cumsum(d) - d, d
        self.state = {f"old_{i}": np.zeros((n, self.width), np.float32) for i, n in enumerate(self.dilations)}

    def step(self) -> np.ndarray:
        first = self.time * self.frames
        given = {"hidden": self.hidden[first : first + self.frames], "recent": self.recent.reshape(1, -1)}
        self.time += 1
        if self.frames == 1:
            at = self.places + first % self.lengths
            said, new = self._run({**given, "old": self.ring[at]})
            self.ring[at] = new
            return said
        said, *new = self._run({**given, **self.state})
        self.state = dict(zip(self.states, new, strict=True))
        return said

    def _run(self, given: dict[str, np.ndarray]) -> Any:
        return self.session.run(self.outputs, given)

    def _constant(self, value: np.ndarray) -> str:
        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def _node(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        name = name or f"value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def _dense(self, x: str, weight: np.ndarray, bias: np.ndarray) -> str:
        return self._node("Gemm", x, self._constant(weight.T), self._constant(bias))

    def _leaky(self, x: str) -> str:
        return self._node("LeakyRelu", x, alpha=0.2)

    def _split(self, x: str, parts: int, axis: int) -> list[str]:
        names = [f"part_{len(self.nodes)}_{i}" for i in range(parts)]
        self.nodes.append(helper.make_node("Split", [x], names, axis=axis, num_outputs=parts))
        return names
