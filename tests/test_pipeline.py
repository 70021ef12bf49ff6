"""The pipeline: features, backbone and heads as one module, the same in training and in serving."""

import pytest
import torch

from tympan.data.augmentations import Augmentation
from tympan.features import Feature
from tympan.models import Model
from tympan.objectives import Metric, Target
from tympan.output import Output
from tympan.pipeline import Pipeline
from tympan.runs.conflicts import check_outputs
from tympan.signals import Signal

torch.set_num_threads(1)

AUDIO = Signal(("mono",), 1000.0, 1.0)
SIZE = {"type": "continuous", "quantities": {"size": "m"}}
CURVE = {"type": "continuous", "quantities": ["eda"], "rate": 5}
CLASS = {"type": "categorical", "column": "kind", "classes": ["p", "q", "r"]}


def output(fields: dict, **more: object) -> Output:
    return Output.model_validate({"target": fields, **more})


def pipeline(
    augmentations=(), outputs: dict[str, Output] | None = None, feature: dict | None = None, **more
) -> Pipeline:
    torch.manual_seed(0)
    return Pipeline(
        AUDIO,
        more.pop("padding", "left"),
        Feature.model_validate(feature or {"type": "waveform", "standardize": "clip"}),
        Model.model_validate({"type": "cnn", "width": 8, "layers": 3}),
        outputs or {"size": output(SIZE)},
        [Augmentation.model_validate(a) for a in augmentations],
        **more,
    )


def sound(n: int = 4, samples: torch.Tensor | None = None) -> torch.Tensor:
    x = torch.randn(n, 1, 1000, generator=torch.Generator().manual_seed(1))
    if samples is not None:
        x = x * (torch.arange(1000) >= 1000 - samples[:, None])[:, None]
    return x


def key(*pairs: tuple[int, int]) -> torch.Tensor:
    return torch.tensor(pairs)


def test_every_output_is_predicted_in_the_frames_of_its_target() -> None:
    outputs = {"size": output(SIZE), "curve": output(CURVE), "kind": output(CLASS)}
    made = pipeline(outputs=outputs)
    prediction = made(sound())["prediction"]
    assert {n: tuple(p.shape) for n, p in prediction.items()} == {
        "size": (4, 1, 1),
        "curve": (4, 1, 5),
        "kind": (4, 3, 1),
    }
    said = made.predict(sound())
    assert said["size"]["size"].shape == (4, 1, 1)
    assert said["kind"]["kind"].sum(1).round(6).tolist() == [[1.0]] * 4
    assert made.embed(sound()).shape == (4, 8)


def test_the_loss_is_the_weighted_sum_over_outputs() -> None:
    truth = {"a": torch.zeros(4, 1, 1), "b": torch.ones(4, 1, 5)}
    made = pipeline(outputs={"a": output(SIZE, weight=3.0), "b": output(CURVE, weight=0.5)})
    out = made(sound(), truth)
    a, b = ((out["prediction"][n] - truth[n]).square().mean() for n in truth)
    torch.testing.assert_close(out["loss"], 3 * a + 0.5 * b)


def test_what_is_unknown_gives_no_gradient() -> None:
    made = pipeline()
    made(sound(), {"size": torch.full((4, 1, 1), float("nan"))})["loss"].backward()
    assert all(p.grad is None or not p.grad.any() for p in made.parameters())
    truth = torch.tensor([1.0, float("nan"), float("nan"), 2.0])[:, None, None]
    made(sound(), {"size": truth})["loss"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in made.parameters())


@pytest.mark.parametrize("over", ["clip", "channel"])
@pytest.mark.parametrize("padding", ["left", "right"])
def test_standardising_ignores_padding(over: str, padding: str) -> None:
    made = pipeline(feature={"type": "waveform", "standardize": over, "normalize": "none"}, padding=padding)
    samples = torch.tensor([1000, 500, 100, 3])
    x = 5 * sound() + 2
    there = torch.arange(1000) >= 1000 - samples[:, None]
    there = there if padding == "left" else there.flip(1)
    y, real = made.represent(x * there[:, None], samples=samples)
    assert real.equal(there)
    assert not y[~there[:, None]].any()
    for row, mask in zip(y[:, 0], there, strict=True):
        assert abs(float(row[mask].mean())) < 1e-4
        assert abs(float(row[mask].std(correction=0)) - 1) < 1e-3


def test_more_padding_changes_no_prediction() -> None:
    made = pipeline().eval()
    short = sound(2)[:, :, :504]
    samples = torch.tensor([504, 504])
    with torch.no_grad():
        padded = made(torch.nn.functional.pad(short, (496, 0)), samples=samples)["prediction"]["size"]
        cut = made(short)["prediction"]["size"]
    torch.testing.assert_close(padded, cut, atol=1e-4, rtol=1e-4)


def test_loudness_does_not_matter_where_the_peak_is_normalised() -> None:
    made = pipeline(feature={"type": "waveform", "standardize": "none"}).eval()
    torch.testing.assert_close(made(sound())["prediction"], made(0.01 * sound())["prediction"])
    loud = pipeline(feature={"type": "waveform", "standardize": "none", "normalize": "none"}).eval()
    assert (loud(sound())["prediction"]["size"] - loud(9 * sound())["prediction"]["size"]).abs().max() > 1e-3


def test_silence_is_answered() -> None:
    made = pipeline()
    out = made(torch.zeros(2, 1, 1000), {"size": torch.zeros(2, 1, 1)}, samples=torch.tensor([1000, 0]))
    out["loss"].backward()
    assert out["loss"].isfinite()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in made.parameters())


AUGMENTATIONS = ({"type": "gain"}, {"type": "time_shift", "max_shift": 0.2}, {"type": "gain", "p": 0.5})


def test_augmentations_depend_on_seed_epoch_and_index_alone() -> None:
    made = pipeline(AUGMENTATIONS, feature={"type": "waveform", "normalize": "none"})
    x = sound()
    keys = key((0, 5), (0, 6), (1, 5), (7, 0))
    together = made.represent(x, keys)[0]
    alone = torch.cat([made.represent(x[i : i + 1], keys[i : i + 1])[0] for i in range(4)])
    backwards = made.represent(x.flip(0), keys.flip(0))[0].flip(0)
    assert together.equal(alone)
    assert together.equal(backwards)
    same = made.represent(x[:1].expand(4, -1, -1), keys)[0]
    assert not same[0].equal(same[1])
    assert not same[0].equal(same[2])
    other = pipeline(AUGMENTATIONS, feature={"type": "waveform", "normalize": "none"}, seed=1)
    assert not together.equal(other.represent(x, keys)[0])


def test_two_augmentations_of_one_type_draw_by_themselves() -> None:
    plain = {"type": "waveform", "normalize": "none"}
    once = pipeline(AUGMENTATIONS[:1], feature=plain).represent(sound(), key(*[(0, i) for i in range(4)]))[0]
    twice = pipeline(AUGMENTATIONS[:1] * 2, feature=plain).represent(sound(), key(*[(0, i) for i in range(4)]))[0]
    first, second = (once / sound()).amax(2), (twice / once).amax(2)
    assert ((first - second).abs() > 1e-3).all()


def test_augmentations_are_off_in_evaluation_and_need_a_key_in_training() -> None:
    made, plain = pipeline(AUGMENTATIONS), pipeline()
    with pytest.raises(ValueError, match="`key` of each clip"):
        made(sound())
    keys = key(*[(0, i) for i in range(4)])
    assert not made.represent(sound(), keys)[0].equal(plain.represent(sound())[0])
    assert made.eval().represent(sound(), keys)[0].equal(plain.represent(sound())[0])


def test_outputs_whose_parts_do_not_fit_are_refused() -> None:
    check_outputs({"a": output(SIZE), "b": output(CURVE, metrics=["pearson"]), "c": output(CLASS)})
    with pytest.raises(ValueError, match="loss 'cross_entropy' is for class targets"):
        check_outputs({"a": output(SIZE, loss="cross_entropy")})
    with pytest.raises(ValueError, match="both predict 'size'; rename one"):
        check_outputs({"a": output(SIZE), "b": output(SIZE)})
    ranks = [name for name in Metric.names() if Metric.find(name).once_per_clip]
    for name in ranks:
        if Target.find("continuous").space in Metric.find(name).spaces:
            with pytest.raises(ValueError, match="ranks recordings"):
                check_outputs({"a": output(CURVE, metrics=[name])})
