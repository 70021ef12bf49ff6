"""The page of a comparison says what its lines say, loads nothing, and is never kinder than its intervals."""

import base64
import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tympan.objectives.paired import Difference
from tympan.reports import comparison_page
from tympan.reports.comparison import Comparison, Line, Pair, cells, render

SURE = Difference(0.05, 0.03, -0.02, -0.03, -0.01, 0.999, 120, 40)
UNSURE = Difference(0.05, 0.049, -0.001, -0.004, 0.002, 0.7, 120, 40)


def compared(*lines: Line, alarms: tuple[str, ...] = (), name: str = "deep") -> Comparison:
    pair = Pair(name, "out_of_fold", list(lines), list(alarms), ["Compared on 120 recordings in 40 groups."])
    return Comparison("plain", [pair], {"parameters": ["1", "2"]}, {"model.width": ["8", "<b>16</b>"]})


def page(comparison: Comparison, folder: Path) -> str:
    return comparison_page.write(comparison, folder / "new" / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("low", "high", "more", "verdict"),
    [
        (0.1, 0.2, True, "better"),
        (0.1, 0.2, False, "worse"),
        (-0.2, -0.1, True, "worse"),
        (-0.2, -0.1, False, "better"),
        (-0.1, 0.2, True, "cannot be told"),
        (0.0, 0.2, True, "cannot be told"),
        (None, None, True, "cannot be told"),
        (0.0, 0.0, True, "equal"),
    ],
)
def test_the_verdict_follows_the_interval_and_the_direction(
    low: float | None, high: float | None, more: bool, verdict: str
) -> None:
    line = Line("diameter", "figure", "m", more, replace(SURE, low=low, high=high))
    assert line.verdict == verdict
    assert replace(line, fair=False).verdict == "not fair"


def test_numbers_have_signs_and_decimals_enough_to_see_the_difference() -> None:
    large = replace(SURE, first=1234.5678, second=1234.5688, value=0.001, low=0.0005, high=0.0015)
    told = cells(Line("pitch", "mae", "Hz", False, large))
    assert told["difference"] == "+0.001000 [+0.000500, +0.001500]"
    assert (told["first"], told["second"]) == ("1234.567800", "1234.568800")
    assert told["metric"] == "mae (Hz)"
    few = replace(SURE, low=None, high=None, better=None, note="no interval: 7 groups, fewer than 8")
    assert cells(Line("pitch", "mae", "Hz", False, few))["difference"] == "-0.02000"
    nothing = Difference(None, 0.5, None, None, None, None, 0, 0, "nothing known")
    assert cells(Line("pitch", "mae", "Hz", False, nothing))["difference"] == "n/a (nothing known)"


def test_the_page_holds_figures_words_and_one_plot_for_each_metric_and_unit(tmp_path: Path) -> None:
    lines = (Line("diameter", "mae", "m", False, SURE), Line("diameter", "r2", "", True, UNSURE),
             Line("pitch", "mae", "Hz", False, UNSURE))  # fmt: skip
    text = page(compared(*lines), tmp_path)
    assert "For diameter, mean absolute error of deep is 0.03000 m against 0.05000 m." in text
    assert "-0.02000 [-0.03000, -0.01000]" in text
    assert "99.9%" in text
    assert '<span class="badge yes">better</span>' in text
    assert '<span class="badge unsure">cannot be told</span>' in text
    assert text.count("<svg") == 3
    assert "difference of mae (Hz)" in text
    assert "out-of-fold part" in text


def test_the_page_loads_nothing_and_escapes_what_it_is_given(tmp_path: Path) -> None:
    text = page(compared(Line("<i>d</i>", "mae", "m", False, SURE), name="<script>x</script>"), tmp_path)
    assert "<script" not in text
    assert "<i>" not in text
    assert "&lt;b&gt;16" in text
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    assert "prefers-color-scheme: dark" in text  # the style of a run's own page


def test_the_figures_come_as_csv_inside_of_the_page(tmp_path: Path) -> None:
    text = page(compared(Line("diameter", "mae", "m", False, SURE)), tmp_path)
    found = re.search(r"data:text/csv;base64,([^\"]+)", text)
    assert found
    (row,) = csv.DictReader(io.StringIO(base64.b64decode(found[1]).decode()))
    assert (row["yardstick"], row["run"], row["verdict"]) == ("plain", "deep", "better")
    assert [float(row[key]) for key in ("first", "second", "value", "low", "high")] == [0.05, 0.03, -0.02, -0.03, -0.01]


def test_an_unfair_comparison_is_said_first_and_nothing_is_called_better(tmp_path: Path) -> None:
    unfair = compared(Line("diameter", "mae", "m", False, SURE, fair=False), alarms=("deep was trained on it.",))
    text = page(unfair, tmp_path)
    assert text.index("Not a fair comparison") < text.index("For diameter")
    assert 'badge no">not fair' in text
    console = Console(record=True, width=160, file=io.StringIO())
    render(unfair, console)
    told = console.export_text()
    assert told.startswith("NOT FAIR: deep was trained on it.")
    assert told.count("better") == 1, "the heading of the share of draws"


def test_the_terminal_shows_figures_notes_and_what_differs() -> None:
    console = Console(record=True, width=160, file=io.StringIO())
    render(compared(Line("diameter", "mae", "m", False, SURE)), console)
    told = console.export_text()
    for text in (
        "[95 %]",
        "-0.02000",
        "[-0.03000, -0.01000]",
        "better",
        "model.width",
        "<b>16</b>",
        "120 recor",
    ):
        assert text in told


def test_one_sentence_stands_for_all_outputs_where_their_mean_has_a_meaning(tmp_path: Path) -> None:
    labels = [Line(name, "auroc", "", True, UNSURE) for name in ("breathy", "strained", "overall")]
    assert page(compared(*labels), tmp_path).count('class="said"') == 1
    mixed = [Line("diameter", "mae", "m", False, SURE), Line("pitch", "mae", "Hz", False, SURE),
             Line("overall", "r2", "", True, SURE)]  # fmt: skip
    text = page(compared(*mixed), tmp_path)
    assert text.count('class="said"') == 2
    assert "For the mean over outputs" not in text
