"""A ridge on spectral peaks hears partials; a run tells what no sound of its data can tell, and the error by strike."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from runs_helpers import run_of, trained
from tympan.runs.audible import unheard
from tympan.runs.check import check
from tympan.runs.prepare import prepare
from tympan.runs.said import beside_of
from tympan.runs.spectral_peaks import COUNT, NUMBERS, spectral_peaks

RATE = 8000.0


def tones(*f: float, seconds: float = 0.5) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    return sum((np.sin(2 * np.pi * x * t + i) / (i + 1) for i, x in enumerate(f)), np.zeros(len(t)))[None]


def test_peaks_are_the_partials_from_the_lowest_on() -> None:
    f = [210.3, 333.3, 1207.0]
    found = spectral_peaks(tones(*f), RATE, RATE / 2)
    assert found.shape == (NUMBERS,)
    assert np.exp(found[:3]) == pytest.approx(f, rel=1e-3)
    assert np.exp(found[3:COUNT]) == pytest.approx([f[-1]] * (COUNT - 3), rel=1e-3), "the last again"
    assert found[COUNT : COUNT + 3] == pytest.approx([1000 / x for x in f], rel=1e-3)
    assert found[2 * COUNT : 2 * COUNT + 3] == pytest.approx(np.log([1, 1 / 2, 1 / 3]), abs=0.02)


def test_nothing_is_heard_above_what_the_features_hear() -> None:
    assert np.exp(spectral_peaks(tones(210.0, 1207.0), RATE, 1000.0)[:COUNT]) == pytest.approx(
        [210.0] * COUNT, rel=1e-3
    )


def test_silence_and_the_shortest_clip_have_numbers() -> None:
    for x in (np.zeros((1, 4000)), np.zeros((2, 1)), np.ones((1, 3))):
        assert np.isfinite(spectral_peaks(x, RATE, RATE / 2)).all()


def test_what_is_known_and_not_asked_has_its_unit() -> None:
    values = {
        "diameter": 0.3,
        "strike_r": 0.5,
        "strike_theta": np.float64(1.0),
        "name": "tom",
        "vertices": np.ones((3, 2)),
    }
    units = {"diameter": "m", "strike_r": "1", "strike_theta": "rad"}
    assert beside_of({**values, "f0": np.nan}, units, {"diameter"}) == {"strike_r": 0.5, "strike_theta (rad)": 1.0}


@pytest.mark.parametrize(("tension", "told"), [(2000.0, False), ([1000.0, 4000.0], True)])
def test_where_tension_is_drawn_only_ranks_of_a_size_can_be_heard(tmp_path: Path, tension: Any, told: bool) -> None:
    data = {"type": "circular_membrane", "size": 40, "sample_rate": 16000, "duration": 0.1, "tension": tension}
    run = run_of(tmp_path, data=data)
    notes = unheard(prepare(run, run.divide()[0]))
    assert [("diameter" in note, "spearman" in note) for note in notes] == [(True, True)] * told
    assert set(notes) <= set(check(run).remarks)
    hertz = run_of(tmp_path, data=data, target={"type": "continuous", "quantities": {"f0": "Hz"}})
    assert not unheard(prepare(hertz, hertz.divide()[0]))


def test_a_run_tells_the_error_by_strike_and_hears_peaks(tmp_path: Path) -> None:
    data = {"type": "circular_membrane", "size": 150, "sample_rate": 16000, "duration": 0.1, "tension": [1900, 2100]}
    result = trained(tmp_path, data=data)
    mae = {who: own["diameter"]["mae"]["value"] for who, own in result.metrics["test"].items()}
    assert mae["baseline/ridge_on_peaks"] < 0.6 * mae["baseline/mean"]
    assert "spearman" in result.metrics["test"]["model"]["diameter"]
    rows = pq.read_table(result.folder / "predictions.parquet").to_pylist()
    assert {key for key, _ in rows[0]["beside"]} == {
        "strike_r", "strike_theta (rad)", "listening_r", "tension (N/m)", "density (kg/m²)", "decay_time (s)", "f0 (Hz)"
    }  # fmt: skip
    text = (result.folder / "report" / "index.html").read_text(encoding="utf-8")
    assert "only ratios and ranks can be heard" in text
    assert len(list((result.folder / "report").glob("diameter-error-by-*.csv"))) == 4
