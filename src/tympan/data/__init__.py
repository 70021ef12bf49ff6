"""Where examples come from: recordings and synthesizers behind one interface."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from ..component import Component
from ..signals import Length, Signal, samples
from . import official

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float, Int

_PEOPLE = ("subject", "speaker", "participant", "patient", "listener", "singer", "person")

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
    channels: Literal["mean", "sum", "first", "keep"] = "mean"
    """How several audio channels become one; or all are kept, and the model hears each."""
    channel_names: tuple[str, ...] = Field(default=("left", "right"), min_length=1)
    """The channels that `channels: keep` keeps; every recording must have as many."""
    crop: Literal["start", "onset", "random", "all"] = "start"
    """Which part of a longer recording is a clip: its start; from its first onset; a random one in every epoch; or its
    overlapping windows, one after the other, epoch by epoch. Prediction goes over the whole recording in overlapping
    windows for the last two."""
    padding: Literal["left", "right"] = "left"
    """The side on which a shorter recording is padded."""
    trim: float | None = Field(default=None, gt=0)
    """What is more than so many dB below the loudest 10 ms of a recording is cut off both its ends, but for 50 ms,
    before it is cropped; also at prediction. 40 suits speech; a silent recording is kept whole. By default nothing is
    cut."""

    @classmethod
    def words(cls) -> list[str]:
        """The names of official datasets, each of which is a source that makes its like."""
        return list(official.files())

    @classmethod
    def written_out(cls, word: str) -> dict[str, Any]:
        return official.source(word)

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

    @field_validator("channel_names")
    @classmethod
    def _distinct(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError(f"two channels have one name in {', '.join(names)}; give each its own")
        return names

    @property
    def audio(self) -> Signal:
        """The Signal of a clip."""
        names = self.channel_names if self.channels == "keep" else ("mono",)
        return Signal(names, float(self.sample_rate), samples(self.duration, self.sample_rate) / self.sample_rate)

    @property
    def group(self) -> str | None:
        """The kind of group that a split keeps whole by default: `subject`, `drum`."""
        return None

    @property
    def units(self) -> dict[str, str]:
        """The unit of each value whose unit is known."""
        return {}

    @property
    def rates(self) -> dict[str, float]:
        """Values per second (Hz) of each value that is a signal; a value that is not named is one for the recording."""
        return {}

    @property
    def own_ratios(self) -> tuple[float, float, float] | None:
        """The shares of groups in training, validation and test that the corpus itself asks for; none by default."""
        return None

    @property
    def own_seed(self) -> int | None:
        """The seed of the corpus' own split; the run's by default."""
        return None

    @property
    def own_features(self) -> Mapping[str, Any] | None:
        """The `features` that the data themselves ask for, as a configuration would say them; those that all corpora of
        a mixture agree in; none by default."""
        asked = [corpus.own_features for corpus, _ in self.corpora.values()]
        return asked[0] if asked and all(own == asked[0] for own in asked) else None

    @property
    def corpora(self) -> "Mapping[str, tuple[Source, tuple[str, ...]]]":
        """The corpora of a mixture by name, which `groups["corpus"]` of an example names, and the parts of the split
        that each has a share in; none by default."""
        return {}

    @property
    def distinct(self) -> bool:
        """Whether one sound under two ids is a mistake, as it is among utterances; `check` then looks for it."""
        return False

    @property
    def label_groups(self) -> tuple[tuple[str, ...], ...]:
        """The labels that one classifier answers together, for each classifier; none said by default."""
        return ()

    @property
    def clusters(self) -> tuple[str, ...]:
        """The kinds of group over which an interval is drawn, and by the first of which figures of signals are averaged
        before they are averaged over the corpus: `(listener, song)`; by default the group that a split keeps whole."""
        return (self.group,) if self.group else ()

    @property
    def of_people(self) -> bool:
        """Whether recordings are of people, whom reports name by codes; by default by what their groups are called."""
        kinds = {*self.clusters, *((self.group,) if self.group else ())}
        return any(word in kind.lower() for kind in kinds for word in _PEOPLE)

    @property
    def sounding(self) -> bool:
        """Whether there is sound; a source without it can be checked, and its values read."""
        return True

    def remarks(self) -> list[str]:
        """What should be known of the data and is no error: what was assumed, what is odd, and in how many."""
        return []

    def left_out(self) -> dict[str, str]:
        """Why each recording that the corpus holds is no example, by id."""
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
        from .crop import first, trimmed

        example = self[index]
        cut, sound = trimmed(example.waveform, self.sample_rate, self.trim)
        begin = first(sound, self, index, epoch, seed)
        waveform, begin = sound[:, begin : begin + self.audio.frames], cut + begin
        return Example(waveform, example.values, example.id, example.groups, begin / self.sample_rate)

    def heard(self, index: int) -> Example:
        """Example `index` as prediction hears it: whole, or its start where no more is heard of any."""
        return self.clip(index, 0, 0) if self.crop == "start" and self.trim is None else self[index]

    @abstractmethod
    def describe(self, index: int) -> Description:
        """What is known of example `index` without reading sound."""

    def seconds(self, index: int) -> float | None:
        """The length of example `index`, which may take a look into its file; `None` where it would cost a request."""
        return self.describe(index).duration

    def file_facts(self, index: int) -> dict[str, str]:
        """What the header of example `index`'s file tells: codec with bit depth, sample rate, channels; nothing where
        sound is made, or is of several corpora."""
        return {}

    def values(self, index: int) -> Values:
        """What is known of example `index`; overridden where that needs no sound."""
        return self[index].values

    def order(self, part: Sequence[int], seed: int, epoch: int, batch_size: int) -> "Int[np.ndarray, 'examples']":
        """The order in which an epoch of training goes through the examples of a part: pure in (seed, epoch)."""
        import numpy as np

        return np.random.default_rng((seed, epoch)).permutation(np.asarray(part, np.int64))

    def files(self) -> dict[str, list[int]]:
        """The examples whose sound is in each file or folder, by its path or URI; none where sound is made."""
        return {}

    def fetch(self, index: int) -> bool:
        """Bring the sound of example `index` into the cache, if it is in a file; whether it was not there yet.

        Raises:
            ValueError: as for the example itself.
        """
        return False

    def references(self, example: Example) -> dict[str, Values]:
        """Answers by those who know more than a model hears, by name (a closed-form inverse); none by default."""
        return {}
