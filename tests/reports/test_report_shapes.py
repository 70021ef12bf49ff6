"""Drawings of true and predicted drums show the pairs that they say, as they fit best."""

import numpy as np
import pytest
import shapely

from tympan.reports.plots import drums, shape

POINTS = 32


def outlines(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Columns of predictions.parquet: answers that are off by more and more, each turned by a few sectors."""
    rng = np.random.default_rng(seed)
    z = np.arange(1, 4)[:, None] * np.arange(POINTS) * 2 * np.pi / POINTS
    bumps, errors = (rng.normal(0, 0.15, (n, 3)) @ np.cos(z + rng.uniform(0, 6, (3, 1))) for _ in range(2))
    truth, said = np.exp([bumps, bumps + np.linspace(0, 2, n)[:, None] * errors])
    truth, said = (r / np.sqrt((r**2).mean(1, keepdims=True) * np.pi) for r in (truth, np.roll(said, 3, 1)))
    ids = np.repeat([f"secret {i}" for i in range(n)], POINTS)
    return {"id": ids, "truth": truth.ravel(), "prediction": said.ravel()}


def corners(plot: shape.Plot, pair: int, outline: str) -> np.ndarray:
    table = plot.table
    rows = [k for k in range(len(table["x"])) if (table["pair"][k], table["outline"][k]) == (pair, outline)]
    return np.array([(table["x"][k], table["y"][k]) for k in rows])


def test_the_worst_the_middling_and_the_best_outlines_are_drawn_with_their_overlap():
    gallery, histogram = shape.draw("vertices", "", outlines(30))
    titles = list(dict.fromkeys(zip(gallery.table["pair"], gallery.table["title"], strict=True)))
    assert [title.split(",")[0] for _, title in titles] == ["worst"] * 3 + ["median"] * 3 + ["best"] * 3
    shares = [float(title.split(" ")[1].rstrip("%")) / 100 for _, title in titles]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    one, two = (shapely.Polygon(corners(gallery, 5, who)) for who in ("truth", "answer"))
    assert one.area == pytest.approx(two.area) == pytest.approx(1)
    assert one.intersection(two).area / one.union(two).area == pytest.approx(shares[4], abs=0.03)
    assert sum(histogram.table["count"]) == 30
    assert "secret" not in gallery.svg


@pytest.mark.parametrize("n", [1, 2, 4])
def test_few_answers_are_drawn_once_each(n):
    gallery, _ = shape.draw("vertices", "", outlines(n))
    assert max(gallery.table["pair"]) == n


def test_unknown_outlines_are_left_out():
    rows = outlines(2)
    rows["truth"][:] = np.nan
    assert shape.draw("vertices", "", rows) == []
    broken = {"output": "vertices", "truth": [0.5] * POINTS, "prediction": [None] * POINTS}
    assert shape.one("worst-1", broken) is None


def test_circles_and_rectangles_overlap_as_shapely_says():
    truth, said = np.array([0.3, 0.5, 1.0]), np.array([0.33, 0.5, 0.5])
    plots = drums.draw({"diameter": {"truth": truth, "prediction": said}})
    ((gallery,),) = plots.values()
    assert gallery.table["title"][0] == "worst, 25.0%\n1 → 0.5"
    answers = {
        "mean_side": {"truth": np.array([1.0, 0.4]), "prediction": np.array([1.1, np.nan])},
        "aspect_ratio": {"truth": np.array([2.0, 1.0]), "prediction": np.array([1.5, 1.0])},
    }
    ((gallery,),) = drums.draw(answers).values()
    one, two = (shapely.Polygon(corners(gallery, 1, who)) for who in ("truth", "answer"))
    assert (one.area, two.area) == pytest.approx((1.0, 1.21))
    expected = one.intersection(two).area / one.union(two).area
    assert gallery.table["title"][0].startswith(f"worst, {expected:.1%}")
    assert drums.draw({"mean_side": answers["mean_side"]}) == {}
    assert drums.draw({"diameter": {"truth": np.array([0.3]), "prediction": np.array([-1.0])}}) == {}
