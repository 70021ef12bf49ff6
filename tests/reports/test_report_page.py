"""A page says what was measured, opens offline, names nobody, and comes with the numbers of its plots."""

import csv
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pyarrow.parquet as pq
import pytest

from tympan.objectives import Target
from tympan.reports import page, plots
from tympan.reports.plots import binary, classes, curves, real

Invented = Callable[..., Path]


class Reader(HTMLParser):
    """Collects tags, the ids, what would be loaded, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.loaded: list[str] = []
        self.labels: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for key, value in attrs:
            if key == "id":
                self.ids.append(value or "")
            if key in ("src", "href", "xlink:href"):
                self.loaded.append(value or "")
            if key == "aria-label":
                self.labels.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += " ".join(data.split()) + " "


def table_of(path: Path) -> dict[str, list[str]]:
    with path.open(encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    return dict(zip(head, map(list, zip(*rows, strict=True)), strict=True))


KINDS = [("real", ()), ("binary", ()), ("class", ()), ("class", ("fold-0", "fold-1"))]


@pytest.mark.parametrize(("space", "members"), KINDS, ids=["real", "binary", "class", "folds"])
def test_a_page_is_one_file_that_opens_offline_and_names_nobody(
    invented: Invented, space: str, members: tuple[str, ...]
) -> None:
    folder = invented(space, members)
    written = page.write(folder)
    assert written == folder / "report" / "index.html"
    text = written.read_text(encoding="utf-8")
    read = Reader(text)
    assert not {"script", "link", "iframe", "img"} & set(read.tags)
    assert not [
        link for link in read.loaded if not re.fullmatch(r"#.*|[^:/]+\.csv|data:image/png;base64,.*", link, re.S)
    ]
    assert "@import" not in text and "url(http" not in text
    assert len(read.ids) == len(set(read.ids)), "an id is there twice"
    assert len(read.labels) == read.tags.count("svg") > 0, "a plot has no text for those who cannot see it"
    everything = text + "".join(p.read_text(encoding="utf-8") for p in written.parent.glob("*.csv"))
    assert "secret-" not in everything and "person-" not in everything
    assert "<b>not bold</b>" not in text and "&lt;b&gt;not bold" in text
    assert all(p.with_suffix(".csv").name in read.loaded for p in written.parent.glob("*.csv"))
    for word in ("Configuration", "1 h 2 min", "2.14.0", "bf16", "123,456", "5121 clips per second", "seed"):
        assert word in read.text
    assert "420" in read.text and "0.064 s of sound at 16000 Hz" in read.text


def test_the_headline_says_what_was_measured_and_who_was_beaten(invented: Invented) -> None:
    folder = invented("real")
    for plotted in ("predictions.parquet", "log.jsonl"):
        (folder / plotted).unlink()
    read = Reader(page.write(folder).read_text(encoding="utf-8"))
    text = " ".join(read.text.split())
    assert re.search(r"For diameter, on 120 test recordings in 40 groups, mean absolute error is \d\.\d+ cm", text)
    assert re.search(r"mean absolute error is 12\.\d\d Hz \(95 % interval \d\d\.\d\d to \d\d\.\d\d Hz\)", text)
    assert text.count("It beats every baseline; the nearest is ridge") == 2
    other = invented("binary")
    (other / "predictions.parquet").unlink()
    text = " ".join(Reader(page.write(other).read_text(encoding="utf-8")).text.split())
    assert "For the mean over 2 outputs, on 120 test recordings in 40 groups, area under the receiver" in text
    assert "not surely better than every baseline It is better than every baseline, but not surely" in text


def test_the_plots_of_a_quantity_show_the_predictions_of_the_headline_part(invented: Invented) -> None:
    folder = invented("real")
    page.write(folder)
    wanted = pq.read_table(folder / "predictions.parquet").to_pylist()
    wanted = [row for row in wanted if row["split"] == "test" and row["output"] == "diameter"]
    shown = table_of(folder / "report" / "diameter-predicted.csv")
    assert np.allclose(np.array(shown["truth"], float), [row["truth"] for row in wanted])
    assert np.allclose(np.array(shown["prediction"], float), [row["prediction"] for row in wanted])
    bars = table_of(folder / "report" / "diameter-residuals.csv")
    assert sum(map(int, bars["count"])) == len(wanted)
    mae = np.mean([abs(row["truth"] - row["prediction"]) for row in wanted])
    text = (folder / "report" / "index.html").read_text(encoding="utf-8")
    assert f"diameter: mean absolute error {100 * mae:.3f} cm" in text


def test_every_kind_of_target_has_plots() -> None:
    rows = {"truth": np.array([0.0, 1.0, 1.0, np.nan]), "prediction": np.array([0.2, 0.9, 0.4, 0.5])}
    outline = {"id": ["a"] * 9, "truth": np.full(9, 0.5), "prediction": np.linspace(0.3, 0.7, 9)}
    for name in Target.names():
        space = Target.find(name).space
        assert plots.draw(space, "x", "", outline if space == "shape" else rows), name
    with pytest.raises(ValueError, match="no plots"):
        plots.draw("curves", "x", "", rows)


def test_the_curve_of_a_label_is_its_area_and_takes_ties_together() -> None:
    truth = np.array([1, 1, 0, 1, 0, 0, 0.0, np.nan])
    said = np.array([0.9, 0.8, 0.8, 0.4, 0.4, 0.2, 0.1, 0.3])
    curve, *_, scores = binary.draw("x", "", {"truth": truth, "prediction": said})
    found = curve.table
    assert found["false_positive_rate"] == pytest.approx([0, 0, 0.25, 0.5, 0.75, 1.0])
    assert found["true_positive_rate"] == pytest.approx([0, 1 / 3, 2 / 3, 1, 1, 1])
    assert f"area under the curve {(4 + 3.5 + 2.5) / 12:.4f}" in curve.alt
    assert sum(scores.table["positives"]) == 3 and sum(scores.table["negatives"]) == 4


def test_a_label_without_positives_has_no_curve_and_says_so() -> None:
    found = binary.draw("x", "", {"truth": np.zeros(5), "prediction": np.linspace(0, 1, 5)})
    assert [plot.name for plot in found] == ["x-calibration", "x-confusion", "x-scores"]
    assert "all 5 known answers are no" in found[-1].caption


def test_a_confusion_matrix_counts_with_names_in_order_of_the_classes() -> None:
    t, p = np.array([0, 0, 2, 2, np.nan]), np.array([0, 2, 2, 2, 1.0])
    names = np.array(["high", "mid", "low", None], object)
    rows = {"truth": t, "prediction": p, "truth_label": names[[0, 0, 2, 2, 3]], "label": names[[0, 2, 2, 2, 1]]}
    (matrix,) = classes.draw("tone", "", rows)
    assert matrix.table == {"true tone": ["high", "low"], "high": [1, 0], "low": [1, 2]}
    assert "75.0% of 4" in matrix.alt


def test_unknown_and_broken_predictions_are_left_out_and_counted() -> None:
    truth, said = np.array([1.0, 2.0, np.nan, 4.0]), np.array([1.5, np.inf, 3.0, 4.0])
    scatter, _ = real.draw("x", "m", {"truth": truth, "prediction": said})
    assert scatter.table == {"truth": [1.0, 4.0], "prediction": [1.5, 4.0]}
    assert "1 predictions are not finite" in scatter.caption
    assert real.draw("x", "m", {"truth": np.full(3, np.nan), "prediction": np.zeros(3)}) == []


def test_many_points_are_thinned_and_stay_a_small_file() -> None:
    truth = np.random.default_rng(0).random(60_000)
    scatter, residuals = real.draw("x", "", {"truth": truth, "prediction": truth + 0.01})
    assert len(scatter.table["truth"]) == 5000 and "Every 12th of 60000" in scatter.caption
    assert sum(residuals.table["count"]) == 60_000 and len(scatter.svg) < 400_000


def test_learning_curves_hold_each_step_once_in_order(invented: Invented) -> None:
    folder = invented("class")
    page.write(folder)
    loss = table_of(folder / "report" / "curves-loss.csv")
    steps = list(map(int, loss["step"]))
    assert steps == list(range(10, 401, 10)), "the steps of a resume count once, and validation joins its step"
    assert [s for s, v in zip(steps, loss["val_loss"], strict=True) if v] == list(range(40, 401, 40))
    names = {p.stem for p in (folder / "report").glob("curves-*.csv")}
    assert names == {"curves-loss", "curves-learning-rate", "curves-accuracy"}


def test_a_log_without_validation_and_with_a_diverged_loss_still_has_curves() -> None:
    (one,) = curves.draw({"run": [{"step": 1, "loss": 1.0}, {"step": 2, "loss": float("nan")}]})
    assert one.table["loss"][0] == 1.0 and "val" not in one.caption
    assert curves.draw({}) == []


def test_folds_are_one_line_each_and_every_split_is_listed(invented: Invented) -> None:
    folder = invented("class", ("fold-0", "fold-1"))
    text = Reader(page.write(folder).read_text(encoding="utf-8")).text
    assert set(table_of(folder / "report" / "curves-loss.csv")["training"]) == {"fold-0", "fold-1"}
    assert "on 120 out-of-fold recordings" in text and "fold-1" in text


def test_a_run_with_only_figures_has_a_page_and_a_second_page_replaces_the_first(tmp_path: Path) -> None:
    figure = {"value": 0.5, "low": None, "high": None, "n": 9, "groups": 3, "note": "no interval: 3 groups", "unit": ""}
    (tmp_path / "metrics.json").write_text(json.dumps({"test": {"model": {"a/b": {"mae": figure}}}}))
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "old.csv").write_text("x\n")
    text = page.write(tmp_path).read_text(encoding="utf-8")
    assert "on 9 test recordings in 3 groups" in text and "no interval: 3 groups" in text
    assert sorted(p.name for p in (tmp_path / "report").iterdir()) == ["index.html"]


def test_the_same_run_gives_the_same_page(invented: Invented) -> None:
    folder = invented("class")
    first = page.write(folder).read_bytes()
    assert page.write(folder).read_bytes() == first


def test_what_cannot_be_read_is_said(tmp_path: Path, invented: Invented) -> None:
    with pytest.raises(FileNotFoundError, match=r"metrics\.json"):
        page.write(tmp_path)
    folder = invented("class")
    with (folder / "log.jsonl").open("a") as log:
        log.write('{"step": 41')
    with pytest.raises(ValueError, match=r"log\.jsonl, line 52"):
        page.write(folder)


def test_names_that_are_alike_as_files_keep_their_own_numbers(tmp_path: Path) -> None:
    tmp_path.joinpath("report").mkdir()
    rows = {"truth": np.zeros(4), "prediction": np.ones(4)}
    for name in ("a b", "a/b"):
        page._save(tmp_path / "report", binary.draw(name, "", rows)[-1])
    assert sorted(p.name for p in (tmp_path / "report").iterdir()) == ["a-b-scores-2.csv", "a-b-scores.csv"]


def test_drawing_changes_nothing_global() -> None:
    before = dict(mpl.rcParams)
    real.draw("x", "", {"truth": np.arange(5.0), "prediction": np.arange(5.0)})
    assert dict(mpl.rcParams) == before


def test_names_in_any_script_and_with_signs_are_drawn_as_they_are() -> None:
    rows = {"truth": np.array([0.0, 1.0]), "prediction": np.array([0.1, 0.8])}
    (curve, *_) = binary.draw("声 $x_1$ <b>", "", rows)
    assert "声 $x_1$ &lt;b&gt;" in curve.svg and curve.name == "声-x_1-b-roc"
