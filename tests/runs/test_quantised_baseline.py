"""The baseline of a quantity that the network sees as levels is that of the quantity itself."""

import numpy as np
import pytest

from tympan.objectives import Target
from tympan.runs import baselines
from tympan.runs.spectral_peaks import NUMBERS


def test_a_line_is_drawn_through_the_quantity() -> None:
    rng = np.random.default_rng(0)
    statistics = rng.normal(size=(60, 4 + NUMBERS))  # the spectral peaks are behind
    values = statistics[:, :4] @ np.array([1.0, -2.0, 0.5, 0.0]) + 0.1 * rng.normal(size=60)
    said = {}
    for fields in ({"type": "quantised", "limits": [-1, 1]}, {"type": "continuous"}):
        target = Target.model_validate({**fields, "quantities": {"d": "m"}}).fit([{"d": v} for v in values])
        encoded = [target.encode({"d": v}) for v in values]
        answers = baselines.fit(target, encoded, list(statistics), [str(i) for i in range(60)])
        said[fields["type"]] = {who: answer(statistics[0])["d"] for who, answer in answers.items()}
    assert set(said["quantised"]) == set(said["continuous"]) == {"mean", "ridge", "ridge_on_peaks"}
    for who, answer in said["continuous"].items():
        assert said["quantised"][who].shape == answer.shape
        assert said["quantised"][who].item() == pytest.approx(answer.item(), abs=1e-2)
