"""Mixup: shares from their Beta distribution, sound and target mixed alike, and nothing unknown becomes known."""

import numpy as np
import pytest
import torch
from scipy.stats import beta, kstest
from torch.nn import functional

from tympan.data.augmentations import Augmentation
from tympan.features import Feature
from tympan.models import Model
from tympan.objectives.losses.cross_entropy import CrossEntropy
from tympan.objectives.targets.binary import Binary
from tympan.objectives.targets.categorical import Categorical
from tympan.output import Output
from tympan.pipeline import Pipeline
from tympan.signals import Signal

SIGNAL = Signal(("mono",), 2000.0, 1.0)
KEY = torch.stack([torch.arange(4000) // 100, torch.arange(4000) % 100], 1)


def mixup(**fields: object) -> Augmentation:
    return Augmentation.model_validate({"type": "mixup", **fields})


def pipeline(target: dict, augmentations: list[Augmentation], **output: object) -> Pipeline:
    torch.manual_seed(0)
    feature = Feature.model_validate({"type": "mel", "n_mels": 16, "window": 0.064, "hop": 0.02, "standardize": "none"})
    made = Output.model_validate({"target": target, **output})
    model = Model.model_validate({"type": "cnn", "width": 4, "layers": 1, "dropout": 0})
    return Pipeline(SIGNAL, "left", feature, model, {"a": made}, augmentations)


@pytest.mark.parametrize("alpha", [1, 2, 10])
def test_shares_are_distributed_as_they_should(alpha):
    share = mixup(alpha=alpha).share(KEY, 0).double().numpy()
    assert kstest(share, beta(alpha, alpha).cdf).pvalue > 1e-3


def test_its_probability_leaves_the_others_alone():
    share = mixup(p=0.3).share(KEY, 0)
    assert float((share == 1).float().mean()) == pytest.approx(0.7, abs=0.03)


def test_sound_is_mixed_by_the_share_without_its_mean():
    x, real = torch.randn(8, 1, 2000) + 3, torch.ones(8, 2000, dtype=torch.bool)
    real[1, :500] = False
    x = x * real[:, None]
    y, there = mixup(p=0.7)(x, real, KEY[:8], 5, SIGNAL)
    share = mixup(p=0.7).share(KEY[:8], 5)
    assert (share == 1).any() and (share < 1).any()
    for i, s in enumerate(share):
        j = (i + 1) % 8
        a, b = ((x[k, 0] - x[k, 0, real[k]].mean()) * real[k] for k in (i, j))
        torch.testing.assert_close(y[i, 0], x[i, 0] if s == 1 else s * a + (1 - s) * b, rtol=0, atol=1e-5)
        assert there[i].equal(real[i] if s == 1 else real[i] | real[j])


@pytest.mark.parametrize("differentiable", [False, True])
def test_the_silence_between_two_clips_that_lie_apart_is_real(differentiable):
    x, real = torch.zeros(2, 1, 100), torch.zeros(2, 100, dtype=torch.bool)
    for i, own in enumerate((slice(0, 10), slice(50, 100))):
        x[i, 0, own] = torch.randn(real[i, own].shape, generator=torch.Generator().manual_seed(0))
        real[i, own] = True
    signal = Signal(("mono",), 100.0, 1.0)
    y, there = mixup()(x.requires_grad_(differentiable), real, KEY[:2], 0, signal)
    assert there.all() and not y[:, :, 10:50].any()
    assert y[:, :, :10].any() and y[:, :, 50:].any()
    # What comes after it leaves nothing out.
    speed = Augmentation.model_validate({"type": "speed", "low": 1.0, "high": 1.0001})
    z, still = speed(y, there, KEY[:2], 0, signal)
    assert still.all()
    torch.testing.assert_close(z, y, rtol=0, atol=0.2)


def test_padding_around_both_clips_stays_padding():
    real = torch.zeros(2, 100, dtype=torch.bool)
    real[0, 20:30] = real[1, 60:80] = True
    there = mixup()(real[:, None].float(), real, KEY[:2], 0, Signal(("mono",), 100.0, 1.0))[1]
    assert there.nonzero()[:, 1].tolist() == [*range(20, 80)] * 2
    real[0] = False  # a clip of padding alone makes its pair no longer
    there = mixup()(real[:, None].float(), real, KEY[:2], 0, Signal(("mono",), 100.0, 1.0))[1]
    assert there.nonzero()[:, 1].tolist() == [*range(60, 80)] * 2


def test_labels_are_mixed_by_the_same_share_and_the_unknown_stays_unknown():
    made = pipeline({"type": "binary", "labels": ["x", "y"]}, [mixup()]).train()
    x, key = torch.randn(4, 1, 2000), KEY[:4]
    target = torch.tensor([[1.0, 0], [0, 1], [torch.nan, 1], [1, 1]])[:, :, None]
    share = mixup().share(key, 0)[:, None]
    t = target[:, :, 0]
    mixed = share * t + (1 - share) * t.roll(-1, 0)
    assert mixed.isnan().sum() == 2
    said = made(x, {"a": target}, key)
    logits, known = said["prediction"]["a"][:, :, 0], ~mixed.isnan()
    oracle = functional.binary_cross_entropy_with_logits(logits[known], mixed[known])
    torch.testing.assert_close(said["loss"], oracle)
    said["loss"].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in made.parameters())
    evaluated = made.eval()(x, {"a": target}, key)  # nothing is mixed
    logits, known = evaluated["prediction"]["a"], ~target.isnan()
    torch.testing.assert_close(
        evaluated["loss"], functional.binary_cross_entropy_with_logits(logits[known], target[known])
    )


def test_what_is_not_mixed_keeps_its_label_beside_an_unknown_one():
    encoded = torch.tensor([1.0, torch.nan, 0.0, torch.nan])[:, None, None]
    share = torch.tensor([1.0, 1.0, 0.6, 0.6])
    mixed = Binary(labels=("a",)).mixed(encoded, encoded.roll(-1, 0), share)
    torch.testing.assert_close(mixed[:, 0, 0], torch.tensor([1.0] + [torch.nan] * 3), equal_nan=True)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_classes_are_mixed_as_their_losses(smoothing):
    target = Categorical(column="word", classes=("a", "b", "c"))
    encoded = torch.tensor([0.0, 2.0, torch.nan, 1.0])[:, None, None]
    share = torch.tensor([0.3, 0.6, 0.5, 1.0])
    loss = CrossEntropy(label_smoothing=smoothing)
    logits = torch.randn(4, 3, 1, generator=torch.Generator().manual_seed(0))
    mixed = target.mixed(encoded, encoded.roll(-1, 0), share)

    def alone(i: int, number: float) -> float:
        return float(loss(logits[i : i + 1], torch.tensor([[[number]]])))

    oracle = [0.3 * alone(0, 0) + 0.7 * alone(0, 2), alone(3, 1)]
    assert float(loss(logits, mixed)) == pytest.approx(np.mean(oracle), rel=1e-5)


@pytest.mark.parametrize(
    ("target", "augmentations", "says"),
    [
        ({"type": "shape"}, [mixup()], "mixup cannot mix targets of type shape"),
        ({"type": "continuous", "quantities": ["q"], "rate": 4}, [mixup()], "mixup cannot mix signals over time"),
        ({"type": "binary", "labels": ["x"]}, [mixup(), mixup()], "mixup and mixup mix clips twice"),
    ],
)
def test_what_cannot_be_mixed_is_refused(target, augmentations, says):
    with pytest.raises(ValueError, match=says):
        pipeline(target, augmentations)
