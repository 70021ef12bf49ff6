"""Backbones: features -> a sequence of embeddings."""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Self

from ..component import Component
from ..signals import Signal

if TYPE_CHECKING:
    from torch import Tensor, nn


class Model(Component):
    """A backbone; the module it builds maps features to a sequence of embeddings."""

    packages: ClassVar[tuple[str, ...]] = ("tympan.models",)

    @property
    def hears_future(self) -> bool:
        """Whether a frame of the embedding may depend on later frames; causal models say no."""
        return True

    @property
    def hears_padding(self) -> bool:
        """Whether the amount of padding can change what is said of a clip (image networks)."""
        return False

    @property
    def autoregressive(self) -> bool:
        """Whether the model also hears its own past predictions, and so answers one frame of the target at a time.

        Its embedding is then at the target's rate, and its module has three methods in place of one:

        - `forward(x, real, past, known)`: all steps at once, for training; `past (batch, channels, steps)` is the
          target one step before, 0 where `known (batch, steps)` is False; gives `(batch, width, steps)`;
        - `start(x, real) -> state`: everything that depends on the sound alone;
        - `step(state, past, known) -> (embedding, state)`: the next step, of `past (batch, channels)` and
          `known (batch,)`; the embedding `(batch, width)` equals that of `forward` within 1e-5.

        The Signal that `build` takes as the target is then `Target.past_signal`, with the channels of `past`. Where
        the model has a field `past_dropout`, a clip's whole past is left out in training with this probability, and
        noise of deviation `past_noise` is added to it.
        """
        return False

    @abstractmethod
    def build(self, features: Signal, target: Signal) -> "tuple[nn.Module, Signal]":
        """The module, and the Signal of its embedding.

        The module's `forward(x, real)` takes features `(batch, channels, frames)`, zero where `real` `(batch, frames)`
        is False, and gives the embedding `(batch, width, frames')`.

        Raises:
            ValueError: the features cannot be met, for example because there are too few frames.
        """

    def head_weights(self, features: Signal, target: Signal) -> "dict[str, Tensor]":
        """Weights to begin the last layer of a head with, by name, for models whose weights have one for this target;
        none by default.

        Raises:
            ValueError: the weights are for another target of this kind.
        """
        return {}

    def reach(self, features: Signal) -> float | None:
        """Seconds of sound before and after its own time that a frame of the embedding hears, where these are few; a
        long recording is then heard in windows that overlap by no more. `None`, the default, is the whole clip."""
        return None

    def explain(self, features: Signal, target: Signal) -> str:
        """What `build` derives from the fields, and why, in words; nothing by default."""
        return ""

    def bare(self) -> Self:
        """A copy that builds the same module without reading any file; for models that start from weights."""
        return self
