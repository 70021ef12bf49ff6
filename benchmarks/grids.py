"""Finite differences beside numpy slices: a round drum of 0.3 m at 48 kHz, and two of them on two threads."""

from collections.abc import Callable
from typing import Any

import numpy as np
import training

from tympan.acoustics.finite_difference import Scheme, batch, finest_spacing
from tympan.acoustics.grid import Grid
from tympan.acoustics.shapes import Circle

RATE, SPEED, STEPS = 48000, 100.0, 4800


def measured(best: Callable[..., list[float]]) -> dict[str, dict[str, Any]]:
    """Rows of the table; a row says how many points it moves in a second."""
    grid = Grid.of(Circle(0.3), finest_spacing(SPEED, 1 / RATE))
    scheme = Scheme(grid, SPEED, 1 / RATE, 2.0)
    blow = scheme.struck((0.03, 0.02), 0.05)
    delta, mask = scheme.step * 3 * np.log(10) / 2.0, grid.inside.astype(np.float32)
    c0, c1, c2 = (np.float32(c / (1 + delta)) for c in (0.5, 0.0, 1 - delta))

    def sliced() -> list[float]:
        """The textbook recursion on the same points, its edge a staircase."""
        before, now = np.zeros(mask.shape, np.float32), blow.astype(np.float32)
        heard = []
        for _ in range(STEPS // 10):
            around = now[:-2, 1:-1] + now[2:, 1:-1] + now[1:-1, :-2] + now[1:-1, 2:]
            after = np.zeros_like(now)
            after[1:-1, 1:-1] = (c0 * around + c1 * now[1:-1, 1:-1] - c2 * before[1:-1, 1:-1]) * mask[1:-1, 1:-1]
            before, now = now, after
            heard.append(float(now[50, 50]))
        return heard

    ours, theirs = best(lambda: scheme.run(blow, blow, (0.02, -0.04), STEPS), sliced)
    drum = {"grid": grid, "speed": SPEED, "strike": (0.03, 0.02), "listening": (0.02, -0.04), "decay_time": 2.0}
    two = [{**drum, "samples": STEPS, "sample_rate": RATE}] * 2
    threads, alone = best(lambda: batch(two, 2), lambda: batch(two, 1))
    return {
        f"finite differences, {grid.inside.sum()} points, {STEPS} steps / numpy's slices": {
            **training.beside(ours, 10 * theirs),
            "updates": grid.inside.sum() * STEPS / ours,
        },
        "the same, two drums on two threads / one after the other": training.beside(threads, alone),
    }
