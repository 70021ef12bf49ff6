"""What trainings with several seeds say together."""

from dataclasses import replace

import numpy as np
import pytest

from tympan.objectives import Metric
from tympan.runs.ensemble import together
from tympan.runs.evaluate import Evaluation
from tympan.runs.metrics import summarise
from tympan.runs.said import Said

IDS = [f"r{i}" for i in range(12)]
TRUTH = np.array([0.0, 1.0] * 6)


def labelled(p: np.ndarray, truth: np.ndarray = TRUTH, metric: str = "auroc") -> Evaluation:
    """What a training says of a label, as its evaluation holds it."""
    rows = [
        Said(i, i[:2], "ill", "binary", "", np.array([t]), np.array([[own]], np.float32))
        for i, t, own in zip(IDS, truth, p, strict=True)
    ]
    return evaluated(rows, metric)


def evaluated(rows: list[Said], metric: str) -> Evaluation:
    figures = Metric.find(metric)().start((rows[0].output,))
    for one in rows:
        truth = {one.output: one.truth[None, None]}
        figures.update({one.output: one.answer[None]}, truth, [one.id], [one.group])
    return Evaluation({"model": {("label", metric): figures}}, rows)


def test_logits_are_averaged_not_figures() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 2, (2, len(IDS)))
    each = [1 / (1 + np.exp(-(TRUTH - 0.5 + e))) for e in (*noise, -noise.sum(0))]  # the errors cancel
    found = summarise([labelled(p) for p in each], resamples=200)
    assert found["reference/ensemble"]["ill"]["auroc"]["value"] == 1.0
    mean = np.mean([summarise([labelled(p)], resamples=10)["model"]["ill"]["auroc"]["value"] or 0.0 for p in each])
    assert found["model"]["ill"]["auroc"]["value"] == pytest.approx(mean) and mean < 0.9
    assert found["reference/ensemble"]["ill"]["auroc"]["n"] == len(IDS)


def test_of_a_class_probabilities_stay_probabilities() -> None:
    said = [[[0.6], [0.3], [0.1]], [[0.2], [0.7], [0.1]]]
    rows = [[Said("a", "a", "word", "class", "", np.array([1.0]), np.array(p), classes=("x", "y", "z"))] for p in said]
    made = together([evaluated(own, "accuracy") for own in rows], ("label", "accuracy"))
    assert made and made.compute()["word"] == 1.0  # sqrt(0.6 * 0.2) < sqrt(0.3 * 0.7)


def test_what_nobody_knows_is_not_counted() -> None:
    truth = np.where(np.arange(len(IDS)) < 4, np.nan, TRUTH)
    made = together([labelled(np.full(len(IDS), p), truth) for p in (0.2, 0.4)], ("label", "auroc"))
    assert made and len(made.rows("ill")[0]) == 8


def test_there_is_none_where_it_would_mean_nothing() -> None:
    one = labelled(np.full(len(IDS), 0.5))
    assert together([one], ("label", "auroc")) is None
    fewer = replace(one, predictions=one.predictions[1:])
    assert together([one, fewer], ("label", "auroc")) is None
    size = [Said("a", "a", "size", "real", "m", np.array([1.0]), np.array([[0.5]]))]
    assert together([evaluated(size, "mae")] * 2, ("label", "mae")) is None


def test_each_corpus_has_its_own() -> None:
    both = [replace(labelled(p), corpora={i: "ab"[n % 3 == 0] for n, i in enumerate(IDS)}) for p in (TRUTH, 1 - TRUTH)]
    made = together([own.only("a") for own in both], ("label", "auroc"))
    assert made and made.rows("ill")[0] == [i for n, i in enumerate(IDS) if n % 3]
