"""Where examples come from: recordings and synthesizers behind one interface, and random changes to them."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from ..component import Component
from ..signals import Length, Signal, samples

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Bool, Float
    from torch import Tensor

Values = Mapping[str, Any]
"""What is known of an example by name: a number, a text, or an array `(frames,)`; NaN or a missing name is unknown."""


@dataclass(frozen=True)
class Example:
    """A sound and what is known of it."""

    waveform: "Float[np.ndarray, 'channels samples']"
    """float32 at the source's sample rate, nominally within -1 and 1."""
    values: Values
    id: str
    """Unique in its source."""
    groups: dict[str, str] = field(default_factory=dict)
    """What may not be in two parts of a split: `{"subject": "S01"}`, `{"drum": "7"}`."""
    start: float = 0.0
    """Where the waveform begins in its recording (seconds); values that have a rate are of the whole recording."""


@dataclass(frozen=True)
class Description:
    """What can be said of an example without reading its sound."""

    id: str
    groups: dict[str, str] = field(default_factory=dict)
    duration: float | None = None
    """Seconds; `None` where knowing it would cost a request."""
    part: str | None = None
    """The part of the split that the corpus itself puts the example in: train, validation or test."""


class Source(Component):
    """A finite, indexable collection of examples; example i is a pure function of the fields and of i."""

    packages: ClassVar[tuple[str, ...]] = ("tympan.data.datasets", "tympan.data.synthesizers")

    sample_rate: int = Field(gt=0)
    """Samples per second (Hz) of what the source gives, whatever its files have."""
    duration: Length
    """Length of a clip, in seconds or as `1024 samples`; what the model hears at once."""
    channels: Literal["mean", "sum", "first"] = "mean"
    """How several audio channels become one."""
    crop: Literal["start", "onset", "random", "all"] = "start"
    """Which part of a longer recording is a clip: its start; from its first onset; a random one in every epoch; or its
    overlapping windows, one after the other, epoch by epoch. Prediction goes over the whole recording in overlapping
    windows for the last two."""
    padding: Literal["left", "right"] = "left"
    """The side on which a shorter recording is padded."""

    @model_validator(mode="after")
    def _whole_samples(self) -> "Source":
        if not isinstance(self.duration, str):
            n = self.duration * self.sample_rate
            if abs(n - round(n)) > 1e-3:
                near = " and ".join(f"'{k} samples' ({k / self.sample_rate:.9g} s)" for k in (int(n), int(n) + 1))
                raise ValueError(
                    f"{self.duration} s at {self.sample_rate} Hz is {n:.3f} samples, not a whole number; take {near}"
                )
        return self

    @property
    def audio(self) -> Signal:
        """The Signal of a clip."""
        return Signal(("mono",), float(self.sample_rate), samples(self.duration, self.sample_rate) / self.sample_rate)

    @property
    def group(self) -> str | None:
        """The kind of group that a split keeps whole by default: `subject`, `drum`."""
        return None

    @property
    def units(self) -> dict[str, str]:
        """The unit of each value whose unit is known."""
        return {}

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Example:
        """Example `index`, whole, at the source's sample rate.

        Raises:
            IndexError: outside of the source.
            ValueError: the recording is unusable; the message names the file, what is wrong and what to do.
        """

    def clip(self, index: int, epoch: int, seed: int) -> Example:
        """Example `index` cut to `duration` as `crop` says, or shorter where the recording is; never padded.

        A dataset overrides this to decode only the part that is wanted. A random crop is a function of
        (seed, epoch, index); `all` takes one window after the other, epoch by epoch.
        """
        from .crop import first

        example = self[index]
        begin = first(example.waveform, self, index, epoch, seed)
        waveform = example.waveform[:, begin : begin + self.audio.frames]
        return Example(waveform, example.values, example.id, example.groups, begin / self.sample_rate)

    @abstractmethod
    def describe(self, index: int) -> Description:
        """What is known of example `index` without reading sound."""

    def values(self, index: int) -> Values:
        """What is known of example `index`; overridden where that needs no sound."""
        return self[index].values

    def references(self, example: Example) -> dict[str, Values]:
        """Answers by those who know more than a model hears, by name (a closed-form inverse); none by default."""
        return {}


class Dataset(Source):
    """A source of recordings."""

    packages: ClassVar[tuple[str, ...]] = ("tympan.data.datasets",)


class Synthesizer(Source):
    """A source of synthesised sound: (seed, index) -> the parameters drawn, and the waveform that they make.

    An instrument writes two methods, `parameters` and `sound`. Random numbers come from the generators given to them,
    and from `self.generator(...)` for what several examples share; never from a global one.
    """

    packages: ClassVar[tuple[str, ...]] = ("tympan.data.synthesizers",)

    sample_rate: int = Field(default=48000, gt=0)
    """Samples per second (Hz)."""
    duration: Length = 1.0
    """Length of an example, in seconds or as `1024 samples`."""
    size: int = Field(default=10, ge=1)
    """Number of examples."""
    seed: int = Field(default=0, ge=0)
    """Decides every example together with its index."""

    @abstractmethod
    def parameters(self, rng: "np.random.Generator", index: int) -> dict[str, Any]:
        """Draw what makes example `index`: names to numbers in the units that `units` says."""

    @abstractmethod
    def sound(self, rng: "np.random.Generator", parameters: Values) -> "Float[np.ndarray, 'samples']":
        """The waveform that the parameters make, `duration` long, float32."""

    def groups(self, index: int) -> dict[str, str]:
        """The groups of example `index`; by default each example is its own."""
        return {"example": str(index)}

    def generator(self, *stream: int) -> "np.random.Generator":
        """A generator that depends on the seed and the stream alone."""
        import numpy as np

        return np.random.default_rng((self.seed, *stream))

    def synthesize(self, rng: "np.random.Generator", index: int) -> Example:
        """Example `index`, drawn from the generator."""
        parameters = self.parameters(rng, index)
        return Example(self.sound(rng, parameters)[None], parameters, f"{index:06d}", self.groups(index))

    @property
    def group(self) -> str:
        return next(iter(self.groups(0)))

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Example:
        self._check(index)
        return self.synthesize(self.generator(0, index), index)

    def values(self, index: int) -> Values:
        self._check(index)
        return self.parameters(self.generator(0, index), index)

    def describe(self, index: int) -> Description:
        self._check(index)
        return Description(f"{index:06d}", self.groups(index), self.audio.duration)

    def _check(self, index: int) -> None:
        if not 0 <= index < self.size:
            raise IndexError(f"{self.type} has {self.size} examples, none at {index}")


class Augmentation(Component):
    """A random change of the sound or of its features, in training only: pure in (seed, epoch, index)."""

    packages: ClassVar[tuple[str, ...]] = ("tympan.data.augmentations",)
    on: ClassVar[Literal["waveform", "features"]]
    """What is changed."""
    draws: ClassVar[int]
    """How many random numbers an example needs, beside the one for `p`."""
    moves_sound: ClassVar[bool] = False
    """Whether sound moves in time, so that a target with a rate would no longer fit."""

    p: float = Field(default=1.0, ge=0, le=1)
    """The probability that an example is changed."""

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

    def __call__(
        self,
        x: "Float[Tensor, 'batch channels frames']",
        real: "Bool[Tensor, 'batch frames']",
        key: "Tensor",
        seed: int,
        signal: Signal,
    ) -> "tuple[Float[Tensor, 'batch channels frames'], Bool[Tensor, 'batch frames']]":
        """Change each example with probability `p`; `key` is `(batch, 2)`: epoch and index of each example."""
        import torch

        from .draw import uniform

        u = uniform(key, seed, self.type, 1 + self.draws).to(x.device)
        y, there = self.change(x, real, u[:, 1:], signal)
        if self.p == 1:
            return y, there
        chosen = u[:, 0] < self.p
        return torch.where(chosen[:, None, None], y, x), torch.where(chosen[:, None], there, real)
