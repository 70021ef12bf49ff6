"""Figures of labels: equal to scikit-learn's, fixed before they are judged, and with intervals that hold the truth."""

import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    roc_auc_score,
)

from runs_helpers import run_of
from tympan.objectives import Metric
from tympan.objectives.accumulate import Accumulator, scores
from tympan.objectives.decision import Decision
from tympan.runs.clinical import figures, judge
from tympan.runs.decided import Answers, decide, decisions
from tympan.runs.evaluate import Evaluation
from tympan.runs.run import Run
from tympan.runs.said import Said, table
from tympan.runs.sections import Judging

FIXED = {"ill": {"": Decision(0.4, 2.0, "", 0.3)}}


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
    found = {name: f["value"] for name, f in figures([own], FIXED, "ill")["figures"].items()}
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
        "brier_calibrated": brier_score_loss(y, 1 / (1 + np.exp(-logit / 2 - 0.3))),
    }
    for name, value in oracle.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name
    bins = np.minimum((p * 10).astype(int), 9)
    ece = sum(abs((p - y)[bins == b].sum()) for b in range(10)) / len(y)
    assert found["calibration_error"] == pytest.approx(ece, abs=1e-12)


def test_counts_are_of_recordings_and_of_groups():
    told = figures([answers()], FIXED, "ill")
    own = answers()
    assert told["n"] == 300 and told["groups"] == 30 and told["positives"] == own.truth.sum()
    assert told["positive_groups"] == len(set(own.groups[own.truth == 1]))


def test_intervals_over_groups_hold_the_truth_about_as_often_as_they_say():
    large = float(np.mean([roc_auc_score((o := answers(20000, 2000, seed)).truth, o.probability) for seed in range(5)]))
    held = 0
    for seed in range(60):
        figure = figures([answers(seed=100 + seed)], FIXED, "ill")["figures"]["auroc"]
        assert figure["low"] < figure["value"] < figure["high"]
        held += figure["low"] <= large <= figure["high"]
    assert 50 <= held <= 60


@pytest.mark.parametrize("name", ["auroc", "average_precision"])
def test_an_interval_is_that_of_the_other_file(name):
    own = answers(120, 30)
    other = Accumulator(Metric.find(name)(), ["ill"])
    other.update(
        {"ill": own.probability[:, None, None]}, {"ill": own.truth[:, None, None]}, list(own.ids), list(own.groups)
    )
    score, figure = scores([other], 2000)["ill"], figures([own], FIXED, "ill")["figures"][name]
    assert (figure["value"], figure["low"], figure["high"]) == pytest.approx((score.value, score.low, score.high))


def test_what_is_undefined_or_too_little_says_so():
    one = answers().only(answers().truth == 1)
    found = figures([one], FIXED, "ill")["figures"]
    assert found["auroc"]["note"] == found["specificity"]["note"] == f"no negatives among {len(one.truth)}"
    assert found["sensitivity"]["value"] is not None
    nobody = figures([answers()], {"ill": {"": Decision(1.5, 1.0, "")}}, "ill")["figures"]
    assert nobody["positive_predictive_value"]["note"] == "nobody is said to have it"
    assert nobody["negative_predictive_value"]["value"] == pytest.approx(1 - answers().truth.mean())
    few = figures([answers(20, 4)], FIXED, "ill")["figures"]["brier"]
    assert few["value"] is not None and few["low"] is None and few["note"] == "no interval: 4 groups, fewer than 8"
    nothing = figures([Answers.none()], FIXED, "ill")
    assert nothing["n"] == 0 and {f["note"] for f in nothing["figures"].values()} == {"nothing known"}
    own = answers()
    own.probability[3] = np.nan
    broken = figures([own], FIXED, "ill")["figures"]
    assert all(f["value"] is None and f["note"] == "an answer is no number" for f in broken.values())


def test_of_a_subgroup_that_is_too_small_no_figure_is_given():
    own = answers(40, 4)
    assert figures([own], FIXED, "ill", 4)["figures"]["brier"]["value"] is not None
    small = figures([own], FIXED, "ill", 5)
    assert small["n"] == 40 and {f["note"] for f in small["figures"].values()} == {"fewer than 5 groups"}


def test_repeats_are_averaged_and_each_is_decided_by_itself():
    def repeat(seed: int) -> Answers:
        own = answers()
        p = answers(seed=seed).probability
        return Answers(own.truth, p, own.groups, np.array([f"seed-{seed}"] * len(p), object), own.ids)

    made = {"ill": {"seed-1": Decision(0.3, 1.0, ""), "seed-2": Decision(0.6, 1.0, "")}}
    both = figures([repeat(1), repeat(2)], made, "ill")["figures"]
    single = [figures([repeat(seed)], made, "ill")["figures"] for seed in (1, 2)]
    for name, figure in both.items():
        assert figure["value"] == pytest.approx(np.mean([one[name]["value"] for one in single])), name
        assert figure["low"] < figure["value"] < figure["high"]


def test_draws_in_portions_are_alike(monkeypatch):
    whole = figures([answers()], FIXED, "ill")["figures"]
    monkeypatch.setattr("tympan.runs.clinical._AT_ONCE", 300 * 700)
    parts = figures([answers()], FIXED, "ill")["figures"]
    for name in whole:
        assert parts[name]["value"] == whole[name]["value"]
        assert parts[name]["low"] == pytest.approx(whole[name]["low"], abs=0.03)


def test_the_mean_is_over_labels_that_have_both_kinds():
    rng = np.random.default_rng(0)
    rows = []
    for i in range(60):
        for label, truth in (("ill", i % 2), ("dull", i // 2 % 2), ("rare", 0), ("unknown", np.nan)):
            p = np.clip(0.4 + 0.2 * (truth == 1) + 0.2 * rng.standard_normal(), 0.01, 0.99)
            rows.append(said(float(truth), p, f"s{i // 3}", f"r{i}", label=label))
    evaluations = {"test": [Evaluation(predictions=rows)]}
    told = judge(evaluations, Judging(), decisions(evaluations, Judging()))["parts"]["test"]["recordings"]
    mean = told["overall"]["figures"]
    by_label = [told[label]["figures"]["auroc"]["value"] for label in ("ill", "dull")]
    assert mean["auroc"]["value"] == pytest.approx(np.mean(by_label))
    assert mean["auroc"]["low"] < mean["auroc"]["value"] < mean["auroc"]["high"]
    assert mean["auroc"]["note"] == "mean of 2 of 4 labels" and mean["brier"]["note"] == "mean of 3 of 4 labels"
    assert told["rare"]["figures"]["auroc"]["note"] == "no positives among 60"
    assert told["unknown"]["n"] == 0 and told["unknown"]["figures"]["brier"]["note"] == "nothing known"


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


def test_platt_undoes_a_weight_of_positives_and_a_temperature_cannot():
    rng = np.random.default_rng(0)
    logit = rng.standard_normal(20000) - 1
    truth = (rng.random(20000) < 1 / (1 + np.exp(-logit))).astype(float)
    weighted = 1 / (1 + np.exp(-2 * logit - 1.4))  # too sure, and as if positives were four times as many
    names = np.array([f"s{i}" for i in range(20000)], object)
    own = Answers(truth, weighted, names, np.array([""] * 20000, object), names)
    platt, heat, raw = (decide(own, Judging(calibration=kind), "") for kind in ("platt", "temperature", "none"))
    assert platt.temperature == pytest.approx(2, rel=0.05) and platt.bias == pytest.approx(-0.7, abs=0.05)
    assert heat.bias == 0 and (raw.temperature, raw.bias) == (1.0, 0.0)
    losses = [np.mean((one.calibrated(weighted) - truth) ** 2) for one in (platt, heat, raw)]
    assert losses == sorted(losses)


@pytest.mark.parametrize(
    ("sections", "meant"),
    [
        ({}, "temperature"),
        ({"loss": {"type": "bce", "positive_weights": "auto"}}, "platt"),
        ({"loss": {"type": "bce", "focal": 2.0}}, "platt"),
        ({"training": {"balance": "label"}}, "platt"),
        ({"loss": {"type": "bce", "positive_weights": "auto"}, "judging": {"calibration": "none"}}, "none"),
    ],
)
def test_calibration_auto_is_what_the_loss_and_the_batches_need(sections, meant, tmp_path):
    run = run_of(tmp_path, target={"type": "binary", "labels": ["rough"]}, data={"type": "voice"}, **sections)
    assert run.judged.calibration == meant
    assert Run.model_fields["judging"].default.calibration == "auto"


def test_what_is_told_apart_without_a_mistake_is_not_made_certain():
    truth = np.repeat([0.0, 1.0], 10)
    names = np.arange(20).astype(str).astype(object)
    own = Answers(truth, np.where(truth == 1, 0.7, 0.3), names, np.array([""] * 20, object), names)
    for kind in ("temperature", "platt"):
        made = decide(own, Judging(calibration=kind), "")
        assert made.calibrated(np.array([0.7]))[0] == pytest.approx(11 / 12, abs=1e-3)
        assert made.threshold == pytest.approx(0.5)


def test_what_cannot_be_learned_says_why():
    own = answers()
    first = own.groups[own.truth == 1][0]
    cases = {
        "validation has 5 recordings, fewer than 10": own.only(np.arange(300) < 5),
        "validation has only negatives": own.only(own.truth == 0),
        "validation has positives of one group alone": own.only((own.truth == 0) | (own.groups == first)),
        "validation knows nothing of it": None,
    }
    for why, few in cases.items():
        made = decide(few, Judging(), "validation")
        assert (made.threshold, made.temperature, made.bias) == (0.5, 1.0, 0.0)
        assert made.source == f"{why}: threshold 0.5 by default, nothing is calibrated"
    assert decide(None, Judging(threshold=0.3), "validation").threshold == 0.3


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
    first = decisions(rows, Judging())
    assert first["ill"][""].threshold == pytest.approx(0.4)

    def sensitivity(made: dict) -> float:
        told = judge(rows, Judging(), made)["parts"]["test"]
        return told["recordings"]["ill"]["figures"]["sensitivity"]["value"]

    assert sensitivity(first) == 1
    assert sensitivity(decisions(rows, Judging(), {"ill": Decision(0.9, 1.0, "before")})) == 0
    made = decisions({"test": rows["test"]}, Judging())["ill"][""]
    assert made.threshold == 0.5 and made.source.startswith("there is no validation part: threshold 0.5 by default")


def test_each_seed_is_decided_on_its_own_validation():
    rows = {
        part: [
            Evaluation(predictions=[
                said(float(i % 2), shift + 0.2 * (i % 2), f"{part}{i}", f"{part}{i}", f"seed-{n}") for i in range(40)
            ])
            for n, shift in enumerate((0.1, 0.5))
        ]
        for part in ("validation", "test")
    }  # fmt: skip
    made = decisions(rows, Judging())["ill"]
    assert made["seed-0"].threshold == pytest.approx(0.2) and made["seed-1"].threshold == pytest.approx(0.6)
    told = judge(rows, Judging(), {"ill": made})["parts"]["test"]["recordings"]["ill"]
    assert told["figures"]["sensitivity"]["value"] == told["figures"]["specificity"]["value"] == 1


def test_a_group_answers_with_the_mean_logit_and_subgroups_by_themselves():
    rows = [said(float(g % 2), p, f"s{g}", f"r{g}-{i}") for g in range(20) for i, p in enumerate((0.2, 0.5 + 0.02 * g))]
    evaluation = Evaluation(predictions=rows, strata={"sex": {r.id: "mf"[int(r.group[1:]) // 2 % 2] for r in rows}})
    made = {"ill": {"": Decision(0.41, 1.0, "")}}
    told = judge({"test": [evaluation]}, Judging(subgroups={"sex": ()}), made)["parts"]["test"]
    assert told["groups"]["ill"]["n"] == 20
    by_hand = np.array([np.mean([np.log(p / (1 - p)) for p in (0.2, 0.5 + 0.02 * g)]) for g in range(20)])
    truth = np.arange(20) % 2
    figures_of = told["groups"]["ill"]["figures"]
    assert figures_of["auroc"]["value"] == pytest.approx(roc_auc_score(truth, by_hand))
    said_to = by_hand >= np.log(0.41 / 0.59)
    assert figures_of["sensitivity"]["value"] == pytest.approx(said_to[truth == 1].mean())
    assert {v: own["ill"]["n"] for v, own in told["subgroups"]["sex"].items()} == {"m": 20, "f": 20}


def test_predictions_hold_logit_calibrated_probability_and_decision():
    rows = [said(1.0, 0.7, "a", "1"), said(np.nan, 0.2, "b", "2"), said(0.0, 0.7, "a", "1", label="other")]
    found = table(rows, FIXED).to_pydict()
    assert found["prediction"] == [0.7, 0.2, 0.7] and found["decision"] == [1.0, 0.0, None]
    logit = np.log([0.7 / 0.3, 0.2 / 0.8])
    assert found["logit"][:2] == pytest.approx(logit) and found["logit"][2] is None
    assert found["calibrated"][:2] == pytest.approx(1 / (1 + np.exp(-logit / 2 - 0.3)))
    assert "logit" not in table(rows).column_names


def test_ages_fall_between_bounds():
    judging = Judging(subgroups={"age": (40.0, 60.0), "sex": ()})
    assert [judging.stratum("age", v) for v in (30, 40, 59.5, 60, None, np.nan)] == [
        "below 40", "from 40 to 60", "from 40 to 60", "from 60", "unknown", "unknown",
    ]  # fmt: skip
    assert [judging.stratum("sex", v) for v in ("m", 1.0)] == ["m", "1"]
    with pytest.raises(ValueError, match=r"judging.subgroups: age has bounds, and 'old' is no number"):
        judging.stratum("age", "old")


def test_one_rule_decides():
    with pytest.raises(ValueError, match="keep one"):
        Judging(threshold=0.3, sensitivity=0.9)
    with pytest.raises(ValueError):
        Judging(threshold=1.2)
