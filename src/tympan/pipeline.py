"""Waveform -> features -> backbone -> heads, as one module: what is trained, saved and served."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from .data.augmentations import Augmentation
from .features import Feature
from .feedback import check_past, generate, spoiled_past, true_past
from .frames import Pooling, levels, pooled, resample_mask
from .mixing import Mixing
from .models import Model
from .output import Output
from .representation import Representation
from .signals import Signal

Layer = Literal["pt", "ft", "st"]


class Pipeline(nn.Module):
    """From a waveform to predictions by name; the same in training and in serving."""

    def __init__(
        self,
        audio: Signal,
        padding: Literal["left", "right"],
        features: Feature,
        model: Model,
        outputs: Mapping[str, Output],
        augmentations: Sequence[Augmentation] = (),
        seed: int = 0,
    ) -> None:
        """Build every part for clips of one Signal.

        Raises:
            ValueError: two parts do not fit, with what to change.
        """
        super().__init__()
        self.audio, self.outputs = audio, dict(outputs)
        self.representation = Representation(audio, padding, features, augmentations, seed)
        self.represented = self.representation.signal
        check_past(model, {name: output.target for name, output in outputs.items()})
        self.autoregressive, self.seed = model.autoregressive, seed
        self.past_dropout: float = getattr(model, "past_dropout", 0.0)
        self.past_noise: float = getattr(model, "past_noise", 0.0)
        targets = {name: output.target.signal(audio.duration) for name, output in outputs.items()}
        first = next(iter(outputs.values())).target
        heard = first.past_signal if self.autoregressive else first.signal
        self.backbone, self.embedded = model.build(self.represented, heard(audio.duration))
        self.reach = model.reach(self.represented)
        self.explained = model.explain(self.represented, heard(audio.duration))
        self.heads = nn.ModuleDict({n: o.head.build(self.embedded, targets[n]) for n, o in outputs.items()})
        for name, target in targets.items():
            head: Any = self.heads[name]
            head.begin(model.head_weights(self.represented, target))
        self.criteria = {name: output.criterion for name, output in outputs.items()}
        self.mixing = Mixing(augmentations, {n: o.target for n, o in outputs.items()}, self.autoregressive, seed)

    def forward(
        self,
        waveform: Float[Tensor, "batch channels samples"],
        target: Mapping[str, Tensor] | None = None,
        key: Int[Tensor, "batch 2"] | None = None,
        samples: Int[Tensor, "batch"] | None = None,
        known: Mapping[str, Tensor] | None = None,
    ) -> dict[str, Any]:
        """Predictions by name `(batch, channels, frames)`, and their weighted loss where a target is given.

        Args:
            waveform: clips padded to one length.
            target: encoded targets by name.
            key: epoch and index of each clip, which decide the augmentations; needed in training with augmentations.
            samples: the true length of each clip; all of it by default.
            known: what each output's losses are divided by, as `known` tells it of all batches of a step; by default
                those of this one.

        An autoregressive model is taught with the true past in training where a target is given; otherwise, and always
        in `eval()`, it hears its own answers alone, and the target decides the loss but no prediction.
        """
        if self.training and self.autoregressive and target is not None:
            return self.teacher_forced(waveform, target, key, samples, known)
        if self.training and target is not None and key is not None:
            target = self.mixing(target, key)
        said = self._answer(*self.embedding(waveform, key, samples), target, known)
        return said if self.training else {**said, "prediction": self._heard(said["prediction"], waveform)}

    def teacher_forced(
        self,
        waveform: Float[Tensor, "batch channels samples"],
        target: Mapping[str, Tensor],
        key: Int[Tensor, "batch 2"] | None = None,
        samples: Int[Tensor, "batch"] | None = None,
        known: Mapping[str, Tensor] | None = None,
    ) -> dict[str, Any]:
        """As `forward`, but each step of an autoregressive model hears the true steps before it.

        In `eval()` its figures say how well the next step is known, not how well the model answers.

        Raises:
            ValueError: `key` is missing in training, where it decides whose past is left out.
        """
        assert self.autoregressive, "others hear no past"
        ((name, output),) = self.outputs.items()
        past = true_past(output.target, target[name])
        if self.training and (self.past_dropout or self.past_noise):
            past = spoiled_past(*past, self.past_dropout, self.past_noise, key, self.seed)
        x, real = self.represent(waveform, key, samples)
        embedding = self.backbone(x, real, *past)
        return self._answer(embedding, resample_mask(real, embedding.shape[2]), target, known)

    def known(self, target: Mapping[str, Tensor], key: Int[Tensor, "batch 2"]) -> dict[str, Int[Tensor, ""]]:
        """How many losses of each output are known of a training batch."""
        return {name: self.criteria[name].known(mixed) for name, mixed in self.mixing(target, key).items()}

    def _answer(
        self,
        embedding: Tensor,
        real: Tensor,
        target: Mapping[str, Tensor] | None,
        known: Mapping[str, Tensor] | None = None,
    ) -> dict[str, Any]:
        # A head knows the frames of a clip; an autoregressive model also answers whole recordings.
        hear = (lambda head: head.each(embedding)) if self.autoregressive else (lambda head: head(embedding, real))
        prediction = {name: hear(head) for name, head in self.heads.items()}
        if target is None:
            return {"prediction": prediction}
        with torch.autocast(embedding.device.type, enabled=False):
            losses = [
                o.weight * self.criteria[n](prediction[n].float(), target[n], known[n] if known else None)
                for n, o in self.outputs.items()
            ]
        return {"loss": torch.stack(losses).sum(), "prediction": prediction}

    def _heard(self, prediction: dict[str, Tensor], waveform: Tensor) -> dict[str, Tensor]:
        """The same, but nothing where a target says that the sound is too quiet for it."""
        for name, output in self.outputs.items():
            if (quiet := output.target.quiet) is not None:
                p, rate = prediction[name], self.audio.rate or 1.0
                silent = levels(waveform, rate, output.target.rate, p.shape[2]) < quiet
                prediction = {**prediction, name: p.masked_fill(silent[:, None], -1e4)}
        return prediction

    def embedding(
        self,
        waveform: Float[Tensor, "batch channels samples"],
        key: Int[Tensor, "batch 2"] | None = None,
        samples: Int[Tensor, "batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch width frames"], Bool[Tensor, "batch frames"]]:
        """The backbone's embedding, and which of its frames are real; an autoregressive one hears its own answers."""
        x, real = self.represent(waveform, key, samples)
        if self.autoregressive:
            ((name, output),) = self.outputs.items()
            head: Any = self.heads[name]
            steps = output.target.past_signal(waveform.shape[2] / (self.audio.rate or 1.0)).frames
            embedding = generate(self.backbone, head.each, output.target, x, real, steps)
        else:
            embedding = self.backbone(x, real)
        return embedding, resample_mask(real, embedding.shape[2])

    def represent(
        self,
        waveform: Float[Tensor, "batch channels samples"],
        key: Int[Tensor, "batch 2"] | None = None,
        samples: Int[Tensor, "batch"] | None = None,
    ) -> tuple[Float[Tensor, "batch features frames"], Bool[Tensor, "batch frames"]]:
        """The features that the backbone is given, and which of their frames are real."""
        return self.representation(waveform, key, samples)

    @torch.inference_mode()
    def predict(
        self, waveform: Float[Tensor, "batch channels samples"], samples: Int[Tensor, "batch"] | None = None
    ) -> dict[str, dict[str, Float[np.ndarray, "batch values frames"]]]:
        """Decoded predictions of clips: `{target: {output: values in its own unit}}`."""
        prediction = self.eval()(waveform, samples=samples)["prediction"]
        return {name: self.outputs[name].target.decode(p.float().cpu()) for name, p in prediction.items()}

    @torch.inference_mode()
    def embed(
        self,
        waveform: Float[Tensor, "batch channels samples"],
        samples: Int[Tensor, "batch"] | None = None,
        layer: Layer = "pt",
        pooling: Pooling = "mean",
    ) -> Float[Tensor, "batch width"]:
        """One vector for each clip: `pt`, the backbone's embedding, pooled over its real frames; `ft`, the first dense
        layer of the first output's classifiers, before normalisation and activation, pooled over classifiers; or `st`,
        the dense layer that they share. ValueError where the head has no such layer.
        """
        x, real = self.eval().embedding(waveform, samples=samples)
        if layer == "pt":
            return pooled(x, real, pooling)
        head: Any = next(iter(self.heads.values()))
        x = head.hidden(x, real, layer).transpose(1, 2)
        return pooled(x, torch.ones_like(x[:, 0], dtype=torch.bool), pooling)
