"""Random changes of sound or of its features, one per file."""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from ...component import Component
from ...signals import Signal

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor


On = Literal["waveform", "features", "recording"]


class Augmentation(Component):
    """A random change of the sound or of its features, in training only: pure in (seed, epoch, index)."""

    packages: ClassVar[tuple[str, ...]] = ("tympan.data.augmentations",)
    on: ClassVar[On]
    """What is changed: batches of sound, their features, or one clip where it is read."""
    draws: ClassVar[int]
    """How many random numbers an example needs, beside the one for `p`."""
    moves_sound: ClassVar[bool] = False
    """Whether sound moves in time, so that a target with a rate would no longer fit."""
    mixes: ClassVar[bool] = False
    """Whether another clip of the batch is mixed in, so that targets have to be mixed as well; see `share`."""

    p: float = Field(default=1.0, ge=0, le=1)
    """The probability that an example is changed."""

    def ready(self) -> None:
        """See that everything is there that it needs: files, if any.

        Raises:
            ValueError: what is missing.
        """

    @abstractmethod
    def change(
        self,
        x: "Float[Tensor, 'batch channels frames']",
        real: "Bool[Tensor, 'batch frames']",
        uniform: "Float[Tensor, 'batch draws']",
        signal: Signal,
    ) -> "tuple[Float[Tensor, 'batch channels frames'], Bool[Tensor, 'batch frames']]":
        """The changed tensor, and which of its frames are real (not padding).

        Args:
            uniform: numbers in [0, 1), `draws` for each example, that alone decide the change.
        """

    def drawn(self, key: "Tensor", seed: int) -> "tuple[Bool[Tensor, 'batch'], Float[Tensor, 'batch draws']]":
        """Which examples are changed, and the numbers that decide how."""
        from ..draw import uniform

        u = uniform(key, seed, self.type, 1 + self.draws)
        return u[:, 0] < self.p, u[:, 1:]

    def share(self, key: "Tensor", seed: int) -> "Float[Tensor, 'batch']":
        """What is left of each clip's own target; the rest is that of the next clip of the batch."""
        raise NotImplementedError(f"{self.type} mixes no clips")

    def __call__(
        self,
        x: "Float[Tensor, 'batch channels frames']",
        real: "Bool[Tensor, 'batch frames']",
        key: "Tensor",
        seed: int,
        signal: Signal,
        ours: bool = False,
    ) -> "tuple[Float[Tensor, 'batch channels frames'], Bool[Tensor, 'batch frames']]":
        """Change each example with probability `p`.

        Args:
            key: `(batch, 2)`, epoch and index of each example.
            ours: whether nobody else needs `x`, so that it may be written to.
        """
        import torch

        chosen, uniform = self.drawn(key.to(x.device), seed)
        y, there = self.change(x, real, uniform, signal)
        if self.p == 1:
            return y, there
        return torch.where(chosen[:, None, None], y, x), torch.where(chosen[:, None], there, real)
