"""What every target promises, and what each kind reads and refuses."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import shapely
import torch

from tympan.component import AssumptionWarning
from tympan.objectives import Loss, Metric, Target


@dataclass
class Sample:
    """A configuration, training values to fit it with, and the truth that the first of them stands for."""

    config: dict[str, Any]
    training: list[dict[str, Any]]
    truth: dict[str, list[float]]
    tolerance: float = 0.0


SAMPLES = {
    "continuous": [
        Sample(
            {"quantities": {"diameter": "m", "aspect": ""}},
            [{"diameter": 0.3, "aspect": "1.5"}, {"diameter": 0.4, "aspect": 2}, {"diameter": None}],
            {"diameter": [0.3], "aspect": [1.5]},
            1e-6,
        ),
        Sample(
            {"quantities": {"frequency": "Hz"}, "scale": "log"},
            [{"frequency": 440.0}, {"frequency": 55}, {"frequency": 1.0}],
            {"frequency": [440.0]},
            1e-3,
        ),
        Sample(
            {"quantities": {"eda": "µS"}, "rate": 4},
            [{"eda": np.array([1e4 + 1, np.nan, 1e4 + 2])}, {"eda": np.array([1e4])}],
            {"eda": [1e4 + 1, np.nan, 1e4 + 2]},
            1e-3,
        ),
    ],
    "binary": [
        Sample({}, [{"a": True, "b": "0"}, {"a": 0, "c": "TRUE", "b": np.float32("nan")}], {"a": [1], "b": [0]}),
        Sample({"labels": ["b"]}, [{"a": "free text", "b": "0"}], {"b": [0]}),
        Sample(
            {"rate": 10},
            [{"voiced": np.array([0, 1, np.nan]), "loud": [True, None, "false"]}],
            {"voiced": [0, 1, np.nan], "loud": [1, np.nan, 0]},
        ),
    ],
    "quantised": [
        Sample(
            {"quantities": {"eda": "µS"}, "rate": 4, "levels": 16},
            [{"eda": np.array([3.0, np.nan, 5.0, -1.0])}, {"eda": np.array([2.5])}],
            {"eda": [3.0, np.nan, 5.0, -1.0]},
            1e-5,
        ),
        # What lies beyond the limits is a little less exact, and what lies far beyond still counts.
        Sample(
            {"quantities": ["d"], "levels": 2, "limits": [0.0, 1.0]}, [{"d": -7.0}, {"d": 0.5}], {"d": [-7.0]}, 1e-4
        ),
        Sample({"quantities": ["d"], "levels": 256, "limits": [0.0, 1.0]}, [{"d": 1.5}], {"d": [1.5]}, 2e-3),
    ],
    "pitch": [
        Sample({}, [{"f0": 440.0}, {"f0": None}], {"f0": [440.0]}, 1e-3),
        Sample({}, [{"f0": 31.6}], {"f0": [31.6]}, 1e-3),  # at the end of the lowest bin
        Sample(
            {"column": "melody", "rate": 100, "lowest": 60.0, "bins": 400},
            [{"melody": np.array([60.0, 0.0, np.nan, 4186.0])}],
            {"melody": [60.0, np.nan, np.nan, 4186.0]},
            1e-2,
        ),
    ],
    "shape": [
        Sample(
            {"points": 8},
            # Upright, 2 m by 4 m: of its area, the sectors beside the long axis have 3/16 each, the others 1/16.
            [{"vertices": [[90, 90], [92, 90], [92, 94], [90, 94]]}, {"vertices": np.eye(3)[:, :2]}],
            {"vertices": [np.sqrt(8 * share / 16 / np.pi) for share in (3, 1, 1, 3, 3, 1, 1, 3)]},
            1e-6,
        ),
    ],
    "categorical": [
        Sample({"column": "shape"}, [{"shape": "star"}, {"shape": "circle"}, {"shape": ""}], {"shape": [1]}),
        Sample({"column": "part"}, [{"part": 2.0}, {"part": "10"}, {"part": float("nan")}], {"part": [0]}),
        Sample({"column": "x", "classes": [3, 1]}, [{"x": 1}, {"x": "3"}], {"x": [1]}),
        Sample(
            {"column": "chord", "rate": 2}, [{"chord": ["G", "", "C"]}, {"chord": ["C"]}], {"chord": [1, np.nan, 0]}
        ),
    ],
}


def samples(name: str) -> list[Sample]:
    assert name in SAMPLES, f"add a sample of target {name!r} to SAMPLES in {__file__}"
    return SAMPLES[name]


def fitted(name: str, sample: Sample) -> Target:
    return Target.model_validate({"type": name, **sample.config}).fit(sample.training)


every = pytest.mark.parametrize("name", Target.names())


@every
def test_truth_of_the_encoded_values_is_the_values(name):
    for sample in samples(name):
        target = fitted(name, sample)
        encoded = target.encode(sample.training[0])
        truth = target.truth(encoded[None])
        assert tuple(truth) == target.outputs
        for output, expected in sample.truth.items():
            assert truth[output].shape == (1, 1, len(expected))
            np.testing.assert_allclose(truth[output][0, 0], expected, rtol=0, atol=sample.tolerance)


@every
def test_what_is_missing_is_unknown(name):
    for sample in samples(name):
        target = fitted(name, sample)
        for nothing in ({}, *({k: v for k in sample.training[0]} for v in (None, "", float("nan")))):
            assert target.encode(nothing).isnan().all()


@every
def test_fit_survives_json_and_a_second_fit(name):
    for sample in samples(name):
        target = fitted(name, sample)
        again = Target.model_validate_json(target.model_dump_json())
        assert again == target == target.fit(sample.training)
        np.testing.assert_array_equal(again.encode(sample.training[0]), target.encode(sample.training[0]))


@every
def test_signal_prediction_and_columns_agree(name):
    for sample in samples(name):
        target = fitted(name, sample)
        signal = target.signal(2.0)
        values = len(sample.truth[target.outputs[0]]) if target.space == "shape" else signal.frames
        decoded = target.decode(torch.randn(3, len(signal.channels), signal.frames))
        assert tuple(decoded) == target.outputs == tuple(target.unit)
        assert all(d.shape[0] == 3 and d.shape[2] == values and np.isfinite(d).all() for d in decoded.values())
        table = target.columns({output: d[0] for output, d in decoded.items()})
        assert {len(column) for column in table.values()} == {signal.frames}
        for output in target.outputs:
            (heading,) = [h for h in table if h.split(" (")[0] == output]
            assert target.unit[output] in heading


@every
def test_default_loss_and_metrics_are_for_the_target(name):
    target = Target.find(name)
    assert Loss.find(target.default_loss).space == (target.loss_space or target.space)
    assert all(
        target.space in Metric.find(metric).spaces
        for metric in (*target.default_metrics, *(target.metrics_over_time or ()))
    )


def test_the_network_sees_zero_mean_and_unit_deviation():
    values = [{"d": x, "eda": y} for x, y in zip(range(1, 9), "31415926", strict=True)]
    for scale in ("linear", "log"):
        target = Target.model_validate({"type": "continuous", "quantities": ["d", "eda"], "scale": scale}).fit(values)
        x = torch.stack([target.encode(v) for v in values])
        np.testing.assert_allclose(x.mean(0), np.zeros((2, 1)), atol=1e-6)
        np.testing.assert_allclose(x.std(0, correction=0), np.ones((2, 1)), atol=1e-6)


def test_columns_have_units_and_times():
    target = Target.model_validate({"type": "continuous", "quantities": {"eda": "µS"}, "rate": 4})
    assert target.columns({"eda": np.array([[1.0, 2.0, 3.0]])}) == {
        "time (s)": [0.0, 0.25, 0.5],
        "eda (µS)": [1.0, 2.0, 3.0],
    }
    target = Target.model_validate({"type": "categorical", "column": "shape", "classes": ["a", "b"]})
    decoded = target.decode(torch.tensor([[[0.0], [torch.log(torch.tensor(3.0))]]]))
    table = target.columns({k: v[0] for k, v in decoded.items()})
    assert table["shape"] == ["b"]
    assert table["shape probability"] == pytest.approx([0.75])


def test_binary_decodes_to_probabilities():
    target = Target.model_validate({"type": "binary", "labels": ["a", "b"]})
    decoded = target.decode(torch.tensor([[[0.0], [-1000.0]]]))
    assert (decoded["a"].item(), decoded["b"].item()) == (0.5, 0.0)


@pytest.mark.parametrize("levels", [2, 7, 64])
def test_a_quantity_has_the_level_that_it_lies_in(levels):
    target = Target.model_validate({"type": "quantised", "quantities": ["d"], "levels": levels, "limits": [-1, 3]})
    values = np.random.default_rng(0).uniform(-2, 4, 1000)
    found = [target.encode({"d": v}).item() for v in values]
    edges = np.linspace(-1, 3, levels + 1)[1:-1]
    np.testing.assert_array_equal(np.floor(found), np.searchsorted(edges, values))


def test_what_is_expected_of_levels_is_decoded_and_fed_back():
    target = Target.model_validate({"type": "quantised", "quantities": ["d"], "levels": 4, "limits": [0, 8]})
    even = torch.zeros(1, 4, 1)
    sure = torch.tensor([0.0, 0.0, 1e4, 0.0])[None, :, None]
    assert target.decode(even)["d"].item() == pytest.approx(4.0)
    assert target.decode(sure)["d"].item() == pytest.approx(5.0)
    assert target.past_of_prediction(even).item() == pytest.approx(0.0)
    for value in (5.0, 1.0, 7.0):
        level = torch.nn.functional.one_hot(target.encode({"d": value}).long(), 4).transpose(1, 2) * 1e4
        truth = target.past_of_truth(target.encode({"d": value})[None])
        assert truth.item() == pytest.approx(3 * (value / 4 - 1))
        assert target.past_of_prediction(level.float()).item() == pytest.approx(truth.item())
    assert [target.past_of_truth(target.encode({"d": v})[None]).item() for v in (-100.0, 100.0)] == [-3, 3]


def test_limits_leave_out_the_tails():
    target = Target.model_validate({"type": "quantised", "quantities": ["d"], "tail": 0.1})
    assert target.fit([{"d": float(v)} for v in range(11)]).limits == pytest.approx((1.0, 9.0))


def test_classes_that_are_numbers_are_in_numerical_order():
    target = Target.model_validate({"type": "categorical", "column": "x"})
    assert target.fit([{"x": v} for v in (10, "9", 1.0)]).classes == ("1", "9", "10")
    assert target.fit([{"x": v} for v in (10, "9", "b")]).classes == ("10", "9", "b")


def test_a_constant_quantity_is_said():
    target = Target.model_validate({"type": "continuous", "quantities": ["d"]})
    with pytest.warns(AssumptionWarning, match="'d' is the same"):
        assert target.fit([{"d": 0.1}] * 3).std == (1.0,)


def test_levels_of_a_constant_quantity_are_said():
    target = Target.model_validate({"type": "quantised", "quantities": ["d"]})
    with pytest.warns(AssumptionWarning, match="'d' is nearly always 0.1"):
        assert target.fit([{"d": 0.1}] * 3).limits == pytest.approx((-0.4, 0.6))


@pytest.mark.parametrize(
    ("config", "values", "message"),
    [
        ({"type": "continuous", "quantities": ["d"]}, {"d": "wide"}, "'d' is 'wide', which is no number"),
        ({"type": "continuous", "quantities": ["d"]}, {"d": float("inf")}, "'d' is infinite"),
        ({"type": "continuous", "quantities": ["d"]}, {"d": np.zeros((2, 2))}, "'d' is an array of shape"),
        ({"type": "continuous", "quantities": ["d"]}, {"d": [1.0, 2.0]}, "'d' has 2 frames, and no `rate`"),
        ({"type": "continuous", "quantities": ["d"], "rate": 4}, {"d": 3}, "'d' is the one value 3, and `rate`"),
        ({"type": "continuous", "quantities": ["d"], "scale": "log"}, {"d": 0}, "'d' is 0.0, which has no logarithm"),
        (
            {"type": "continuous", "quantities": ["d", "e"], "rate": 4},
            {"d": [1.0, 2.0], "e": [1.0, 2.0, 3.0]},
            "different numbers of frames",
        ),
        ({"type": "binary", "labels": ["a"]}, {"a": 0.5}, "label 'a' is 0.5, which is neither 0 nor 1"),
        ({"type": "binary", "labels": ["a"]}, {"a": "yes"}, "label 'a' is 'yes'"),
        ({"type": "binary", "labels": ["a"], "rate": 1}, {"a": [0, 2]}, "label 'a' is .0, 2., which is neither"),
        ({"type": "binary", "labels": ["a"], "rate": 1}, {"a": 1}, "label 'a' is the one value 1, and `rate`"),
        ({"type": "shape"}, {"vertices": "round"}, "shape 'vertices': could not convert"),
        (
            {"type": "shape", "column": "v"},
            {"v": [[0, 0], [1, 1], [2, 2]]},
            "shape 'v': the outline of a",
        ),
        (
            {"type": "categorical", "column": "c", "classes": ["drum", "bell"]},
            {"c": "drun"},
            "drum, bell; did you mean",
        ),
        ({"type": "pitch"}, {"f0": 4186.0}, "'f0' is 4186 Hz, and the bins go from 31.52 to 2017.11 Hz; set `lowest`"),
        ({"type": "pitch"}, {"f0": -1.0}, "'f0' is -1 Hz"),
        ({"type": "pitch", "rate": 100}, {"f0": 440.0}, "'f0' is the one value 440.0, and `rate`"),
    ],
)
def test_values_that_cannot_be_held_are_named(config, values, message):
    with pytest.raises(ValueError, match=message):
        Target.model_validate(config).encode(values)


@pytest.mark.parametrize(
    ("config", "training", "message"),
    [
        ({"type": "continuous", "quantities": ["d"]}, [{"e": 1}], "'d' is unknown in every training example"),
        ({"type": "binary", "labels": ["a", "b"]}, [{"a": 1, "b": None}], "'b' is unknown in every training example"),
        ({"type": "quantised", "quantities": ["d"]}, [{"e": 1}], "'d' is unknown in every training example"),
        ({"type": "binary"}, [], "without any label"),
        ({"type": "binary"}, [{"overall": 1}], "may be called 'overall'"),
        ({"type": "pitch"}, [{"f0": None}, {"f0": 0}], "'f0' is unknown in every training example"),
        ({"type": "categorical", "column": "c"}, [{"c": "a"}, {"c": None}], "holds 1 classes"),
        ({"type": "categorical", "column": "c", "classes": ["a", "b"]}, [{"c": "z"}], "none of the classes a, b"),
    ],
)
def test_training_parts_that_cannot_be_learned_from_are_refused(config, training, message):
    with pytest.raises(ValueError, match=message):
        Target.model_validate(config).fit(training)


@pytest.mark.parametrize(
    "config",
    [
        {"type": "continuous", "quantities": {}},
        {"type": "continuous", "quantities": ["d", "d"]},
        {"type": "continuous", "quantities": ["d"], "rate": 0},
        {"type": "continuous", "quantities": ["d"], "mean": [1.0], "std": [0.0]},
        {"type": "continuous", "quantities": ["d"], "mean": [1.0, 2.0], "std": [1.0, 1.0]},
        {"type": "binary", "labels": ["a", " "]},
        {"type": "shape", "rate": 4},
        {"type": "shape", "points": 4},
        {"type": "shape", "corners": 2},
        {"type": "quantised", "quantities": ["d", "e"]},
        {"type": "quantised", "quantities": ["d"], "limits": [1.0, 1.0]},
        {"type": "quantised", "quantities": ["d"], "limits": [1.0]},
        {"type": "pitch", "fmax": 4000.0},
        {"type": "pitch", "fmin": 20.0},
        {"type": "pitch", "fmin": 400.0, "fmax": 300.0},
        {"type": "pitch", "decoding": "viterbi"},
        {"type": "categorical", "column": "c", "classes": ["a"]},
        {"type": "categorical", "column": "c", "classes": ["1", 1.0]},
    ],
)
def test_configurations_without_meaning_are_refused(config):
    with pytest.raises(ValueError):
        Target.model_validate(config)


def test_one_level_is_refused_with_the_reason():
    with pytest.raises(ValueError, match="a softmax over one channel is 1 whatever"):
        Target.model_validate({"type": "quantised", "quantities": ["d"], "levels": 1})


def test_levels_without_limits_mean_nothing_yet():
    with pytest.raises(ValueError, match="set `limits`, or call fit"):
        Target.model_validate({"type": "quantised", "quantities": ["d"]}).encode({"d": 1.0})


@pytest.mark.parametrize("config", [{"type": "binary"}, {"type": "categorical", "column": "c"}])
def test_what_is_not_fitted_has_no_signal(config):
    with pytest.raises(ValueError, match="call fit"):
        Target.model_validate(config).signal(1.0)


def test_a_shape_is_encoded_alike_however_it_is_drawn_turned_and_mirrored():
    target = Target.model_validate({"type": "shape", "points": 64})
    kite = np.array([[2.0, 0.2], [0.1, 1.0], [-1.0, -0.1], [0.0, -0.7]])
    z = 2.1
    rotation = np.array([[np.cos(z), np.sin(z)], [-np.sin(z), np.cos(z)]])
    expected = target.encode({"vertices": kite})
    for same in (kite[::-1], np.roll(kite, 2, 0), 7 * kite + 3, kite @ rotation, kite * [1, -1]):
        np.testing.assert_allclose(target.encode({"vertices": same}), expected, atol=2e-3)
    assert expected.exp().mean().item() == pytest.approx(1)


def test_whatever_is_said_of_a_shape_is_an_outline_of_unit_area():
    target = Target.model_validate({"type": "shape", "points": 64, "corners": 5})
    decoded = target.decode(3 * torch.randn(1, 64, 1, generator=torch.Generator().manual_seed(0)))["vertices"]
    assert (decoded > 0).all()
    assert np.pi * (decoded**2).mean() == pytest.approx(1)
    (text,) = target.columns({"vertices": decoded[0]})["vertices"]
    polygon = shapely.from_wkt(text)
    assert len(polygon.exterior.coords) == 6
    assert polygon.area == pytest.approx(1, abs=1e-3)
