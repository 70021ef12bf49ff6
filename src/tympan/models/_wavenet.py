"""The WaveNet's module: all frames at once, or those of one step, by the same layers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from ..frames import Steps
from ._wavenet_grid import HEARD, SLOPE, begin, grid

if TYPE_CHECKING:
    from ._wavenet_step import Generation


@dataclass
class State:
    """Where a generation is; what grows with the sound is decided by it alone, once."""

    hidden: Float[Tensor, "batch hidden frames"]
    """What the first layer is given, of all frames."""
    named: Float[Tensor, "batch named frames"]
    """The feature channels that reach the gates."""
    real: Bool[Tensor, "batch frames"]
    recent: Float[Tensor, "batch heard steps"]
    """The last steps that the upsampler sees."""
    before: list[Tensor]
    """Of each layer, the frames `(batch, hidden, dilation)` that it was given last."""
    step: int = 0


class Network(nn.Module):
    """Features, and the past where it is heard, to an embedding of each step, or of each frame without steps."""

    def __init__(
        self,
        channels: int,
        dilations: list[int],
        hidden: int,
        skip: int,
        dropout: float,
        past: int,
        named: list[int],
        per_step: float | None,
        steps: Steps | None,
    ) -> None:
        super().__init__()
        self.dilations, self.named, self.per_step, self.steps = dilations, named, per_step, steps
        self.input = nn.Conv1d(channels, hidden, 1)
        self.dilated = nn.ModuleList(nn.Conv1d(hidden, 2 * hidden, 2, dilation=d) for d in dilations)
        self.paths = nn.ModuleList(nn.Conv1d(hidden, hidden + skip, 1) for _ in dilations)
        self.dropout = nn.Dropout(dropout)
        self.after = nn.Sequential(nn.ReLU(), nn.Conv1d(skip, skip, 1), nn.ReLU(), nn.Conv1d(skip, skip, 1))
        self.upsampler = _Upsampler(past, hidden, begin(1, per_step)) if past and per_step else None
        conditions = (hidden if past else 0) + len(named)
        # The 1×1 convolutions of all gates as one; their biases are those of the dilated ones.
        self.gates = nn.Conv1d(conditions, 2 * hidden * len(dilations), 1, bias=False) if conditions else None
        self.attention = nn.Conv1d(skip, 1, 1, bias=False) if per_step else None

    def forward(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        past: Float[Tensor, "batch heard steps"] | None = None,
        known: Bool[Tensor, "batch steps"] | None = None,
    ) -> Float[Tensor, "batch width steps"]:
        if self.per_step is None or self.steps is None:
            return self._frames(x, real, None)
        steps = self.steps.over(x.shape[2]) if past is None else past.shape[2]
        x, real = _fitted(x, real, begin(steps, self.per_step))
        at, place, frames = grid(steps, self.per_step, x.device)
        upsampled = None
        if self.upsampler is not None:
            assert past is not None and known is not None, "an autoregressive model is given its past"
            heard = torch.cat([past, known[:, None].to(past.dtype)], 1)
            upsampled = self.upsampler(functional.pad(heard, (HEARD - 1, 0)))[:, :, at, place]
        return self._attended(self._frames(x, real, upsampled), real, frames)

    def start(
        self, x: Float[Tensor, "batch channels frames"], real: Bool[Tensor, "batch frames"]
    ) -> "State | Generation":
        """A generation's beginning: what is decided by the sound alone."""
        assert self.upsampler is not None and self.per_step is not None
        hidden, named = self.input(x) * real[:, None], x[:, self.named]
        if self._may_compile(hidden):
            from ._wavenet_step import Generation

            return Generation(self, self.dilations, self.per_step, hidden, named, real)
        return State(
            hidden,
            named,
            real,
            x.new_zeros(len(x), self.upsampler.enter.in_channels, HEARD),
            self._silence(x),
        )

    def step(
        self, state: "State | Generation", past: Float[Tensor, "batch heard"], known: Bool[Tensor, "batch"]
    ) -> tuple[Float[Tensor, "batch width"], "State | Generation"]:
        """The next step's frames at once: within a step, no frame depends on an answer that is not there yet."""
        if not isinstance(state, State):
            return state.step(past, known), state
        assert self.upsampler is not None and self.per_step is not None
        heard = torch.cat([past, known[:, None].to(past.dtype)], 1)
        state.recent = torch.cat([state.recent[:, :, 1:], heard[:, :, None]], 2)
        first, last = begin(state.step, self.per_step), begin(state.step + 1, self.per_step)
        hidden, real = _fitted(state.hidden[:, :, first:last], state.real[:, first:last], last - first)
        named, _ = _fitted(state.named[:, :, first:last], state.real[:, first:last], last - first)
        gates = self._gates(self.upsampler(state.recent)[:, :, 0, : last - first], named)
        y = self.after(self._stacks(hidden, real, gates, state.before))
        state.step += 1
        frames = torch.arange(last - first, device=y.device)[None]
        return self._attended(y, real, (frames, torch.ones_like(frames, dtype=torch.bool)))[:, :, 0], state

    def _frames(self, x: Tensor, real: Tensor, upsampled: Tensor | None) -> Float[Tensor, "batch width frames"]:
        hidden = self.input(x) * real[:, None]
        return self.after(self._stacks(hidden, real, self._gates(upsampled, x[:, self.named]), self._silence(x)))

    def _silence(self, x: Tensor) -> list[Tensor]:
        return [x.new_zeros(len(x), self.input.out_channels, d) for d in self.dilations]

    def _gates(self, upsampled: Tensor | None, named: Tensor) -> Tensor | None:
        if self.gates is None:
            return None
        return self.gates(named if upsampled is None else torch.cat([upsampled, named], 1))

    def _stacks(
        self,
        hidden: Float[Tensor, "batch hidden frames"],
        real: Bool[Tensor, "batch frames"],
        gates: Float[Tensor, "batch gates frames"] | None,
        before: list[Tensor],
    ) -> Float[Tensor, "batch skip frames"]:
        """The sum of the skip paths over the next frames; `before` is brought up to date."""
        skips = torch.zeros((), device=hidden.device)
        width = hidden.shape[1]
        for i, (dilated, paths, dilation) in enumerate(zip(self.dilated, self.paths, self.dilations, strict=True)):
            heard = torch.cat([before[i], hidden], 2)
            before[i] = heard[:, :, -dilation:]
            y = dilated(heard)
            if gates is not None:
                y = y + gates[:, 2 * width * i : 2 * width * (i + 1)]
            y = paths(self.dropout(y[:, :width].tanh() * y[:, width:].sigmoid()))
            # Padding stays silent, so that nothing is heard of how much there is.
            hidden = (hidden + y[:, :width]) * real[:, None]
            skips = skips + y[:, width:]
        return skips

    def _may_compile(self, x: Tensor) -> bool:
        """On the processor, where nothing is learned, and in float32 throughout."""
        busy = torch.is_grad_enabled() or torch.is_autocast_enabled("cpu") or (self.training and self.dropout.p > 0)
        return not busy and x.device.type == "cpu" and x.dtype == torch.float32

    def _attended(
        self,
        y: Float[Tensor, "batch width frames"],
        real: Bool[Tensor, "batch frames"],
        frames: tuple[Int[Tensor, "steps most"], Bool[Tensor, "steps most"]],
    ) -> Float[Tensor, "batch width steps"]:
        """Each step's frames weighted by attention: the real ones alone, or all where none is."""
        assert self.attention is not None
        at, own = frames
        heard = real[:, at] & own
        heard = torch.where(heard.any(2, keepdim=True), heard, own)
        score = self.attention(y)[:, 0, at].float().masked_fill(~heard, -torch.inf)
        return torch.einsum("bwsf,bsf->bws", y[:, :, at], score.softmax(2).to(y.dtype))


class _Upsampler(nn.Module):
    """The last steps of the past to every frame of a step: dense layers of increasing length."""

    def __init__(self, past: int, hidden: int, most: int) -> None:
        super().__init__()
        self.most = most
        self.enter = nn.Conv1d(past + 1, hidden, HEARD)
        self.lengthen = nn.Conv1d(hidden, hidden * most, 1)

    def forward(self, heard: Float[Tensor, "batch heard steps"]) -> Float[Tensor, "batch hidden later most"]:
        y = functional.leaky_relu(self.enter(heard), SLOPE)
        y = functional.leaky_relu(self.lengthen(y), SLOPE)
        return y.unflatten(1, (-1, self.most)).transpose(2, 3)


def _fitted(x: Tensor, real: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """As many frames as the steps have: features may give some more, or end before the last step does."""
    missing = frames - x.shape[2]
    return functional.pad(x, (0, missing)), functional.pad(real, (0, missing))
