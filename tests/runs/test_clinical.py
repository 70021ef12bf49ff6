"""Figures of labels: equal to scikit-learn's, fixed before they are judged, and with intervals that hold the truth."""

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    roc_auc_score,
)

from tympan.runs.clinical import Answers, Decision, decide, decisions, figures, judge
from tympan.runs.evaluate import Evaluation
from tympan.runs.said import Said
from tympan.runs.sections import Judging

FIXED = {"": Decision(0.4, 2.0, "")}


def answers(n: int = 300, groups: int = 30, seed: int = 0, gain: float = 1.5, ties: bool = False) -> Answers:
    """Probabilities that know of the truth, of groups that are alike within."""
    rng = np.random.default_rng(seed)
    own = np.arange(n) % groups
    truth = (rng.random(groups) < 0.4)[own].astype(float)
    logit = gain * (truth - 0.5) + 0.7 * rng.standard_normal(groups)[own] + rng.standard_normal(n)
    p = 1 / (1 + np.exp(-logit))
    p = np.round(p, 1) if ties else p
    names = np.array([f"s{i}" for i in own], object)
    return Answers(truth, p, names, np.array([""] * n, object), np.array([f"r{i}" for i in range(n)], object))


def said(truth: float, p: float, group: str, id: str, fold: str = "", label: str = "ill") -> Said:
    return Said(id, group, label, "binary", "", np.array([truth]), np.array([[p]]), fold=fold)


@pytest.mark.parametrize("ties", [False, True])
def test_figures_are_those_of_scikit_learn(ties):
    own = answers(ties=ties)
    y, p = own.truth, own.probability
    found = {name: f["value"] for name, f in figures(own, FIXED)["figures"].items()}
    tn, fp, fn, tp = confusion_matrix(y, p >= 0.4).ravel()
    logit = np.log(np.clip(p, 1e-12, 1 - 1e-12)) - np.log1p(-np.clip(p, 1e-12, 1 - 1e-12))
    oracle = {
        "auroc": roc_auc_score(y, p),
        "average_precision": average_precision_score(y, p),
        "sensitivity": tp / (tp + fn),
        "specificity": tn / (tn + fp),
        "positive_predictive_value": tp / (tp + fp),
        "negative_predictive_value": tn / (tn + fn),
        "brier": brier_score_loss(y, p),
        "brier_calibrated": brier_score_loss(y, 1 / (1 + np.exp(-logit / 2))),
    }
    for name, value in oracle.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name
    bins = np.minimum((p * 10).astype(int), 9)
    ece = sum(abs((p - y)[bins == b].sum()) for b in range(10)) / len(y)
    assert found["calibration_error"] == pytest.approx(ece, abs=1e-12)


def test_counts_are_of_recordings_and_of_groups():
    told = figures(answers(), FIXED)
    own = answers()
    assert told["n"] == 300 and told["groups"] == 30 and told["positives"] == own.truth.sum()
    assert told["positive_groups"] == len(set(own.groups[own.truth == 1]))


def test_intervals_over_groups_hold_the_truth_about_as_often_as_they_say():
    large = float(np.mean([roc_auc_score((o := answers(20000, 2000, seed)).truth, o.probability) for seed in range(5)]))
    held = 0
    for seed in range(60):
        figure = figures(answers(seed=100 + seed), FIXED)["figures"]["auroc"]
        assert figure["low"] < figure["value"] < figure["high"]
        held += figure["low"] <= large <= figure["high"]
    assert 50 <= held <= 60


def test_what_is_undefined_or_too_little_says_so():
    one = answers().only(answers().truth == 1)
    assert figures(one, FIXED)["figures"]["auroc"]["note"] == "undefined: only one kind is known"
    few = answers(20, 4)
    told = figures(few, FIXED)["figures"]["brier"]
    assert told["value"] is not None and told["low"] is None and "4 groups are too few" in told["note"]


def test_a_threshold_is_where_youdens_index_is_largest_or_the_sensitivity_is_met():
    own = answers()
    y, p = own.truth, own.probability

    def rates(t: float) -> tuple[float, float]:
        return float((p >= t)[y == 1].mean()), float((p < t)[y == 0].mean())

    made = decide(own, Judging(), "validation")
    assert sum(rates(made.threshold)) == pytest.approx(max(sum(rates(t)) for t in np.unique(p)))
    wanted = decide(own, Judging(sensitivity=0.9), "validation").threshold
    last = p[p >= wanted].min()
    assert rates(wanted)[0] >= 0.9 and all(rates(t)[0] < 0.9 for t in np.unique(p) if t > last)
    assert decide(own, Judging(threshold=0.3), "validation").threshold == 0.3


def test_a_temperature_undoes_what_made_probabilities_too_sure():
    own = answers(20000, 2000)
    rng = np.random.default_rng(0)
    true = 1 / (1 + np.exp(-rng.standard_normal(20000)))
    logit = np.log(true) - np.log1p(-true)
    truth = (rng.random(20000) < true).astype(float)
    sure = Answers(truth, 1 / (1 + np.exp(-3 * logit)), own.groups, own.folds, own.ids)
    assert decide(sure, Judging(), "").temperature == pytest.approx(3, rel=0.1)


def test_a_fold_is_judged_by_what_the_others_say():
    rng = np.random.default_rng(0)
    rows = []
    for i in range(90):
        fold, truth = f"fold-{i % 3}", float(i % 2)
        p = float(np.clip(0.5 * truth + 0.2 + 0.2 * rng.random() + (0.1 if fold == "fold-0" else 0.0), 0, 1))
        rows.append(said(truth, p, f"s{i}", f"r{i}", fold))
    made = decisions({"out_of_fold": [Evaluation(predictions=rows)]}, Judging())["ill"]
    others = Answers.of([r for r in rows if r.fold != "fold-0"])["ill"]
    assert made["fold-0"].threshold == decide(others, Judging(), "the other folds").threshold
    assert len({d.threshold for d in made.values()}) > 1 and "other folds" in made["fold-1"].source


def test_validation_decides_and_what_was_decided_before_stays():
    rows = {}
    for part in ("validation", "test"):
        own = [said(float(i % 2), 0.3 + 0.2 * (i % 2), f"{part}{i}", f"{part}{i}") for i in range(40)]
        rows[part] = [Evaluation(predictions=own)]
    told = judge(rows, Judging())
    assert told["decisions"]["ill"][""]["threshold"] == pytest.approx(0.4)
    assert told["parts"]["test"]["recordings"]["ill"]["figures"]["sensitivity"]["value"] == 1
    known = {"ill": {"threshold": 0.9, "temperature": 1.0, "source": "before"}}
    again = judge(rows, Judging(), known)
    assert again["parts"]["test"]["recordings"]["ill"]["figures"]["sensitivity"]["value"] == 0
    made = judge({"test": rows["test"]}, Judging())["decisions"]["ill"][""]
    assert made["threshold"] == 0.5 and "no validation part" in made["source"]


def test_a_group_answers_with_the_mean_logit_and_subgroups_by_themselves():
    rows = [said(float(g % 2), p, f"s{g}", f"r{g}-{i}") for g in range(20) for i, p in enumerate((0.2, 0.5 + 0.02 * g))]
    evaluation = Evaluation(predictions=rows, strata={"sex": {r.id: "mf"[int(r.group[1:]) // 2 % 2] for r in rows}})
    told = judge({"test": [evaluation]}, Judging(subgroups={"sex": ()}))["parts"]["test"]
    assert told["groups"]["ill"]["n"] == 20
    by_hand = [np.mean([np.log(p / (1 - p)) for p in (0.2, 0.5 + 0.02 * g)]) for g in range(20)]
    auroc = roc_auc_score([g % 2 for g in range(20)], by_hand)
    assert told["groups"]["ill"]["figures"]["auroc"]["value"] == pytest.approx(auroc)
    assert {v: own["ill"]["n"] for v, own in told["subgroups"]["sex"].items()} == {"m": 20, "f": 20}


def test_ages_fall_between_bounds():
    judging = Judging(subgroups={"age": (40.0, 60.0), "sex": ()})
    assert [judging.stratum("age", v) for v in (30, 40, 59.5, 60, None)] == [
        "below 40", "from 40 to 60", "from 40 to 60", "from 60", "unknown",
    ]  # fmt: skip
    assert judging.stratum("sex", "m") == "m"
