"""The past that an autoregressive model hears: the truth while it is taught, its own answers when it speaks."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import pad

from .data.draw import uniform
from .frames import resample_mask
from .models import Model
from .objectives import Target


def check_past(model: Model, targets: Mapping[str, Target]) -> None:
    """Refuse targets whose past a model cannot hear.

    Raises:
        ValueError: the model is autoregressive, and there are several targets, or one that is given once per clip.
    """
    if not model.autoregressive:
        return
    if len(targets) > 1:
        raise ValueError(
            f"model {model.type!r} hears its own past answers, of one target, and there are {len(targets)} "
            f"({', '.join(targets)}); keep one of them (a target may have several quantities), or take a model that "
            "does not hear its past"
        )
    for name, target in targets.items():
        if target.rate is None:
            raise ValueError(
                f"model {model.type!r} hears its own past answers, and target {name!r} has one answer per clip; give "
                "the target a `rate`, or take a model that does not hear its past"
            )


def true_past(
    target: Target, encoded: Float[Tensor, "batch channels steps"]
) -> tuple[Float[Tensor, "batch heard steps"], Bool[Tensor, "batch steps"]]:
    """What is heard of an encoded target one step later, 0 where it is unknown, and where it is known."""
    unknown = encoded.isnan().any(1, keepdim=True)
    past = target.past_of_truth(encoded.masked_fill(unknown, 0)).masked_fill(unknown, 0)
    return pad(past, (1, 0))[:, :, :-1], pad(~unknown[:, 0], (1, 0))[:, :-1]


def spoiled_past(
    past: Float[Tensor, "batch heard steps"],
    known: Bool[Tensor, "batch steps"],
    dropout: float,
    noise: float,
    key: Int[Tensor, "batch 2"] | None,
    seed: int,
) -> tuple[Float[Tensor, "batch heard steps"], Bool[Tensor, "batch steps"]]:
    """The same, but some clips have no past at all, so that a cold start is learned; and what there is has noise.

    A past that is true in training and the model's own afterwards is trusted too much, and errors grow; with noise the
    sound is listened to, and errors are mended.

    Args:
        dropout: the probability that a clip has no past.
        noise: the standard deviation of the noise, in the units of `past`.
        key: decides both.
        seed: decides both.

    Raises:
        ValueError: there is no `key`.
    """
    if key is None:
        raise ValueError("past_dropout and past_noise need the `key` of each clip: (epoch, index)")
    known = known & (uniform(key, seed, "past_dropout", 1) >= dropout)
    if noise:
        # Box and Muller 1958: two uniform numbers are a normal one.
        radius, angle = uniform(key, seed, "past_noise", 2 * past[0].numel()).chunk(2, 1)
        normal = (-2 * torch.log1p(-radius)).sqrt() * torch.cos(2 * torch.pi * angle)
        past = past + noise * normal.view_as(past)
    return past * known[:, None], known


def generate(
    backbone: nn.Module,
    head: Callable[[Float[Tensor, "batch width 1"]], Float[Tensor, "batch outputs 1"]],
    target: Target,
    x: Float[Tensor, "batch features frames"],
    real: Bool[Tensor, "batch frames"],
    steps: int,
) -> Float[Tensor, "batch width steps"]:
    """The embedding of every step of the target, each from the answers before it; the first has no past.

    A step that is mostly padding is answered, and its answer is not heard.
    """
    module: Any = backbone
    there = resample_mask(real, steps)
    state = module.start(x, real)
    past = torch.zeros(len(x), len(target.past_signal(1.0).channels), device=x.device)
    known = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    embeddings: list[Tensor] = []
    for step in range(steps):
        embedding, state = module.step(state, past, known)
        embeddings.append(embedding)
        if step + 1 < steps:
            known = there[:, step]
            past = target.past_of_prediction(head(embedding[:, :, None]))[:, :, 0] * known[:, None]
    return torch.stack(embeddings, 2)
