"""Embeddings -> the target's channels and frames: pooling or resampling, then a small classifier or regressor."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn

from .component import Section
from .frames import masked_mean, pooled, resample, resample_mask
from .signals import Signal

_ACTIVATIONS = {"none": nn.Identity, "relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh}


class Head(Section):
    """How an embedding becomes a prediction."""

    pooling: Literal["mean", "attention", "max", "flatten", "statistics"] = "mean"
    """How the frames of an embedding become one, for a target that is given once per clip; `statistics` are mean and
    deviation, one after the other."""
    upsampling: Literal["linear", "residual"] = "linear"
    """How an embedding reaches a target that has more frames: by straight lines between its predictions, or by learned
    convolutions of it."""
    groups: tuple[tuple[str, ...], ...] = ()
    """The labels that one classifier answers, for each of several classifiers; by default those of the data's label
    file, else one answers everything."""
    shared_dense: int | None = Field(default=None, ge=1)
    """Width of a dense layer, with the activation behind it, that all classifiers hear; none by default."""
    bottleneck: int | None = Field(default=None, ge=1)
    """Width of a dense layer before the last one, in each classifier; none by default."""
    activation: Literal["none", "relu", "gelu", "silu", "tanh"] = "relu"
    """The activation after the bottleneck, and after the shared dense layer."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout before the last layer."""
    layer_norm: bool = False
    """Layer normalisation between the bottleneck and its activation."""

    def build(self, embedding: Signal, target: Signal) -> "HeadModule":
        """The module that maps `(batch, width, frames)` to the target's `(batch, channels, frames)`.

        Raises:
            ValueError: residual upsampling is chosen, and the target has no more frames than the embedding.
        """
        return HeadModule(self, embedding, target)


class HeadModule(nn.Module):
    """Pool to one frame, or project every frame and resample to the target's rate."""

    def __init__(self, head: Head, embedding: Signal, target: Signal) -> None:
        super().__init__()
        self.pooling = head.pooling if target.rate is None else None
        self.frames = target.frames
        width = len(embedding.channels) * (embedding.frames if self.pooling == "flatten" else 1)
        self.upsample = None
        if head.upsampling == "residual":
            if target.frames <= embedding.frames:
                raise ValueError(
                    f"head.upsampling: residual is for targets of more frames than the embedding, which has "
                    f"{embedding.frames} for the target's {target.frames}; leave it out"
                )
            self.upsample = _ResidualUpsampler(width, embedding.frames, target.frames)
        self.attention = nn.Linear(width, 1) if self.pooling == "attention" else None
        if self.pooling == "statistics":
            width *= 2
        self.shared = None
        if head.shared_dense:
            self.shared = nn.Sequential(nn.Linear(width, head.shared_dense), _ACTIVATIONS[head.activation]())
            width = head.shared_dense
        groups = head.groups or (target.channels,)
        named = [name for group in groups for name in group]
        if sorted(named) != sorted(target.channels):
            raise ValueError(
                f"head.groups: {', '.join(named)} are not once each what is predicted, {', '.join(target.channels)}"
            )
        self.classifiers = nn.ModuleList(_Classifier(head, width, len(group)) for group in groups)
        self.order = [named.index(name) for name in target.channels]

    def forward(
        self, x: Float[Tensor, "batch width frames"], real: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch channels out"]:
        if self.upsample is not None:
            return self.each(self.upsample(x, real))
        y = self._project(self.pool(x, real))
        return y if self.pooling else resample(y, self.frames)

    @property
    def last(self) -> nn.Linear:
        """The last layer of the first classifier."""
        first: Any = self.classifiers[0]
        return first.last

    def begin(self, last: Mapping[str, Tensor]) -> None:
        """Begin with weights of the last layer, if there are any.

        Raises:
            ValueError: they are for another width, because of what lies before the layer.
        """
        if last and last["weight"].shape != self.last.weight.shape:
            raise ValueError(
                f"head: the weights to begin with hear {last['weight'].shape[1]} values, and the last layer "
                f"{self.last.weight.shape[1]}; leave `bottleneck` out, and for one value per clip take `pooling: mean`"
            )
        if last:
            self.last.load_state_dict(last)

    def hidden(
        self, x: Float[Tensor, "batch width frames"], real: Bool[Tensor, "batch frames"], layer: Literal["ft", "st"]
    ) -> Float[Tensor, "batch classifiers hidden"]:
        """What a layer within the head says of each clip: `st` is the shared dense layer with its activation, `ft` the
        first dense layer of each classifier, before its normalisation and activation.

        Raises:
            ValueError: the head has no such layer, or answers over time.
        """
        if self.pooling is None:
            raise ValueError(f"layer {layer}: the head answers over time, and only `pt` has one vector for a clip")
        y = self.pool(x, real)
        if layer == "st":
            if self.shared is None:
                raise ValueError("layer st: the head has no shared dense layer; train with head.shared_dense")
            return self.shared(y)
        heard, classifiers = y if self.shared is None else self.shared(y), list[Any](self.classifiers)
        if classifiers[0].dense is None:
            raise ValueError("layer ft: the head has no dense layer before its last; train with head.bottleneck")
        return torch.cat([classifier.dense(heard) for classifier in classifiers], 1)

    def each(self, x: Float[Tensor, "batch width frames"]) -> Float[Tensor, "batch channels frames"]:
        """Every frame by itself, as many as there are; for embeddings at the target's own rate."""
        return self._project(x.transpose(1, 2))

    def pool(
        self, x: Float[Tensor, "batch width frames"], real: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch pooled_frames pooled_width"]:
        """One frame for the clip, of the real frames alone; every frame for a target that has a rate."""
        if self.pooling == "flatten":
            return (x * real[:, None]).flatten(1)[:, None]
        if self.pooling == "max" or self.pooling == "mean":
            return pooled(x, real, self.pooling)[:, None]
        if self.pooling == "statistics":
            mean = masked_mean(x, real)
            variance = masked_mean((x - mean[:, :, None]).square(), real)
            # A constant has no deviation, and the root no slope there.
            return torch.cat([mean, (variance + 1e-6).sqrt()], 1)[:, None]
        x = x.transpose(1, 2)
        if self.attention is None:
            return x
        weight = self.attention(x).masked_fill(~real[:, :, None], -torch.inf).softmax(1)
        return (weight * x).sum(1, keepdim=True)

    def _project(self, y: Float[Tensor, "batch frames width"]) -> Float[Tensor, "batch channels frames"]:
        if self.shared is not None:
            y = self.shared(y)
        answers = [classifier(y) for classifier in self.classifiers]
        said = answers[0] if len(answers) == 1 else torch.cat(answers, 2)[:, :, self.order]
        return said.transpose(1, 2).float()


class _Classifier(nn.Module):
    """A dense layer with normalisation and activation, if any, and the last one."""

    def __init__(self, head: Head, width: int, answers: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, head.bottleneck) if head.bottleneck else None
        self.norm = nn.LayerNorm(head.bottleneck) if head.bottleneck and head.layer_norm else nn.Identity()
        self.activation = _ACTIVATIONS[head.activation]() if head.bottleneck else nn.Identity()
        self.dropout = nn.Dropout(head.dropout)
        self.last = nn.Linear(head.bottleneck or width, answers)

    def forward(self, y: Float[Tensor, "batch frames width"]) -> Float[Tensor, "batch frames answers"]:
        return self.last(self.dropout(y if self.dense is None else self.activation(self.norm(self.dense(y)))))


class _ResidualUpsampler(nn.Module):
    """To more frames by blocks of two convolutions and four times the frames, then by one for the rest.

    Frames of padding are 0 again after every convolution.
    """

    def __init__(self, width: int, frames: int, more: int) -> None:
        super().__init__()
        self.sizes = []
        while frames < more:
            frames = 4 * frames if 4 * frames <= more else more
            self.sizes.append(frames)
        self.first = _convolution(width, 9)
        self.blocks = nn.ModuleList(nn.ModuleList(_convolution(width, 5) for _ in range(2)) for _ in self.sizes)
        self.last = nn.ModuleList(_convolution(width, 3) for _ in range(2))

    def forward(
        self, x: Float[Tensor, "batch width frames"], real: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch width more"]:
        x = self.first(x).masked_fill(~real[:, None], 0)
        for size, convolutions in zip(self.sizes, self.blocks, strict=True):
            y = _each(convolutions, x, real)
            x, real = resample(x + y, size), resample_mask(real, size)
            x = x.masked_fill(~real[:, None], 0)
        return _each(self.last, x, real)


def _convolution(width: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv1d(width, width, kernel, padding=kernel // 2), nn.LeakyReLU(0.2))


def _each(
    convolutions: Any, x: Float[Tensor, "batch width frames"], real: Bool[Tensor, "batch frames"]
) -> Float[Tensor, "batch width frames"]:
    for convolution in convolutions:
        x = convolution(x).masked_fill(~real[:, None], 0)
    return x
