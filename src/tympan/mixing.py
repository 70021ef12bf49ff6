"""The targets of clips that an augmentation mixes with the next clip of their batch."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from .data.augmentations import Augmentation
from .objectives import Target
from .representation import place_seed


class Mixing:
    """Targets as they are -> targets of the mixed clips; the same ones where nothing is mixed."""

    def __init__(
        self, augmentations: Sequence[Augmentation], targets: Mapping[str, Target], autoregressive: bool, seed: int
    ) -> None:
        """Find the augmentation that mixes, if there is one.

        Raises:
            ValueError: there are two, or a target that cannot be mixed.
        """
        self.targets = targets
        mixing = [(place_seed(seed, place), a) for place, a in enumerate(augmentations) if a.mixes]
        if len(mixing) > 1:
            raise ValueError(f"augmentations: {' and '.join(str(a.type) for _, a in mixing)} mix clips twice; keep one")
        self.seed, self.augmentation = mixing[0] if mixing else (seed, None)
        if self.augmentation is None:
            return
        kind = self.augmentation.type
        if autoregressive:
            raise ValueError(f"augmentations: {kind} mixes clips, and a model that hears its past cannot; leave it out")
        for name, target in targets.items():
            if not target.mixable or target.rate is not None:
                what = "signals over time" if target.rate is not None else f"targets of type {target.type}"
                raise ValueError(f"augmentations: {kind} cannot mix {what}, which {name!r} is; leave it out")

    def __call__(self, target: Mapping[str, Tensor], key: Tensor) -> Mapping[str, Tensor]:
        if self.augmentation is None:
            return target
        share = self.augmentation.share(key, self.seed)
        return {
            name: self.targets[name].mixed(encoded, encoded.roll(-1, 0), share.to(encoded.device))
            for name, encoded in target.items()
        }
