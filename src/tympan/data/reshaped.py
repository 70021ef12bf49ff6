"""A source whose sound and values go through functions of Python; `Routine.reshape` makes it, no file can name it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from pydantic import SerializeAsAny, field_serializer, field_validator, model_validator

from ..component import called
from . import Description, Example, Source, Values

if TYPE_CHECKING:
    from jaxtyping import Int


class Reshaped(Source):
    """Another source's clips, changed one by one; splits, groups and order are that source's own.

    Make it by `Reshaped.of`, which learns from the first clip what the function of the sound gives.
    """

    data: SerializeAsAny[Source]
    """What is reshaped."""
    x: Callable[[np.ndarray], Any] | None = None
    """A clip `(channels, samples)` -> `(samples,)` or `(channels, samples)`, always of one shape."""
    y: Callable[[Values], Values] | None = None
    """What is known of an example -> what is to be known of it, by name."""
    flat: bool = False
    """Whether `x` gives one axis, and a module of the user's own hears `(batch, samples)`."""

    @classmethod
    def of(
        cls,
        source: Source,
        x: Callable[[np.ndarray], Any] | None = None,
        y: Callable[[Values], Values] | None = None,
    ) -> "Reshaped":
        """The source, reshaped; its first clip is heard.

        Raises:
            ValueError: the function gives neither one axis nor two, or the source cannot be reshaped.
        """
        audio, flat = source.audio, False
        names, samples = audio.channels, audio.frames
        if x is not None:
            given = np.asarray(x(_padded(source.clip(0, 0, 0).waveform, source)))
            if given.ndim not in (1, 2) or not given.size:
                raise ValueError(f"x gives an array of shape {given.shape}; give (samples,) or (channels, samples)")
            flat, count, samples = given.ndim == 1, given.size // given.shape[-1], given.shape[-1]
            names = names if count == len(names) else tuple(f"x{i}" for i in range(count))
        return cls(
            sample_rate=source.sample_rate,
            duration=f"{samples} samples",
            channels="keep",
            channel_names=names,
            padding=source.padding,
            data=source,
            x=x,
            y=y,
            flat=flat,
        )

    @field_validator("x", "y", mode="before")
    @classmethod
    def _only_from_python(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError(f"{value} was a function of Python, which no file holds; walk the routine in Python again")
        return value

    @field_serializer("x", "y")
    def _by_name(self, function: Callable[..., Any] | None) -> str | None:
        return None if function is None else called(function)

    @model_validator(mode="after")
    def _one_clip_each(self) -> "Reshaped":
        if self.data.corpora:
            raise ValueError("a mixture cannot be reshaped, whose corpora differ in what is known; take one of them")
        if self.data.crop not in ("start", "onset"):
            raise ValueError(f"data.crop: {self.data.crop} gives several clips of a recording; take start or onset")
        return self

    def sound(self, waveform: Float[np.ndarray, "_channels _samples"], id: str) -> Float[np.ndarray, "_rows _columns"]:
        """A clip as `x` gives it, float32.

        Raises:
            ValueError: it has another shape than the first one, or is not finite.
        """
        if self.x is None:
            return waveform
        given = np.asarray(self.x(_padded(waveform, self.data)), np.float32)
        wanted = (len(self.audio.channels), self.audio.frames)
        if given.shape != (wanted[1:] if self.flat else wanted):
            raise ValueError(f"{id}: x gives an array of shape {given.shape}, and of the first example {wanted}")
        if not np.isfinite(given).all():
            raise ValueError(f"{id}: x gives numbers that are not finite")
        return given.reshape(wanted)

    def clip(self, index: int, epoch: int, seed: int) -> Example:
        example = self.data.clip(index, epoch, seed)
        sound = self.sound(example.waveform, example.id)
        return replace(example, waveform=sound, values=self._known(example.values, example.id))

    def __getitem__(self, index: int) -> Example:
        return self.clip(index, 0, 0)

    def __len__(self) -> int:
        return len(self.data)

    def values(self, index: int) -> Values:
        return self._known(self.data.values(index), str(index))

    def _known(self, values: Values, id: str) -> Values:
        known = values if self.y is None else self.y(values)
        if not isinstance(known, Mapping):
            raise ValueError(f"{id}: y gives {type(known).__name__}; give names and their values, {{'diameter': 0.3}}")
        return known

    def describe(self, index: int) -> Description:
        whole = self.data.describe(index)
        return whole if self.x is None else replace(whole, duration=self.audio.duration)

    @property
    def units(self) -> dict[str, str]:
        return self.data.units if self.y is None else {}

    @property
    def rates(self) -> dict[str, float]:
        return self.data.rates if self.x is None and self.y is None else {}

    @property
    def group(self) -> str | None:
        return self.data.group

    @property
    def clusters(self) -> tuple[str, ...]:
        return self.data.clusters

    @property
    def of_people(self) -> bool:
        return self.data.of_people

    @property
    def own_ratios(self) -> tuple[float, float, float] | None:
        return self.data.own_ratios

    @property
    def own_seed(self) -> int | None:
        return self.data.own_seed

    @property
    def own_features(self) -> Mapping[str, Any] | None:
        return self.data.own_features

    def order(self, part: Any, seed: int, epoch: int, batch_size: int) -> "Int[np.ndarray, 'examples']":
        return self.data.order(part, seed, epoch, batch_size)

    def remarks(self) -> list[str]:
        return self.data.remarks()

    def left_out(self) -> dict[str, str]:
        return self.data.left_out()

    def files(self) -> dict[str, list[int]]:
        return self.data.files()

    def fetch(self, index: int) -> bool:
        return self.data.fetch(index)


def _padded(waveform: np.ndarray, source: Source) -> np.ndarray:
    """A clip of the source's whole length."""
    missing = source.audio.frames - waveform.shape[1]
    return np.pad(waveform, ((0, 0), (missing, 0) if source.padding == "left" else (0, missing)))
