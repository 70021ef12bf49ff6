"""What tables of labels say of the part that they are of."""

from typing import Any

import pytest

from tympan.reports.clinical import tables


def judged(part: str, source: str) -> dict[str, Any]:
    decision = {"threshold": 0.5, "temperature": 1.0, "bias": 0.0, "source": source}
    own = {"recordings": {}, "groups": {}, "subgroups": {}}
    return {"decisions": {"ill": {"": decision}}, "parts": {part: own}}


CHOSEN = "threshold on validation, by Youden's J; calibrated by temperature on validation"


@pytest.mark.parametrize(
    ("part", "source", "said"),
    [
        ("validation", CHOSEN, "which chose the threshold itself and so flatters"),
        ("validation", "threshold given; not calibrated", "at the fixed threshold"),
        (
            "validation",
            "threshold given; calibrated by platt on validation",
            "at the fixed threshold; calibration was learned on them, and flatters",
        ),
        (
            "validation",
            "validation has 4 recordings, fewer than 10: threshold 0.5 by default, nothing is calibrated",
            "at the fixed threshold",
        ),
        ("test", CHOSEN, "at the fixed threshold"),
    ],
)
def test_a_part_flatters_only_where_something_was_learned_on_it(part: str, source: str, said: str) -> None:
    assert tables(judged(part, source))[1].title == f"{part}: recordings, {said}"
