"""Two models, one after the other: the second at the target's rate, on what the first made of the sound."""

from typing import Any

from jaxtyping import Bool, Float
from pydantic import SerializeAsAny, field_validator
from torch import Tensor, nn

from ..frames import Steps, resample_mask, resample_real
from ..signals import Signal
from . import Model


class EncoderDecoder(Model):
    """An encoder that hears the features, and a decoder that hears the encoder's frames as steps of the target.

    Both are models. A step is the mean of the encoder's frames that end within it; where the target is the faster, the
    frame it lies in or, where both models are causal, the last one that has ended. For a target that is given once per
    clip the decoder has the encoder's own frames. A decoder that hears its past makes the whole autoregressive.
    """

    encoder: SerializeAsAny[Model]
    """The model that hears the features, for example `wavenet`, `transformer` or `cnn`."""
    decoder: SerializeAsAny[Model]
    """The model that hears the encoder, at the target's rate: `cnn` with `stride: 1`, `lstm` or `transformer`."""

    @field_validator("encoder")
    @classmethod
    def _hears_sound_alone(cls, encoder: Model) -> Model:
        if encoder.autoregressive:
            raise ValueError(
                f"an encoder hears the sound alone, and this {encoder.type} hears its own past; set `hears_past: false`"
            )
        return encoder

    @property
    def hears_future(self) -> bool:
        return self.encoder.hears_future or self.decoder.hears_future

    @property
    def hears_padding(self) -> bool:
        return self.encoder.hears_padding or self.decoder.hears_padding

    @property
    def autoregressive(self) -> bool:
        return self.decoder.autoregressive

    @property
    def past_dropout(self) -> float:
        """The probability that a clip's whole past is left out in training: the decoder's."""
        return getattr(self.decoder, "past_dropout", 0.0)

    @property
    def past_noise(self) -> float:
        """That of the decoder."""
        return getattr(self.decoder, "past_noise", 0.0)

    def explain(self, features: Signal, target: Signal) -> str:
        encoder = self.encoder.explain(features, target)
        return f"encoder: {encoder}" if encoder else ""

    def build(self, features: Signal, target: Signal) -> tuple[nn.Module, Signal]:
        """The module, and the Signal of its embedding, at the target's rate.

        Raises:
            ValueError: one of the two cannot be met, or the decoder's frames are not those of the target.
        """
        encoder, encoded = self.encoder.build(features, target)
        heard = encoded if target.rate is None else Signal(encoded.channels, target.rate, target.duration)
        decoder, embedding = self.decoder.build(heard, target)
        if target.rate is not None and embedding.frames != target.frames:
            raise ValueError(
                f"model.decoder: {self.decoder.type} makes {embedding.frames} frames of the {target.frames} steps of "
                "the target; set its `stride: 1`"
            )
        steps = None if target.rate is None else Steps.of(features, target)
        return _Network(encoder, decoder, steps, not self.hears_future), embedding

    def bare(self) -> "EncoderDecoder":
        return self.model_copy(update={"encoder": self.encoder.bare(), "decoder": self.decoder.bare()})


class _Network(nn.Module):
    def __init__(self, encoder: nn.Module, decoder: Any, steps: Steps | None, causal: bool) -> None:
        super().__init__()
        self.encoder, self.steps, self.causal = encoder, steps, causal
        self.decoder: Any = decoder

    def forward(
        self, x: Float[Tensor, "batch channels frames"], real: Bool[Tensor, "batch frames"], *past: Tensor
    ) -> Float[Tensor, "batch width steps"]:
        return self.decoder(*self._heard(x, real), *past)

    def start(self, x: Float[Tensor, "batch channels frames"], real: Bool[Tensor, "batch frames"]) -> Any:
        return self.decoder.start(*self._heard(x, real))

    def step(
        self, state: Any, past: Float[Tensor, "batch values"], known: Bool[Tensor, "batch"]
    ) -> tuple[Float[Tensor, "batch width"], Any]:
        return self.decoder.step(state, past, known)

    def _heard(
        self, x: Float[Tensor, "batch channels frames"], real: Bool[Tensor, "batch frames"]
    ) -> tuple[Float[Tensor, "batch encoded steps"], Bool[Tensor, "batch steps"]]:
        """What the decoder hears, and which of it is real."""
        y = self.encoder(x, real)
        steps = y.shape[2] if self.steps is None else self.steps.over(x.shape[2])
        y, _ = resample_real(y, resample_mask(real, y.shape[2]), steps, self.causal)
        return y, resample_mask(real, steps)
