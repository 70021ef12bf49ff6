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


def dropped_past(
    past: Float[Tensor, "batch heard steps"],
    known: Bool[Tensor, "batch steps"],
    probability: float,
    key: Int[Tensor, "batch 2"] | None,
    seed: int,
) -> tuple[Float[Tensor, "batch heard steps"], Bool[Tensor, "batch steps"]]:
    """The same, but some clips have no past at all: so a cold start is learned, and the sound is listened to.

    Raises:
        ValueError: there is no `key`, which decides who has none.
    """
    if key is None:
        raise ValueError("past_dropout needs the `key` of each clip: (epoch, index)")
    known = known & (uniform(key, seed, "past_dropout", 1) >= probability)
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
