"""Figures are written with four digits, verdicts are honest, and tables fit a terminal."""

import io
from typing import Any

import pytest
from rich.console import Console

from tympan.objectives import Metric
from tympan.reports import table, terminal


def figure(value: float | None, low: float | None = None, high: float | None = None, **more: Any) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "n": 120, "groups": 40, "note": "", "unit": "", **more}


def scores(**who: dict[str, Any]) -> dict[str, Any]:
    """The figures of one output, `mae`, by who: `baseline__ridge=figure(...)`."""
    return {name.replace("__", "/"): {"size": {"mae": found}} for name, found in who.items()}


def printed(metrics: dict[str, Any], width: int = 100) -> str:
    out = io.StringIO()
    terminal.render(metrics, Console(file=out, width=width))
    return out.getvalue()


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((0.0123, 0.0101, 0.015), ["0.01230", "0.01010", "0.01500"]),
        ((12.3456,), ["12.35"]),
        ((0.99996,), ["1.000"]),
        ((123456.7,), ["123457"]),
        ((1234567.0, 1.2e6, 1.3e6), ["1.235e+06", "1.200e+06", "1.300e+06"]),
        ((0.00001234,), ["1.234e-05"]),
        ((0.00123, -0.5, 0.6), ["0.001", "-0.500", "0.600"]),
        ((0.0,), ["0"]),
        ((-0.00001, -0.2, 0.2), ["0.0000", "-0.2000", "0.2000"]),
    ],
)
def test_numbers_have_four_digits_and_their_interval_the_same_decimals(
    values: tuple[float, ...], text: list[str]
) -> None:
    assert table.numerals(*values) == text


def test_a_cell_tells_figure_and_interval_or_why_not() -> None:
    assert table.cell(figure(0.0123, 0.0101, 0.015)) == "0.01230 [0.01010, 0.01500]"
    assert table.cell(figure(0.5)) == "0.5000"
    assert table.cell(figure(None, note="no positives among 7")) == "n/a (no positives among 7)"


@pytest.mark.parametrize(
    ("model", "baseline", "beats", "word"),
    [
        (figure(1.0, 0.9, 1.1), figure(2.0, 1.8, 2.2), True, "beats"),
        (figure(1.0, 0.6, 1.4), figure(1.3, 1.25, 1.5), None, "not surely"),
        (figure(1.0, 0.9, 1.1), figure(1.3, 0.95, 1.6), None, "not surely"),
        (figure(1.0), figure(2.0), None, "no interval"),
        (figure(1.0, 0.9, 1.1), figure(0.99, 0.9, 1.1), False, "does not beat"),
        (figure(1.0, 0.9, 1.1), figure(1.0, 0.9, 1.1), False, "does not beat"),
        (figure(1.0, 0.9, 1.1), figure(None), None, "nothing to beat"),
        (figure(None), figure(2.0, 1.8, 2.2), None, "no figure"),
    ],
)
def test_a_model_beats_a_baseline_only_where_the_intervals_say_so(
    model: dict[str, Any], baseline: dict[str, Any], beats: bool | None, word: str
) -> None:
    found = scores(model=model, baseline__ridge=baseline, reference__inverse=figure(0.01, 0.005, 0.02))
    assert table.beats_every_baseline({"test": found}, "test") == {"size": beats}
    assert word in table.verdict(found, "size").sentence
    assert "inverse" not in table.verdict(found, "size").sentence


def test_every_baseline_counts_and_more_is_better_where_the_metric_says_so() -> None:
    found = scores(model=figure(1.0, 0.9, 1.1), baseline__a=figure(3.0, 2.0, 4.0), baseline__b=figure(0.5, 0.4, 0.6))
    assert table.verdict(found, "size").beats is False
    higher = {
        who: {"word": {"accuracy": figures["size"]["mae"]}} for who, figures in found.items() if who != "baseline/a"
    }
    assert table.verdict(higher, "word").beats is True


def test_the_direction_of_every_metric_is_known_and_no_other_code_is_imported() -> None:
    assert {table.higher_is_better(name) for name in Metric.names()} <= {True, False}
    assert table.higher_is_better("this_package.is_not_imported") is None


def test_the_headline_is_what_training_never_saw() -> None:
    assert table.headline_part({"train": {}, "validation": {}, "test": {}}) == "test"
    assert table.headline_part({"validation": {}, "out_of_fold": {}}) == "out_of_fold"


def test_a_mean_over_different_units_is_not_shown() -> None:
    def output(unit: str) -> dict[str, Any]:
        return {"mae": figure(1.0, 0.9, 1.1, unit=unit), "r2": figure(0.5, 0.4, 0.6)}

    mixed = {"model": {"size": output("m"), "pitch": output("Hz"), "overall": output("")}}
    assert table.shown(mixed)["overall"] == ["r2"]
    alike = {"model": {"left": output("m"), "right": output("m"), "overall": output("")}}
    assert table.shown(alike)["overall"] == ["mae", "r2"] and table.unit(alike, "overall", "mae") == "m"


def test_rows_hold_every_figure_with_its_unit() -> None:
    metrics = {"test": scores(reference__r=figure(0.1), baseline__b=figure(0.2), model=figure(0.3, unit="m"))}
    rows = table.lines(metrics)
    assert [row["who"] for row in rows] == ["model", "baseline/b", "reference/r"]
    assert rows[1] | {"note": ""} == {
        **{"split": "test", "who": "baseline/b", "output": "size", "metric": "mae", "unit": "m", "note": ""},
        **{"value": 0.2, "low": None, "high": None, "n": 120, "groups": 40},
    }


def test_terminal_tables_have_references_under_a_rule_and_say_the_verdict_once() -> None:
    found = scores(model=figure(1.0, 0.9, 1.1), baseline__b=figure(2.0, 1.8, 2.2), reference__r=figure(0.1))
    text = printed({"validation": found, "test": found})
    lines = [line.strip() for line in text.splitlines()]
    at = next(i for i, line in enumerate(lines) if line.startswith("reference/r"))
    assert set(lines[at - 1]) == {"─"} and lines[at - 2].startswith("baseline/b")
    assert "1.000 [0.900, 1.100]" in text and text.count("It beats") == 1


@pytest.mark.parametrize("width", [60, 80, 100])
def test_terminal_tables_fit_and_lose_nothing(width: int) -> None:
    metrics = ("mse", "mae", "r2", "pearson", "a_metric_with_a_long_name", "another")
    one = {name: figure(0.0001234 * (i + 1), 0.0001, 0.002) for i, name in enumerate(metrics)}
    one["pearson"] = figure(None, note="undefined for 120 recordings in 40 groups")
    metrics_json = {"test": {who: {"[size]": one} for who in ("model", "baseline/ridge", "reference/closed-form")}}
    text = printed(metrics_json, width)
    assert max(map(len, text.splitlines())) <= width
    for name, found in one.items():
        assert name in text
        assert (table.cell(found).split(" ")[0]) in text
    assert "[size]" in text and "…" not in text


def test_notes_are_told_under_the_table() -> None:
    assert "no interval: 5 groups" in printed({"test": scores(model=figure(1.0, note="no interval: 5 groups"))})


def paired(value: float, low: float, high: float, **more: Any) -> dict[str, Any]:
    """A baseline of 2.0 ± 1, from which the model's paired difference is known."""
    return figure(2.0, 1.0, 3.0, difference={"value": value, "low": low, "high": high, "better": 0.5}, **more)


@pytest.mark.parametrize(
    ("baseline", "beats", "cell"),
    [
        (paired(-0.5, -0.8, -0.2), True, "2.000 [1.000, 3.000] *"),
        (paired(-0.5, -1.2, 0.2), None, "2.000 [1.000, 3.000]"),
        (figure(1.0, 0.5, 3.0, difference={"value": 0.5, "low": 0.2, "high": 0.8}), False, "1.000 [0.500, 3.000] !"),
        (paired(-0.5, -0.8, -0.2, p=0.001), True, "2.000 [1.000, 3.000] * p=0.001"),
        (figure(2.0, difference={"value": -0.5, "low": None, "high": None}), None, "2.000"),
    ],
)
def test_paired_differences_decide_where_they_are_known(
    baseline: dict[str, Any], beats: bool | None, cell: str
) -> None:
    found = scores(model=figure(1.5, 0.9, 2.1), baseline__b=baseline)
    assert table.verdict(found, "size").beats is beats
    assert table.beside(baseline, "mae") == cell
    text = " ".join(printed({"test": found}).split())
    assert ("paired difference does not hold 0" in text) == ("*" in cell or "!" in cell)
    assert ("how likely a model that does not hear" in text) == ("p=" in cell)


def test_skill_is_told_with_its_ceiling_and_groups_with_their_kinds() -> None:
    skill = {"value": 0.62, "low": 0.5, "high": 0.7, "ceiling": "reference/population"}
    found = scores(model=figure(1.0, clusters={"listener": 20, "song": 9}), baseline__a=figure(2.0, skill=skill),
                   baseline__b=figure(2.0, skill={**skill, "value": None}))  # fmt: skip
    assert table.marks(found, "size") == [
        "Skill in mae, 0 at a baseline and 1 at the ceiling reference/population: 0.6200 [0.5000, 0.7000] over a."
    ]
    assert "120 recordings in 40 groups (listener 20, song 9)" in " ".join(printed({"test": found}).split())
    assert table.groups_of({"groups": 1}) == "1 group"
