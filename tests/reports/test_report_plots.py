"""Curves, calibration and spreads show the numbers that others compute, and bear what is missing."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_curve

from tympan.reports import facts
from tympan.reports.plots import binary, classes, curves, draw, spread


def test_precision_over_recall_agrees_with_scikit_learn_with_ties() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random(200) < 0.3).astype(float)
    said = np.round(np.clip(0.3 * truth + rng.random(200) * 0.7, 0, 1), 2)
    _, curve, *_ = binary.draw("x", "", {"truth": truth, "prediction": said})
    assert curve.name == "x-precision-recall"
    precision, recall, limits = precision_recall_curve(truth, said)
    assert curve.table["threshold"] == pytest.approx(limits[::-1])
    assert curve.table["precision"] == pytest.approx(precision[-2::-1])
    assert curve.table["recall"] == pytest.approx(recall[-2::-1])
    assert f"average precision {average_precision_score(truth, said):.4f}" in curve.alt


def test_calibration_counts_each_answer_once_and_measures_the_gap() -> None:
    truth = np.array([0, 0, 0, 1, 1, 1, 1, 0.0])
    said = np.array([0.05, 0.05, 0.05, 0.05, 1.0, 1.0, 1.0, 1.0])
    (diagram,) = [p for p in binary.draw("x", "", {"truth": truth, "prediction": said}) if "calibration" in p.name]
    table = diagram.table
    assert table["count"] == [4, 4] and table["share_true"] == [0.25, 0.75] and table["from"] == [0, 0.9]
    assert table["mean_probability"] == pytest.approx([0.05, 1.0])
    assert all(0 <= low < share < high <= 1 for low, share, high in
               zip(table["low"], table["share_true"], table["high"], strict=True))  # fmt: skip
    assert "calibration error 0.2250" in diagram.alt


def test_the_probability_of_a_class_is_judged_where_it_was_kept() -> None:
    rows = {"truth": np.array([0.0, 1.0, 1.0]), "prediction": np.array([0.0, 0.0, 1.0])}
    assert [plot.name for plot in classes.draw("x", "", rows)] == ["x-confusion"]
    _, diagram = classes.draw("x", "", rows | {"probability": np.array([0.9, 0.9, np.nan])})
    assert diagram.table["count"] == [2] and diagram.table["share_true"] == [0.5]


def test_a_label_is_confused_at_the_limit_of_one_half() -> None:
    rows = {"truth": np.array([0, 0, 1, 1.0]), "prediction": np.array([0.5, 0.2, 0.7, 0.4])}
    (matrix,) = [plot for plot in binary.draw("x", "", rows) if "confusion" in plot.name]
    assert matrix.table == {"true x": ["absent", "present"], "absent": [1, 1], "present": [1, 1]}


def test_a_frequency_is_judged_in_cents_and_its_octaves_are_counted() -> None:
    truth = np.array([100.0, 200.0, 300.0, 400.0, 0.0, np.nan, 500.0, 500.0])
    said = np.array([101.0, 400.0, 150.0, 400.0, 90.0, 80.0, np.nan, 510.0])
    scatter, errors = draw("pitch", "f0", "Hz", {"truth": truth, "prediction": said})
    assert scatter.table["truth"] == [100, 200, 300, 400, 500]
    assert "50.0% within 50 cents" in scatter.alt and "1 of 6 have no answer" in scatter.caption
    assert sum(errors.table["count"]) == 3 and "40.0% of answers whole octaves off" in errors.alt
    rows = {"truth": np.tile(truth, 2), "prediction": np.r_[said, truth], "id": np.repeat(["a", "b"], 8)}
    *_, courses = draw("pitch", "f0", "Hz", rows | {"time": np.tile(np.arange(8) / 100, 2)})
    assert courses.name == "f0-courses" and "best, 100.0% right" in courses.alt and "worst, 50.0% right" in courses.alt
    nothing = {"truth": np.full(3, np.nan), "prediction": np.ones(3)}
    assert draw("pitch", "f0", "Hz", nothing) == []


def test_training_and_validation_share_a_plot_and_what_is_null_is_a_gap() -> None:
    log = [
        {"step": 1, "epoch": 0.5, "loss": 2.0, "train_mae": 0.5, "train_runtime": 3.0},
        {"step": 2, "epoch": 1.0, "val_loss": None, "val_mae": None, "val_pitch_mae": 3.0},
        {"step": 4, "epoch": 2.0, "val_loss": 1.0, "val_mae": 0.4, "learning_rate": 0.1},
    ]
    drawn = {plot.name: plot for plot in curves.draw({"run": log}, {"mae": "m"}, exported=4)}
    assert list(drawn) == ["curves-loss", "curves-mae", "curves-pitch-mae"], "one point is no curve of the rate"
    assert drawn["curves-mae"].table["train_mae"] == [0.5, None, None]
    assert drawn["curves-mae"].table["val_mae"] == [None, None, 0.4]
    assert "mae (m)" in drawn["curves-mae"].svg and "optimizer step (2 in an epoch)" in drawn["curves-mae"].svg
    assert drawn["curves-mae"].caption.startswith("Mean absolute error on the training and the validation part")
    assert "Pitch: mean absolute error" in drawn["curves-pitch-mae"].caption
    assert "step 4, is the checkpoint" in drawn["curves-loss"].caption


def test_spreads_of_labels_are_one_plot_and_parts_that_know_nothing_are_left_out() -> None:
    def label(absent: int, present: int) -> dict[str, object]:
        return {"space": "binary", "unit": "", "names": ["absent", "present"], "counts": [absent, present]}

    parts = {"training": {"a": label(3, 1), "b": label(1, 1)}, "test": {"a": label(1, 1), "b": label(0, 0)}}
    (plot,) = spread.draw(parts)
    assert plot.table == {"label": ["a", "b"], "training": [0.25, 0.5], "test": [0.5, None]}
    many = {"space": "class", "unit": "", "names": [str(i) for i in range(61)], "counts": [1] * 61}
    assert spread.draw({"training": {"word": many}}) == []
    assert spread.draw({}) == [] and spread.draw({"test": {}}) == []


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0 s"), (59.4, "59.4 s"), (59.96, "1 min 0 s"), (125, "2 min 5 s"), (3725, "1 h 2 min")],
)
def test_times_are_said_in_words(seconds: float, said: str) -> None:
    assert facts.duration(seconds) == said


def test_sound_of_unknown_length_is_said_to_be_so() -> None:
    own = {"recordings": 1, "groups": 1, "known": {}}
    assert facts.parts({"training": own}) == [
        {"name": "recordings", "cells": ["1"]},
        {"name": "groups", "cells": ["1"]},
    ]
    rows = facts.parts({"training": own | {"seconds": 61.0}, "test": own | {"seconds": None}})
    assert rows[2] == {"name": "sound", "cells": ["1 min 1 s", "not known"]}
