"""Pitch on a logarithmic grid of bins, once per clip or at a rate: a drum's fundamental, a melody."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor

from ...signals import Signal
from .. import Target
from ._read import numbers, times, unique

STEP = 20.0  # cents between two bins
WIDTH = 25.0  # cents, the deviation of the Gaussian around the true pitch
AROUND = 4  # bins on either side of the highest that are averaged
REACH = 12  # bins: Viterbi's course never moves as far in one frame


class Pitch(Target):
    """A frequency, which the network sees as bins of 20 cents: yes or no to each, with a Gaussian around the true one.

    Kim, Salamon, Li & Bello 2018, doi 10.48550/arXiv.1802.06182, whose grid is the default. Decoded, each frame has a
    pitch in Hz and a periodicity, the probability of its bin; the pitch is NaN where nothing is heard.
    """

    space = "real"
    loss_space = "binary"
    default_loss = "bce"
    default_metrics = ("raw_pitch_accuracy", "raw_chroma_accuracy", "cents_error")
    scale: ClassVar[Literal["log"]] = "log"

    column: str = Field(default="f0", min_length=1)
    """The name of the value that holds the frequency (Hz); NaN or 0 where there is no pitch, or an unknown one."""
    lowest: float = Field(default=31.70, gt=0)
    """The lowest bin (Hz). CREPE's 360 bins from 31.70 Hz on end at 2,005.50 Hz."""
    bins: int = Field(default=360, ge=2 * AROUND + 1, le=1000)
    """How many bins there are, 60 to an octave."""
    fmin: float | None = Field(default=None, gt=0)
    """The lowest pitch that is answered (Hz); by default that of the bins."""
    fmax: float | None = Field(default=None, gt=0)
    """The highest pitch that is answered (Hz); by default that of the bins."""
    decoding: Literal["argmax", "weighted", "viterbi"] = "weighted"
    """How bins become a pitch: the middle of the likeliest; the mean of it and four on either side, weighted by their
    probabilities; or such a mean around the likeliest course over all frames."""
    threshold: float = Field(default=0.0, ge=0, lt=1)
    """Where the periodicity is not above this, there is no pitch."""
    silence: float | None = -60.0
    """Where the sound is below this level, there is no pitch: that of 64 ms around the frame, or of the loudest 64 ms
    of a clip that has one pitch, in dB, where 0 is full scale. `null`: silence is heard too."""

    @model_validator(mode="after")
    def _check(self) -> "Pitch":
        unique([self.column], "pitch")
        ends = tuple(self.frequencies[[0, -1]].tolist())
        low, high = self._range
        if not ends[0] * 0.999 <= low < high <= ends[1] * 1.001:
            raise ValueError(
                f"fmin and fmax are {low:g} and {high:g} Hz, and the bins go from {ends[0]:.2f} to {ends[1]:.2f} Hz; "
                "give two frequencies in order within them, or other bins by `lowest` and `bins`"
            )
        if not self._inside.any():
            raise ValueError(f"fmin and fmax: none of the bins lies between {low:g} and {high:g} Hz; set them wider")
        if self.decoding == "viterbi" and self.rate is None:
            raise ValueError("decoding: viterbi is of frames over time, and there is no `rate`; take weighted")
        return self

    @property
    def frequencies(self) -> Float[np.ndarray, "bins"]:
        """The middle of each bin (Hz)."""
        return self.lowest * 2 ** (STEP * np.arange(self.bins) / 1200)

    @property
    def outputs(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def unit(self) -> dict[str, str]:
        return {self.column: "Hz"}

    @property
    def quiet(self) -> float | None:
        return self.silence

    def signal(self, duration: float) -> Signal:
        return Signal(tuple(f"{f:.2f} Hz" for f in self.frequencies), self.rate, duration)

    def fit(self, values: Iterable[Mapping[str, Any]]) -> "Pitch":
        """Itself, if the training part holds pitches.

        Raises:
            ValueError: no pitch is known in the training part, or one is beyond the bins.
        """
        if not any(np.isfinite(self._place(example)).any() for example in list(values)):
            raise ValueError(
                f"pitch {self.column!r} is unknown in every training example; check its name, or leave it out"
            )
        return self

    def encode(self, values: Mapping[str, Any]) -> Float[Tensor, "bins frames"]:
        away = STEP * (np.arange(self.bins)[:, None] - self._place(values))
        return torch.from_numpy(np.exp(-0.5 * (away / WIDTH) ** 2).astype(np.float32))

    def decode(
        self, prediction: Float[Tensor, "batch bins frames"]
    ) -> dict[str, Float[np.ndarray, "batch values frames"]]:
        """Pitch (Hz, NaN where there is none) and periodicity (0 to 1) of every frame."""
        p = prediction.detach().cpu().double().sigmoid().numpy()
        inside = self._inside
        p = p * inside[:, None]
        best = _course(p, inside) if self.decoding == "viterbi" else p.argmax(1)
        periodicity = np.take_along_axis(p, best[:, None], 1)[:, 0]
        place = best.astype(float)
        if self.decoding != "argmax":
            near = best[:, None] + np.arange(-AROUND, AROUND + 1)[:, None]
            weight = np.take_along_axis(p, near.clip(0, self.bins - 1), 1) * ((near >= 0) & (near < self.bins))
            total = weight.sum(1)
            place = np.divide((weight * near).sum(1), total, out=place, where=total > 0)
        pitch = np.where(periodicity > self.threshold, self.lowest * 2 ** (STEP * place / 1200), np.nan)
        return {self.column: np.stack([pitch, periodicity], 1)}

    def truth(self, encoded: Float[Tensor, "batch bins frames"]) -> dict[str, Float[np.ndarray, "batch 1 frames"]]:
        x = encoded.detach().cpu().double().numpy()
        # The logarithm of a Gaussian is a parabola: two neighbours tell where its top is.
        low = np.nan_to_num(x).argmax(1).clip(0, self.bins - 2)[:, None]
        rise = np.diff(np.log(np.take_along_axis(x, np.concatenate([low, low + 1], 1), 1)), axis=1)
        place = low + 0.5 + rise * (WIDTH / STEP) ** 2
        return {self.column: self.lowest * 2 ** (STEP * place / 1200)}

    def columns(self, decoded: Mapping[str, Float[np.ndarray, "values frames"]]) -> dict[str, list[float] | list[str]]:
        pitch, periodicity = decoded[self.column]
        own = {f"{self.column} (Hz)": pitch.tolist(), f"{self.column} periodicity": periodicity.tolist()}
        return {**times(decoded, self.rate), **own}

    def past_of_prediction(self, prediction: Float[Tensor, "batch bins frames"]) -> Float[Tensor, "batch bins frames"]:
        return prediction.sigmoid()

    @property
    def _range(self) -> tuple[float, float]:
        low, high = self.frequencies[[0, -1]]
        return self.fmin or float(low), self.fmax or float(high)

    @property
    def _inside(self) -> Bool[np.ndarray, "bins"]:
        """Which bins may be answered."""
        low, high = self._range
        return (self.frequencies > low * 0.999) & (self.frequencies < high * 1.001)

    def _place(self, values: Mapping[str, Any]) -> Float[np.ndarray, "frames"]:
        """How many bins each frame lies above the lowest."""
        x = numbers(f"pitch {self.column!r}", values.get(self.column), self.rate)
        low, high = self.frequencies[[0, -1]] * 2 ** (np.array([-STEP, STEP]) / 2400)
        x = np.where(x == 0, np.nan, x)
        beyond = x[(x < low) | (x > high)]
        if beyond.size:
            raise ValueError(
                f"pitch {self.column!r} is {beyond[0]:g} Hz, and the bins go from {low:.2f} to {high:.2f} Hz; "
                "set `lowest` and `bins` so that they hold it, or leave it empty where it is unknown"
            )
        return 1200 / STEP * np.log2(x / self.lowest)


def _course(
    p: Float[np.ndarray, "batch bins frames"], inside: Bool[np.ndarray, "bins"]
) -> Int[np.ndarray, "batch frames"]:
    from ..viterbi import path

    # Exponentials of probabilities, as torchcrepe has them: no single frame can tear the course away.
    return np.stack([path(np.exp(one.T) * inside, REACH) for one in p])
