"""Round and rectangular drums of the sizes measured, true and predicted, one over the other."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from . import Plot
from .shape import Pair, gallery, ranked

Sizes = Mapping[str, Float[np.ndarray, "answers"]]
Outline = Float[np.ndarray, "corners 2"]

_ROUND = np.linspace(0, 2 * np.pi, 121)
_SQUARE = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]]) / 2


def _rectangle(width: float, height: float) -> Outline:
    return _SQUARE * [width, height]


DRAWN: dict[tuple[str, ...], Callable[..., Outline]] = {
    ("diameter",): lambda d: d / 2 * np.stack([np.cos(_ROUND), np.sin(_ROUND)], 1),
    ("width", "height"): _rectangle,
    ("mean_side", "aspect_ratio"): lambda side, aspect: _rectangle(side * aspect**0.5, side / aspect**0.5),
}
"""The quantities that together are a drum that can be drawn, in the names that synthesizers give them."""


def draw(answers: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Plot]]:
    """A gallery for every drum whose quantities were all predicted, by what it is called.

    Args:
        answers: of every output that is one quantity for a recording `truth` and `prediction`, a row a recording.
    """
    found = {}
    for names, outline in DRAWN.items():
        if set(names) <= set(answers) and len({len(answers[name]["truth"]) for name in names}) == 1:
            truth, said = (np.stack([answers[n][key] for n in names], 1) for key in ("truth", "prediction"))
            known = (np.isfinite(truth) & np.isfinite(said) & (truth > 0) & (said > 0)).all(1)
            if known.any():
                title = " and ".join(names)
                found[f"drums of {title}"] = [_gallery(title, names, truth[known], said[known], outline)]
    return found


def _gallery(
    title: str,
    names: tuple[str, ...],
    truth: Float[np.ndarray, "answers quantities"],
    said: Float[np.ndarray, "answers quantities"],
    outline: Callable[..., Outline],
) -> Plot:
    pairs = [(outline(*t), outline(*s)) for t, s in zip(truth, said, strict=True)]
    sizes = np.array([[np.ptp(v, 0) for v in pair] for pair in pairs])  # answers, both, width and height
    shared = sizes.min(1).prod(1)  # of boxes about one centre; of discs the same ratio
    overlaps = shared / (sizes.prod(2).sum(1) - shared)
    chosen = []
    for rank, i in ranked(overlaps):
        sizes_of = "\n".join(f"{t:.3g} → {s:.3g}" for t, s in zip(truth[i], said[i], strict=True))
        chosen.append(Pair(f"{rank}, {overlaps[i]:.1%}\n{sizes_of}", *pairs[i]))
    return gallery(
        f"drums-{title}",
        f"Drums of the true and of the predicted {title}, about one centre: the worst answers, the middling and the "
        f"best, with the area in common as a share of the area covered, and {', '.join(names)}, true → predicted.",
        f"{len(chosen)} pairs of drums; overlaps {overlaps.min():.3f} to {overlaps.max():.3f}",
        chosen,
    )
