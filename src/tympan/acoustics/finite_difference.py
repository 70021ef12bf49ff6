"""The damped wave equation in the time domain: membranes of any shape on a square grid, and strings.

u_tt = c² (u_xx + u_yy) with a fixed edge, by central differences in time and space (Bilbao, Numerical Sound Synthesis,
2009, chapters 6 and 11). Where the edge cuts the arm between two points at a fraction theta of its length, the point
inside hangs on the edge by 1 / theta (Gibou et al., Journal of Computational Physics 176, 2002): a symmetric operator,
whose errors shrink with the square of the spacing, where a staircase's shrink with the spacing. What exceeds 1 is
averaged over three moments of time, so that it costs neither stability nor energy, however near the edge a point lies.

Losses are those of `strike.decay_rates`: uniform, and growing with the square of the frequency.
"""

import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import signal

from .grid import Field, Grid

Point = Sequence[float] | Float[np.ndarray, "2"]
"""x and y (m), in the coordinates of the shape; along a string, its distance from one end and 0."""

_TAPS = 32  # samples on either side of the decimating filter
_SILENT = 10.0  # decay times after which nothing is computed: 600 dB down, before float32 loses its precision


@dataclass(frozen=True, eq=False)
class Scheme:
    """A grid in time: its wave speed, time step and losses.

    Raises:
        ValueError: the Courant number is above the stability limit, or high modes would ring longer than low ones.
    """

    grid: Grid
    speed: float
    """Wave speed (m/s)."""
    step: float
    """Time step (s)."""
    decay_time: float = math.inf
    """Time in which low modes fall by 60 dB (s)."""
    high_decay_time: float | None = None
    """The same at 1 kHz (s); losses grow with the square of the frequency. `None` is the same for all modes."""

    def __post_init__(self) -> None:
        finest = finest_spacing(self.speed, self.step, self.viscosity, self.grid.dimensions)
        if self.grid.spacing < finest * (1 - 1e-9):
            raise ValueError(
                f"the Courant number {self.courant:.4g} is above the stability limit of "
                f"{self.speed * self.step / finest:.4g}: choose a spacing of at least {finest:.4g} m, not "
                f"{self.grid.spacing:.4g} m, or a shorter time step"
            )

    @property
    def courant(self) -> float:
        """How many points a wave passes in a step."""
        return self.speed * self.step / self.grid.spacing

    @property
    def viscosity(self) -> float:
        """The losses that grow with the square of the frequency, as a time (s)."""
        return viscosity(self.decay_time, self.high_decay_time)

    @cached_property
    def mass(self) -> Field:
        """Mass at every point: 1, and more at the edge, which is how the average over three moments acts."""
        return 1 + self.courant**2 / 4 * (1 + 2 * self.viscosity / self.step) * np.maximum(self.grid.edge, 0)

    def energy(self, u: Field, moved: Field) -> float:
        """Energy (J for each kg/m² of density): conserved without losses, and never growing with them.

        Args:
            u: displacement (m).
            moved: displacement less that of the step before (m).
        """
        kinetic = (self.mass * moved**2 * self.grid.inside).sum()
        viscous = self.viscosity / self.step / 2 * moved * self.grid.bend(moved)
        elastic = self.courant**2 * (viscous - (u - moved) * self.grid.bend(u)).sum()
        return float((kinetic + elastic) / 2 * (self.grid.spacing / self.step) ** 2)

    def struck(self, at: Point, width: float = 0.0) -> Field:
        """Displacement one step after a blow that moves 1 m³/s (a string: 1 m²/s).

        Args:
            at: where.
            width: diameter of the struck area, a raised cosine (m); 0 is a point. What falls outside is lost.

        Raises:
            ValueError: all of it falls outside.
        """
        fine = min(self.grid.spacing, width / 16) or 1.0
        side = fine * np.arange(-(width // (2 * fine)), width // (2 * fine) + 1)
        x, y = (a.ravel() for a in np.meshgrid(side, side if self.grid.dimensions == 2 else [0.0]))
        bump = 1 + np.cos(2 * np.pi / (width or 1) * np.minimum(np.hypot(x, y), width / 2))
        places, weights = self.grid.around(np.asarray(at) + np.stack([x, y], 1))
        impulse = np.bincount(places.ravel(), (weights * bump[:, None]).ravel() / bump.sum(), self.mass.size)
        if not impulse.any():
            raise ValueError(f"a strike at {tuple(at)} m moves no point of the grid: it is outside, or at the edge")
        return self.step / self.grid.spacing**self.grid.dimensions * impulse.reshape(self.mass.shape) / self.mass

    def run(
        self, u: Field, moved: Field, listening: Point, steps: int, dtype: Any = np.float32
    ) -> tuple[Float[np.ndarray, "{steps}"], Field, Field]:
        """Some steps on from a displacement, and how much it moved in the step before (m).

        Returns:
            What is heard at a point before each step; displacement and movement after the last.

        Raises:
            ValueError: the point is outside.
        """
        from ._stencil import advance

        delta = self.step * decay_rate(self.decay_time)
        gain = self.grid.inside * self.courant**2 / (1 + delta) / self.mass
        loss, lead = dtype(2 * delta / (1 + delta)), dtype(self.viscosity / self.step)
        u, moved, gain, edge = (a.astype(dtype).ravel() for a in (u, moved, gain, self.grid.edge))
        places, weights = self.grid.around(np.asarray(listening, np.float64)[None])
        if not weights.any():
            raise ValueError(f"nothing moves at {tuple(listening)} m, where it is to be heard: it is outside")
        heard, columns = np.empty(steps, dtype), self.mass.shape[1]
        ahead = advance(
            u + lead * moved, moved, gain, edge, self.grid.parted, loss, lead, columns,
            places[0], weights[0].astype(dtype), heard,
        )  # fmt: skip
        return heard, (ahead - lead * moved).reshape(self.mass.shape), moved.reshape(self.mass.shape)


def decay_rate(decay_time: float) -> float:
    """Decay rate (1/s) of what falls by 60 dB in a time (s)."""
    return 3 * math.log(10) / decay_time


def viscosity(decay_time: float, high_decay_time: float | None = None) -> float:
    """The losses that grow with the square of the frequency, as a time (s): twice their rate by (rad/s)²."""
    high = 0.0 if high_decay_time is None else decay_rate(high_decay_time) - decay_rate(decay_time)
    if high < 0:
        raise ValueError("high_decay_time: high modes cannot ring longer than low ones; lower it to decay_time")
    return 2 * high / (2000 * math.pi) ** 2


def finest_spacing(speed: float, step: float, viscosity: float = 0.0, dimensions: int = 2) -> float:
    """The stability limit: the least spacing (m) at a wave speed (m/s) and a time step (s); 1 dimension is a string."""
    return speed * math.sqrt(dimensions * step * (step + 2 * viscosity))


def longest_step(speed: float, spacing: float, viscosity: float = 0.0, dimensions: int = 2) -> float:
    """The stability limit the other way round: the longest time step (s) at a spacing (m)."""
    return math.hypot(viscosity, spacing / speed / math.sqrt(dimensions)) - viscosity


def waveform(
    grid: Grid,
    speed: float,
    strike: Point,
    listening: Point,
    samples: int,
    sample_rate: int,
    *,
    width: float = 0.0,
    decay_time: float = math.inf,
    high_decay_time: float | None = None,
) -> Float[np.ndarray, "{samples}"]:
    """Displacement at one point (m) after a blow at the first sample; a membrane's in float32, a string's in float64.

    Args:
        grid: of `Grid.of(shape, spacing)`; `finest_spacing(speed, 1 / sample_rate)` takes one step for each sample. A
            smaller spacing takes several, and the band below half the sample rate is kept of what they make.
        speed: wave speed (m/s), `modes.wave_speed(tension, density)`.
        strike: where it is struck, by 1 m³/s (a string: 1 m²/s).
        listening: where it is heard.
        samples: how many.
        sample_rate: samples per second (Hz).
        width: diameter of the struck area, a raised cosine (m); 0 is a point.
        decay_time: time in which low modes fall by 60 dB (s).
        high_decay_time: the same at 1 kHz (s); `None` is the same for all modes.
    """
    longest = longest_step(speed, grid.spacing, viscosity(decay_time, high_decay_time), grid.dimensions)
    factor = math.ceil(1 / sample_rate / longest * (1 - 1e-9))
    scheme = Scheme(grid, speed, 1 / (sample_rate * factor), decay_time, high_decay_time)
    blow, dtype = scheme.struck(strike, width), np.float32 if grid.dimensions == 2 else np.float64
    sound = np.zeros((samples + _TAPS) * factor if factor > 1 else samples, dtype)
    steps = round(min(len(sound) - 1, _SILENT * decay_time / scheme.step))
    sound[1 : 1 + steps] = scheme.run(blow, blow, listening, steps, dtype)[0]  # at rest when struck
    return sound if factor == 1 else _decimated(sound, factor)


def batch(drums: Sequence[Mapping[str, Any]], threads: int | None = None) -> list[Float[np.ndarray, "samples"]]:
    """`waveform(**drum)` of every drum, in order; on so many threads, by default one for each processor."""
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        return list(pool.map(lambda drum: waveform(**drum), drums))


def _decimated(x: Float[np.ndarray, "long"], factor: int) -> Float[np.ndarray, "short"]:
    """Every `factor`-th sample, without what lies above half the lower rate, but for the last `_TAPS`.

    Sines that begin at 0 are odd, so the filter hears them as if they had always been: nothing rings before the blow.
    """
    reach = _TAPS * factor
    taps = signal.firwin(2 * reach + 1, 0.92 / factor, window=("kaiser", 8.0))  # pyright: ignore[reportArgumentType]
    return signal.upfirdn(taps, np.concatenate([-x[reach:0:-1], x]), 1, factor)[2 * _TAPS : -2 * _TAPS].astype(x.dtype)
