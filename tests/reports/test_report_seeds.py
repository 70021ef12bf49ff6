"""Plots of labels and classes that several seeds tell count each recording once, by what the seeds say together."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from tympan.reports import page

SEEDS, RECORDINGS = 3, 40
IDS = [f"r{i}" for i in range(RECORDINGS)]


def saved(tmp_path: Path, repeats: list[list[dict[str, object]]]) -> Path:
    rows = [
        {"repeat": r, "split": "test", "group": "g", "output": "x", "unit": "", "time": None, **row}
        for r, own in enumerate(repeats)
        for row in own
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "predictions.parquet")
    return tmp_path / "predictions.parquet"


def label(p: float, truth: float, **more: object) -> dict[str, object]:
    return {"space": "binary", "truth": truth, "prediction": p, "truth_label": None, "label": None, **more}


def told(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = (np.arange(RECORDINGS) % 3 == 0).astype(float)
    return truth, rng.normal(truth - 0.5, 1.5, (SEEDS, RECORDINGS))


def test_a_label_of_several_seeds_is_drawn_by_the_mean_logit_of_each_recording(tmp_path: Path) -> None:
    truth, logit = told()
    p = 1 / (1 + np.exp(-logit))
    repeats = [[label(x, t, id=i) for x, t, i in zip(own, truth, IDS, strict=True)] for own in p]
    repeats[1].reverse()  # the order of rows is no promise
    plots = {one.name: one for one in page._predictions(saved(tmp_path, repeats), "test", ())["x"]}
    assert f"area under the curve {roc_auc_score(truth, logit.mean(0)):.4f}" in plots["x-roc"].alt
    assert sum(plots["x-scores"].table["positives"]) == truth.sum()
    assert sum(plots["x-scores"].table["negatives"]) == RECORDINGS - truth.sum()
    assert sum(plots["x-calibration"].table["count"]) == RECORDINGS
    assert all(
        one.caption.endswith("Each recording counts once, by the mean logit of 3 seeds.") for one in plots.values()
    )


def test_a_class_of_several_seeds_is_that_of_the_mean_log_probability(tmp_path: Path) -> None:
    names = ["a", "b", "c"]

    def one(id: str, truth: int, p: list[float]) -> dict[str, object]:
        best = int(np.argmax(p))
        told = {"truth": float(truth), "prediction": float(best), "truth_label": names[truth], "label": names[best]}
        return {"id": id, "space": "class", "probabilities": p, **told}

    first = [one("r", 1, [0.6, 0.3, 0.1]), one("s", 2, [0.1, 0.2, 0.7])]
    second = [one("r", 1, [0.2, 0.7, 0.1]), one("s", 2, [0.5, 0.1, 0.4])]
    confusion, diagram = page._predictions(saved(tmp_path, [first, second]), "test", ())["x"]
    assert confusion.table == {"true x": ["b", "c"], "b": [1, 0], "c": [0, 1]}
    b = np.sqrt([0.12, 0.21, 0.01])
    c = np.sqrt([0.05, 0.02, 0.28])
    assert diagram.table["mean_probability"] == pytest.approx([(b[1] / b.sum() + c[2] / c.sum()) / 2])
    assert confusion.caption.endswith("by the mean log-probability of 2 seeds.")


def test_frames_count_once_and_one_seed_or_unlike_recordings_stay_as_they_are(tmp_path: Path) -> None:
    truth, logit = told()
    p = 1 / (1 + np.exp(-logit))
    frames = [[label(x, t, id=IDS[n // 4], time=n % 4 / 10) for n, (x, t) in enumerate(zip(own, truth, strict=True))]
              for own in p]  # fmt: skip

    def counts(repeats: list[list[dict[str, object]]]) -> tuple[int, str]:
        calibration = page._predictions(saved(tmp_path, repeats), "test", ())["x"][2]
        return sum(calibration.table["count"]), calibration.caption

    assert counts(frames)[0] == RECORDINGS and "Each frame counts once" in counts(frames)[1]
    assert counts(frames[:1])[0] == RECORDINGS and "once" not in counts(frames[:1])[1]
    assert counts([frames[0], frames[1][4:]])[0] == 2 * RECORDINGS - 4
