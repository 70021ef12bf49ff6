"""What is predicted, and how wrong it is. NaN means unknown, here and everywhere."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from ..component import Component
from ..signals import Signal

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Bool, Float, Int
    from torch import Tensor

    from .accumulate import Accumulator

Space = Literal["real", "binary", "class", "shape"]
"""What numbers a target has: real quantities, yes or no for each label, one class of several, or radii of an outline.
"""
PROBABLE: tuple[Space, ...] = ("binary", "class")
"""The spaces of targets whose answers are probabilities."""

RATES = ("native", "features", "audio")
"""The rates that a configuration may name, and a run replaces by their hertz."""


def _named_rates(schema: dict[str, Any]) -> None:
    schema["anyOf"].append({"enum": list(RATES)})


class Target(Component):
    """The quantity predicted: how it is encoded for the loss and decoded for people."""

    packages: ClassVar[tuple[str, ...]] = ("tympan.objectives.targets",)
    space: ClassVar[Space]
    loss_space: ClassVar[Space | None] = None
    """The space of the losses that it is for, where they see other numbers than metrics do; by default `space`."""
    takes_losses_of: ClassVar[frozenset[Space]] = frozenset()
    """Further spaces whose losses it is for."""
    default_loss: ClassVar[str]
    default_metrics: ClassVar[tuple[str, ...]]
    metrics_over_time: ClassVar[tuple[str, ...] | None] = None
    """The default metrics where the target has a rate; the same ones if not said."""

    mixable: ClassVar[bool] = False
    """Whether something between two encoded targets means something, as mixup needs it; see `mixed`."""

    rate: float | None = Field(default=None, gt=0, json_schema_extra=_named_rates)
    """Values per second (Hz); by default one value per clip. A configuration may also name it: `native` is the data's
    own, `features` that of the features' frames, `audio` the sound's."""

    @property
    def loss_spaces(self) -> frozenset[Space]:
        """The spaces of all losses that it is for."""
        own: Space = self.loss_space or self.space
        return frozenset({own, *self.takes_losses_of})

    @property
    @abstractmethod
    def outputs(self) -> tuple[str, ...]:
        """The names under which people read the answer: quantities, labels, or a column."""

    @property
    def unit(self) -> dict[str, str]:
        """The unit of each output, empty where it has none."""
        return dict.fromkeys(self.outputs, "")

    @property
    def quiet(self) -> float | None:
        """The level of sound (dB, 0 is full scale) below which there is nothing to predict, and every logit is -1e4."""
        return None

    @abstractmethod
    def signal(self, duration: float) -> Signal:
        """The Signal of a prediction for a clip of `duration` seconds: `(channels, frames)` before decoding."""

    @abstractmethod
    def encode(self, values: Mapping[str, Any]) -> "Float[Tensor, 'channels frames']":
        """What the loss compares with; NaN is unknown.

        Raises:
            ValueError: a value that the target cannot hold, with its name.
        """

    @abstractmethod
    def decode(
        self, prediction: "Float[Tensor, 'batch channels frames']"
    ) -> "dict[str, Float[np.ndarray, 'batch values frames']]":
        """A prediction in the units of each output: a quantity, a probability, one probability for each class, or the
        radii of an outline, which lie where a target with a rate has frames."""

    @abstractmethod
    def truth(
        self, encoded: "Float[Tensor, 'batch channels frames']"
    ) -> "dict[str, Float[np.ndarray, 'batch 1 frames']]":
        """An encoded target in the units of each output: a quantity, 0 or 1, the number of the class, or radii."""

    @abstractmethod
    def columns(
        self, decoded: "Mapping[str, Float[np.ndarray, 'values frames']]"
    ) -> "dict[str, list[float] | list[str]]":
        """One clip's decoded prediction as the columns of a table, one entry a frame, units in the names."""

    def mixed(
        self,
        encoded: "Float[Tensor, 'batch channels frames']",
        other: "Float[Tensor, 'batch channels frames']",
        share: "Float[Tensor, 'batch']",
    ) -> "Float[Tensor, 'batch mixed frames']":
        """A share of one encoded target and the rest of another; what is unknown of either is unknown, but for what is
        not mixed."""
        import torch

        weight = share[:, None, None]
        return torch.where(weight == 1, encoded, weight * encoded + (1 - weight) * other)

    def past_signal(self, duration: float) -> Signal:
        """The Signal of what an autoregressive model hears of its past; by default that of a prediction."""
        return self.signal(duration)

    def past_of_truth(self, encoded: "Float[Tensor, 'batch channels frames']") -> "Float[Tensor, 'batch heard frames']":
        """What an autoregressive model hears of an encoded target, which is known everywhere; by default itself."""
        return encoded

    def past_of_prediction(
        self, prediction: "Float[Tensor, 'batch outputs frames']"
    ) -> "Float[Tensor, 'batch heard frames']":
        """The same of its own prediction: the expected value of `past_of_truth`; by default itself."""
        return prediction

    def fit(self, values: Iterable[Mapping[str, Any]]) -> Self:
        """A copy with what is learned from the values of the training part (means, classes); itself by default.

        Raises:
            ValueError: the training part does not hold what the target needs.
        """
        return self


class Loss(Component):
    """How wrong a prediction is, averaged over what is known."""

    packages: ClassVar[tuple[str, ...]] = ("tympan.objectives.losses",)
    space: ClassVar[Space]
    """The space of the targets that it is for."""
    timed: ClassVar[bool] = False
    """Whether it is of signals over time, and so only for targets with a rate."""
    per_clip: ClassVar[bool] = False
    """Whether `values` gives one loss for each clip."""

    @property
    def shifts(self) -> bool:
        """Whether probabilities that are taught by it are all too high or too low."""
        return False

    @abstractmethod
    def values(
        self,
        prediction: "Float[Tensor, 'batch outputs frames']",
        target: "Float[Tensor, 'batch channels frames']",
        known: "Bool[Tensor, 'batch channels frames']",
    ) -> "Float[Tensor, '...']":
        """The loss of every value, in the target's shape, or `(batch,)` for a loss of whole sequences.

        Where `known` is False both tensors are 0 and the result is ignored.
        """

    def __call__(
        self,
        prediction: "Float[Tensor, 'batch outputs frames']",
        target: "Float[Tensor, 'batch channels frames']",
        count: "Tensor | None" = None,
    ) -> "Float[Tensor, '']":
        """The sum over known values, divided by `count`, or by their number where it is not given; 0 if none is known.

        Unknown values are taken out by selection before and after, never by a product: infinity times 0 is NaN.
        """
        import torch

        known = ~target.isnan()
        zero = torch.zeros((), dtype=torch.float32, device=prediction.device)
        safe = torch.where(known, target, zero)
        heard = torch.where(known if prediction.shape == target.shape else known.any(1, keepdim=True), prediction, zero)
        losses = self.values(heard.float(), safe.float(), known)
        counted = known if losses.ndim == target.ndim else known.flatten(1).any(1)
        total = torch.where(counted, losses, zero).sum()
        return total / (counted.sum() if count is None else count).clamp(min=1)

    def known(self, target: "Float[Tensor, 'batch channels frames']") -> "Int[Tensor, '']":
        """How many losses are known: of values, or of clips."""
        known = ~target.isnan()
        return (known.flatten(1).any(1) if self.per_clip else known).sum()

    def fit(self, targets: "Float[Tensor, 'examples channels frames']") -> Self:
        """A copy with what is learned from the encoded targets of the training part; itself by default."""
        return self


class Metric(Component):
    """A figure for people, from one small row per recording and output; frames are never kept."""

    packages: ClassVar[tuple[str, ...]] = ("tympan.objectives.metrics",)
    spaces: ClassVar[frozenset[Space]]
    """The spaces of the targets that it is for."""
    higher_is_better: ClassVar[bool]
    once_per_clip: ClassVar[bool] = False
    """Whether it ranks recordings, and so is only for targets without a rate."""
    timed: ClassVar[bool] = False
    """Whether it looks at the order of frames, and so is only for targets with a rate: its `row` has one more argument,
    the `rate` (Hz), and is given every frame of the recording, NaN in `truth` where it is unknown."""

    @abstractmethod
    def row(
        self, prediction: "Float[np.ndarray, 'values known']", truth: "Float[np.ndarray, 'known']"
    ) -> tuple[float, ...]:
        """What is kept of one recording's known frames (at least one), always of the same length."""

    @abstractmethod
    def score(self, rows: "Float[np.ndarray, 'recordings columns']") -> float:
        """The figure over recordings; NaN where it is undefined (no positives, one value)."""

    def drawn(
        self, rows: "Float[np.ndarray, 'recordings columns']", counts: "Int[np.ndarray, 'draws recordings']"
    ) -> "Float[np.ndarray, 'draws']":
        """The figure of each draw, in which every recording counts as often as `counts` says; NaN where it is not
        finite. A metric overrides this where it makes many figures at once."""
        from .resample import figures

        return figures(self, rows, counts)

    def unit(self, unit: str) -> str:
        """The figure's own unit, for outputs of a unit; none by default."""
        return ""

    def start(self, outputs: Sequence[str], rate: float | None = None, kinds: Sequence[str] = ("",)) -> "Accumulator":
        """Begin to collect rows for these outputs.

        Args:
            outputs: their names.
            rate: of the target (Hz), where it has one: the figure is then averaged over recordings.
            kinds: the names of the kinds of groups that intervals draw; several only with a rate.
        """
        from .accumulate import Accumulator

        return Accumulator(self, tuple(outputs), rate, tuple(kinds))
