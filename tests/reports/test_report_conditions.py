"""The error against what else is known: the strongest relation first, every answer in one bin, groups are drawn."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from tympan.reports.plots import conditions


def answers(n: int = 400) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Errors that grow with where it is struck; a fifth of the strikes is in the centre."""
    rng = np.random.default_rng(0)
    r = np.where(np.arange(n) % 5 == 0, 0.0, rng.random(n))
    error = (0.01 + 0.1 * r) * rng.normal(size=n)
    return error, np.arange(n) // 5, {"tension (N/m)": np.full(n, 2000.0), "ring (s)": rng.random(n), "strike_r": r}


def test_what_goes_most_with_the_error_comes_first_and_what_never_varies_is_left_out() -> None:
    error, groups, known = answers()
    first, second = conditions.draw("diameter", "m", error, groups, known)
    assert (first.name, second.name) == ("diameter-error-by-strike_r", "diameter-error-by-ring-s")
    r = spearmanr(known["strike_r"], np.abs(error))[0]
    assert first.table["rank_correlation"][0] == pytest.approx(r)
    assert f"rank correlation {r:+.3f}" in first.svg and "absolute error of diameter (cm)" in first.svg


def test_what_differs_within_a_drum_comes_before_what_tells_one_from_another() -> None:
    error, groups, known = answers()
    size = np.abs(error).reshape(-1, 5).mean(1).repeat(5)
    names = [plot.name for plot in conditions.draw("diameter", "m", error, groups, {"size (m)": size, **known})]
    assert names == [f"diameter-error-by-{name}" for name in ("strike_r", "ring-s", "size-m")]


def test_bins_hold_every_answer_once_and_strikes_in_the_centre_are_one() -> None:
    error, groups, known = answers()
    error[7], known["strike_r"][8] = np.nan, np.nan
    table = conditions.draw("diameter", "m", error, groups, known)[0].table
    assert sum(table["count"]) == 398 and table["from"][0] == table["to"][0] == 0
    assert table["count"][0] == 80 and all(np.diff(table["from"]) > 0)
    assert table["mean_absolute_error"][0] == pytest.approx(np.abs(error[::5]).mean())
    assert table["mean_absolute_error"][-1] > 3 * table["mean_absolute_error"][0]
    assert all(low < mean < high for low, mean, high in
               zip(table["low"], table["mean_absolute_error"], table["high"], strict=True))  # fmt: skip


def test_of_few_groups_there_is_no_interval() -> None:
    error, groups, known = answers()
    table = conditions.draw("diameter", "m", error, groups % 4, known)[0].table
    assert np.isnan(table["low"]).all() and np.isfinite(table["mean_absolute_error"]).all()
