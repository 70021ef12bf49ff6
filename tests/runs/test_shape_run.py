"""A run whose target is a shape: trained, beside its baselines, drawn, and asked for polygons."""

import json

import numpy as np
import pytest
import shapely

from runs_helpers import trained
from tympan.data import audio
from tympan.serving.answer import predict
from tympan.serving.artifact import Artifact

RECTANGLES = {
    "data": {"type": "user_parts.rectangles", "size": 80, "sample_rate": 8000, "duration": 0.1, "mean_side": 0.3},
    "features": {"type": "spectrogram", "window": 0.1, "hop": 0.05},
    "model": {"type": "cnn", "width": 32, "layers": 1, "stride": 1},
    "target": None,
    "targets": {
        "shape": {"target": {"type": "shape", "points": 32, "corners": 4}, "metrics": ["overlap", "radial_error"]},
        "size": {"target": {"type": "continuous", "quantities": {"aspect_ratio": "1"}}, "metrics": ["mae"]},
    },
    "training": {"max_epochs": 2, "batch_size": 16},
    "logging": {"worst_examples": 1},
}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("shapes"), **RECTANGLES)


def test_a_shape_is_scored_beside_the_mean_shape_and_a_ridge(result):
    scores = {who: own["vertices"] for who, own in result.metrics["test"].items() if "vertices" in own}
    assert set(scores) == {"model", "baseline/mean", "baseline/ridge", "baseline/ridge_on_peaks"}
    overlap = {who: own["overlap"]["value"] for who, own in scores.items()}
    assert all(0 < value < 1 for value in overlap.values())
    assert overlap["baseline/ridge"] > overlap["baseline/mean"] > 0.5, "proportions are heard in the partials"
    assert scores["model"]["radial_error"]["unit"] == "%"
    assert scores["baseline/mean"]["overlap"]["difference"]["value"] is not None


def test_the_report_draws_outlines_and_says_how_much_is_in_common(result):
    page = result.paths["report"].read_text(encoding="utf-8")
    for words in ("pairs of outlines of vertices", "of the area covered is in common", "overlaps of vertices"):
        assert words in page
    assert "outlines with radii" in json.dumps(json.loads((result.folder / "summary.json").read_text()))
    assert "an outline of unit area" in (result.folder / "model" / "README.md").read_text(encoding="utf-8")


def test_an_answer_is_one_row_with_a_polygon_of_unit_area(result, tmp_path):
    artifact = Artifact.load(result.folder)
    sound = tmp_path / "drum.wav"
    tone = (0.5 * np.sin(np.arange(800) / 3))[None].astype(np.float32)
    audio.write(sound, tone, 8000, "PCM_16")
    (row,) = predict(artifact, [str(sound)])
    polygon = shapely.from_wkt(row["vertices"])
    assert polygon.area == pytest.approx(1, abs=1e-3)
    assert len(polygon.exterior.coords) == 5
    assert isinstance(row["aspect_ratio (1)"], float)
