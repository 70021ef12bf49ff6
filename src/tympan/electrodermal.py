"""What is done to electrodermal activity before it is a target; all that there is for it, in one place."""

from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Float
from pydantic import BeforeValidator, Field, model_validator

from .columns import check_time, read
from .component import Section
from .signals import resample
from .skin_conductance import (
    MICROSIEMENS,
    Responses,
    Verdict,
    check,
    highpass,
    lowpass,
    responses,
    tonic_phasic,
    zscore,
)

__all__ = [
    "Processing",
    "Responses",
    "Verdict",
    "check",
    "check_time",
    "highpass",
    "lowpass",
    "read",
    "resample",
    "responses",
    "tonic_phasic",
    "zscore",
]


def _switch(on: float) -> BeforeValidator:
    """A frequency, for which `true` is the usual one and `false` none."""

    def value(given: Any) -> Any:
        return (on if given else None) if isinstance(given, bool) else given

    return BeforeValidator(value, json_schema_input_type=bool | float | None)


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_FEATURES = ("mean", "std", "slope", "responses")


class Processing(Section):
    """What is done to skin conductance before it is a target, in this order: filters, part, z-score, windows.

    What cannot be skin conductance (see `check`) is unknown. In the words of the mission, `eda_normalize` is
    `normalize`, and on; `filter_lowpass` is `lowpass`, and on (8 Hz); `filter_highpass` is `highpass`, and off (true is
    0.05 Hz).
    """

    normalize: Literal["recording", "listener", "none"] = "recording"
    """Mean 0 and standard deviation 1: in each recording, over all of a listener's recordings, or not at all."""
    lowpass: Annotated[Positive | None, _switch(8.0)] = 8.0
    """Hz below which the signal is kept; `true` is 8, `false` no filter. Where the signal's rate allows no such filter
    it is lowered, and warned of."""
    highpass: Annotated[Positive | None, _switch(0.05)] = None
    """Hz above which the signal is kept; `true` is 0.05, `false` no filter."""
    part: Literal["whole", "tonic", "phasic"] = "whole"
    """The whole signal, its slow level or its fast responses."""
    window: Positive | None = None
    """Seconds of the windows whose mean, standard deviation, slope and number of responses are the values, instead of
    the signal; each is centred at its time."""
    hop: Positive | None = None
    """Seconds from one window to the next; without it, `window`."""
    valid_share: float = Field(0.8, ge=0, le=1)
    """The least share of valid frames of a recording; one with less is left out."""

    @model_validator(mode="after")
    def _agree(self) -> "Processing":
        if self.hop and not self.window:
            raise ValueError("`hop` is from window to window; set `window` too, or leave out `hop`")
        if self.highpass and self.part == "tonic":
            raise ValueError("a high-pass leaves nothing of the tonic part; leave out `highpass`, or take another part")
        if self.highpass and self.lowpass and self.highpass >= self.lowpass:
            raise ValueError(f"nothing lies above {self.highpass:g} Hz and below {self.lowpass:g} Hz; swap the two")
        return self

    def rate(self, native: float) -> float:
        """The rate of the values of a signal at a native rate, Hz."""
        return 1 / (self.hop or self.window) if self.window else native

    def names(self, name: str = "eda") -> tuple[str, ...]:
        """The names of the values: the signal's, or one for each feature of its windows."""
        return tuple(f"{name}_{feature}" for feature in _FEATURES) if self.window else (name,)

    def unit(self, unit: str) -> str:
        """The unit of a signal in this unit, afterwards."""
        return unit if self.normalize == "none" else "z"

    def units(self, unit: str, name: str = "eda") -> dict[str, str]:
        """The unit of each value by name."""
        after = self.unit(unit)
        return dict(zip(self.names(name), (after, after, f"{after}/s", "") if self.window else (after,), strict=True))

    def prepare(self, x: Float[np.ndarray, " frames"], rate: float, unit: str = "") -> Float[np.ndarray, " frames"]:
        """The filtered part of a signal, before its z-score: that whose mean and deviation a listener's level is."""
        x = np.where(check(x, rate, unit).valid, x, np.nan)
        if self.lowpass:
            x = lowpass(x, rate, self.lowpass)
        if self.highpass:
            x = highpass(x, rate, self.highpass)
        return x if self.part == "whole" else tonic_phasic(x, rate)[self.part == "phasic"]

    def apply(
        self,
        x: Float[np.ndarray, " frames"],
        rate: float,
        name: str = "eda",
        level: tuple[float, float] | None = None,
        unit: str = "",
    ) -> dict[str, Float[np.ndarray, " values"]]:
        """The values of a recording by name, at `rate(rate)` Hz.

        Args:
            x: skin conductance, NaN where unknown.
            rate: its rate, Hz.
            name: what it is called.
            level: the mean and standard deviation of all of the listener's recordings, each after `prepare`; used, and
                needed, where `normalize` is `listener`.
            unit: of x; in µS its range and slope are checked, and a response is one of 0.01 µS or more, otherwise of a
                tenth of the recording's largest.

        Raises:
            ValueError: a listener's level is needed; a window is shorter than two frames.
        """
        ready = self.prepare(x, rate, unit)
        values = ready
        if self.normalize == "listener" and level is None:
            raise ValueError("normalize: listener needs the mean and deviation of the listener's recordings")
        if self.normalize != "none":
            values = zscore(ready, level if self.normalize == "listener" else None)
        if not self.window:
            return {name: values}
        least = (0.01, False) if unit in MICROSIEMENS else (0.1, True)
        phasic = ready if self.part == "phasic" else tonic_phasic(ready, rate)[1]
        return dict(
            zip(self.names(name), self._windows(values, responses(phasic, rate, *least).peak, rate), strict=True)
        )

    def _windows(
        self, x: Float[np.ndarray, " frames"], peaks: Float[np.ndarray, " responses"], rate: float
    ) -> Float[np.ndarray, "features windows"]:
        """Mean, deviation, slope (per second) and number of peaks; unknown where less than half of one is known."""
        half = (self.window or 0.0) / 2
        if 2 * half * rate < 2:
            raise ValueError(f"a window of {2 * half:g} s at {rate:g} Hz holds less than two frames; take a longer one")
        seconds = np.arange(len(x)) / rate
        found = []
        for middle in np.arange(np.ceil(len(x) / rate * self.rate(rate) - 1e-6)) / self.rate(rate):
            inside = (seconds >= middle - half) & (seconds < middle + half)
            known = inside & ~np.isnan(x)
            if 2 * known.sum() < max(inside.sum(), 4):
                found.append((np.nan,) * len(_FEATURES))
                continue
            t, y = seconds[known] - seconds[known].mean(), x[known]
            count = ((peaks >= middle - half) & (peaks < middle + half)).sum()
            found.append((y.mean(), y.std(), (t * y).sum() / (t * t).sum(), count))
        return np.array(found).T.reshape(len(_FEATURES), -1)
