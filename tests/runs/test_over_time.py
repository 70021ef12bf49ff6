"""Baselines of signals: a mean course, and a ridge that finds a linear law in the last seconds of sound."""

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from runs_helpers import run_of
from tympan.objectives.targets.continuous import Continuous
from tympan.runs import over_time
from tympan.runs.over_time import Course, _means
from tympan.runs.prepare import prepare
from user_parts.crowd import FIR

TARGET = Continuous.model_validate({"quantities": {"level": "uS"}, "rate": 4.0})


def fitted(truth: list[np.ndarray], heard: list[np.ndarray]) -> Any:
    groups = [f"g{i % 6}" for i in range(len(truth))]
    return SimpleNamespace(**over_time.fit(TARGET, [{"level": own} for own in truth], heard, groups))


def test_the_mean_curve_is_the_mean_at_each_time_and_the_level_beyond():
    truth = [np.array([1.0, np.nan, 3.0]), np.array([3.0, 5.0]), np.array([np.nan, 7.0, np.nan, np.nan])]
    heard = [np.random.default_rng(0).normal(size=(2, len(own))).astype(np.float32) for own in truth]
    curve = fitted(truth, heard).mean_curve(np.zeros((2, 6), np.float32))["level"]
    level = np.mean([2.0, 4.0, 7.0])
    assert curve[0].tolist() == pytest.approx([2.0, 6.0, 3.0, level, level, level])


def test_the_lagged_ridge_finds_a_law_of_the_last_seconds():
    rng = np.random.default_rng(0)
    law = np.zeros(17)
    law[4:13] = rng.normal(size=9)  # 1 to 3 s

    def recording(frames: int) -> tuple[np.ndarray, np.ndarray]:
        x = rng.normal(size=(3, frames))
        y = 5 + np.convolve(x[1], law)[:frames]
        y[rng.random(frames) < 0.2] = np.nan
        return y, x.astype(np.float32)

    truth, heard = zip(*(recording(int(rng.integers(80, 160))) for _ in range(40)), strict=True)
    ridge = fitted(list(truth), list(heard)).lagged_ridge
    y, x = recording(200)
    said = ridge(x)["level"][0]
    known = ~np.isnan(y)
    known[:17] = False  # before the sound there was silence, for which the ridge takes the mean
    assert np.corrcoef(said[known], y[known])[0, 1] > 0.999


def test_the_ridge_says_the_mean_where_there_is_nothing_to_find():
    rng = np.random.default_rng(0)
    truth = [3 + rng.normal(size=100) for _ in range(12)]
    heard = [rng.normal(size=(3, 100)).astype(np.float32) for _ in truth]
    said = fitted(truth, heard).lagged_ridge(rng.normal(size=(3, 100)).astype(np.float32))["level"]
    assert said.mean() == pytest.approx(3, abs=0.1) and said.std() < 0.25


def test_solutions_are_those_of_a_ridge_that_is_not_penalised_for_its_level():
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    x, y = rng.normal(2, 1, (50, 4)), rng.normal(size=50)
    z = np.column_stack([x, y, np.ones(50)])
    for penalty, found in zip(over_time._PENALTIES, over_time._solutions(z.T @ z), strict=True):
        right = Ridge(alpha=penalty * 50).fit(x, y)
        assert found[:4] == pytest.approx(right.coef_) and found[5] == pytest.approx(right.intercept_)
        assert found @ z.T @ z @ found == pytest.approx(((right.predict(x) - y) ** 2).sum())


def test_means_over_the_time_of_a_frame_are_exact_for_any_two_rates():
    step, rate = 1 / 30, 4.0
    x = np.arange(90.0)[None] * step  # the middle of each column is its time, so a mean is the middle of what is heard
    found = _means(x, step, -0.5, rate, 14, 3.0)[0]
    assert found[1:12] == pytest.approx(np.arange(1, 12) / rate)
    assert np.isnan(found[13]) and not np.isnan(found[12])


@pytest.mark.parametrize("features", [{"type": "mel", "n_mels": 8}, {"type": "waveform"}])
def test_a_course_hears_the_loudness_of_each_frame(tmp_path: Path, features: dict[str, Any]) -> None:
    data = {"type": "user_parts.crowd", "sample_rate": 4000, "duration": 10.0}
    run = run_of(tmp_path, data=data, features={**features, "normalize": "none", "window": 0.05, "hop": 0.025}
                 if features["type"] == "mel" else {**features, "normalize": "none"},
                 target={"type": "continuous", "quantities": {"level": "uS"}, "rate": 4.0})  # fmt: skip
    with warnings.catch_warnings():
        prepared = prepare(run, run.divide()[0])
        course = Course(prepared.artifact(prepared.pipeline()), 4.0)
    example = prepared.source[0]
    heard = course(example.waveform, 44)
    assert heard.shape == (14, 44) and np.isnan(heard[:, 42:]).all() and not np.isnan(heard[:, :40]).any()
    loudness = prepared.source._loudness(prepared.source._song(0))  # pyright: ignore[reportAttributeAccessIssue]
    assert heard[0, 1:39] == pytest.approx(loudness[1:39], abs=0.05)
    assert len(FIR) < 33
