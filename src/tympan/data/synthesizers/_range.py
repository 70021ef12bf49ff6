"""A parameter that is fixed or drawn: a number, or the two ends of a uniform range."""

import math
from typing import Annotated

import numpy as np
from pydantic import AfterValidator

_Ends = float | tuple[float, float]


def ends(value: _Ends) -> tuple[float, float]:
    """The lowest and the highest value that may be drawn."""
    return value if isinstance(value, tuple) else (value, value)


def draw(rng: np.random.Generator, value: _Ends) -> float:
    """One value; a fixed number uses a random number too, so that fixing one parameter moves no other."""
    low, high = ends(value)
    return float(low + (high - low) * rng.random())


def _ordered(value: _Ends) -> _Ends:
    low, high = ends(value)
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ValueError(f"a range is [low, high], two finite numbers in order, not {list(ends(value))}")
    return value


def _positive(value: _Ends) -> _Ends:
    if not ends(_ordered(value))[0] > 0:
        raise ValueError(f"every value must be above 0; the range begins at {ends(value)[0]}")
    return value


def _fraction(value: _Ends) -> _Ends:
    low, high = ends(_ordered(value))
    if low < 0 or high > 1:
        raise ValueError(f"a fraction lies within 0 and 1, not in {[low, high]}")
    return value


def _radius(value: _Ends) -> _Ends:
    if ends(_fraction(value))[0] == 1:
        raise ValueError("nothing moves at the edge: a distance from the centre is below 1, or drawn from a range")
    return value


def _across(value: _Ends) -> _Ends:
    if ends(_fraction(value)) in ((0, 0), (1, 1)):
        raise ValueError("nothing moves at the edge: a place is between 0 and 1, or drawn from a range")
    return value


Range = Annotated[_Ends, AfterValidator(_ordered)]
"""A fixed number, or [low, high): drawn uniformly."""
Positive = Annotated[_Ends, AfterValidator(_positive)]
"""A range of numbers above 0."""
Fraction = Annotated[_Ends, AfterValidator(_fraction)]
"""A range within 0 and 1."""
Radius = Annotated[_Ends, AfterValidator(_radius)]
"""A range of distances from the centre, in radii."""
Across = Annotated[_Ends, AfterValidator(_across)]
"""A range of places between two edges, as fractions of the distance between them."""
