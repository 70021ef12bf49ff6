"""Instruments, one per file: (seed, index) -> a waveform and the parameters that made it."""

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from ...signals import Length, check_channels
from .. import Description, Example, Source, Values

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float


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
    def sound(
        self, rng: "np.random.Generator", parameters: Values
    ) -> "Float[np.ndarray, 'samples'] | Float[np.ndarray, 'channels samples']":
        """The waveform that the parameters make, `duration` long, float32; several channels are mixed as `channels`
        says."""

    def groups(self, index: int) -> dict[str, str]:
        """The groups of example `index`; by default each example is its own."""
        return {"example": str(index)}

    def generator(self, *stream: int) -> "np.random.Generator":
        """A generator that depends on the seed and the stream alone."""
        import numpy as np

        return np.random.default_rng((self.seed, *stream))

    def synthesize(self, rng: "np.random.Generator", index: int) -> Example:
        """Example `index`, drawn from the generator.

        Raises:
            ValueError: the sound has other channels than `channels: keep` names.
        """
        parameters = self.parameters(rng, index)
        waveform = self.sound(rng, parameters)
        if waveform.ndim == 2:
            from ..audio import downmix  # reads files, which few synthesizers need

            waveform = downmix(waveform.T, self.channels).T.copy()
        else:
            waveform = waveform[None]
        check_channels(len(waveform), self.audio, f"synthesizer {self.type}")
        return Example(waveform, parameters, f"{index:06d}", self.groups(index))

    @property
    def group(self) -> str:
        return next(iter(self.groups(0)))

    @property
    def of_people(self) -> bool:
        return False

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
