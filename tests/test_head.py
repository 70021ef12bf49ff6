"""The head: what is pooled, what is not heard, and that time stays where it is."""

import pytest
import torch
from pydantic import ValidationError
from scipy.signal import resample as fourier_resample

from tympan.frames import Steps, masked_mean, resample, resample_mask, resample_real
from tympan.head import Head
from tympan.signals import Signal

EMBEDDING = Signal(("a", "b", "c"), 10.0, 2.0)
ONCE = Signal(("x", "y"), None, 2.0)
CURVE = Signal(("x", "y"), 4.0, 2.0)
POOLINGS = ("mean", "attention", "max", "flatten")


def half_real() -> torch.Tensor:
    return torch.arange(20).expand(3, 20) >= 10


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("fields", [{}, {"bottleneck": 5, "layer_norm": True, "dropout": 0.5, "activation": "gelu"}])
def test_every_pooling_gives_one_frame_per_clip_and_every_parameter_learns(pooling: str, fields: dict) -> None:
    head = Head(pooling=pooling, **fields).build(EMBEDDING, ONCE)
    y = head(torch.randn(3, 3, 20), half_real())
    assert y.shape == (3, 2, 1)
    y.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())


@pytest.mark.parametrize("pooling", POOLINGS)
def test_frames_that_are_padding_are_not_heard(pooling: str) -> None:
    head = Head(pooling=pooling).build(EMBEDDING, ONCE)
    x, real = torch.randn(3, 3, 20), half_real()
    changed = x + 100.0 * ~real[:, None]
    torch.testing.assert_close(head(x, real), head(changed, real))
    assert (head(x, real) - head(x + 1.0 * real[:, None], real)).abs().max() > 1e-4


def test_poolings_are_what_their_names_say() -> None:
    x = torch.arange(24.0).reshape(1, 2, 12)
    real = torch.arange(12)[None] >= 8
    pooled = {p: Head(pooling=p).build(Signal(("a", "b"), 6.0, 2.0), ONCE).pool(x, real)[0] for p in POOLINGS}
    assert pooled["mean"].tolist() == [[9.5, 21.5]]
    assert pooled["max"].tolist() == [[11.0, 23.0]]
    assert pooled["flatten"].shape == (1, 24)
    assert pooled["flatten"][0, 8:12].tolist() == [8.0, 9.0, 10.0, 11.0]
    assert not pooled["flatten"][0, :8].any()
    low, high = x[0, :, 8], x[0, :, 11]
    assert ((pooled["attention"][0] >= low) & (pooled["attention"][0] <= high)).all()


def test_the_frames_of_a_curve_are_not_pooled() -> None:
    head = Head(pooling="flatten", bottleneck=4).build(EMBEDDING, CURVE)
    assert head(torch.randn(3, 3, 20), half_real()).shape == (3, 2, 8)


FAST = Signal(("x", "y"), 200.0, 2.0)


def test_learned_upsampling_draws_what_straight_lines_cannot() -> None:
    embedding, target = Signal(tuple("abcd"), 10.0, 2.0), Signal(("y",), 80.0, 2.0)
    x, real = torch.randn(8, 4, 20, generator=torch.Generator().manual_seed(0)), torch.ones(8, 20, dtype=torch.bool)
    # Of the first channel, the one curve through its frames without anything faster than them.
    truth = torch.tensor(fourier_resample(x[:, :1].numpy(), 160, axis=2))

    def error(upsampling: str) -> float:
        torch.manual_seed(0)
        head = Head.model_validate({"upsampling": upsampling}).build(embedding, target)
        optimizer = torch.optim.Adam(head.parameters(), lr=1e-2)
        for _ in range(100):
            optimizer.zero_grad()
            (head(x, real) - truth).square().mean().backward()
            optimizer.step()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())
        with torch.no_grad():
            return float((head(x, real) - truth).square().mean())

    assert error("residual") < 0.1 * error("linear")


@pytest.mark.parametrize(("rate", "sizes"), [(15.0, [30]), (40.0, [80]), (55.0, [80, 110]), (640.0, [80, 320, 1280])])
def test_learned_upsampling_goes_by_fours_and_then_the_rest(rate: float, sizes: list[int]) -> None:
    head = Head(upsampling="residual").build(EMBEDDING, Signal(("x",), rate, 2.0))
    assert head.upsample is not None
    assert head.upsample.sizes == sizes
    assert head(torch.randn(3, 3, 20), half_real()).shape == (3, 1, sizes[-1])


def test_learned_upsampling_does_not_hear_padding() -> None:
    torch.manual_seed(0)
    head = Head(upsampling="residual").build(EMBEDDING, FAST)
    longer = Head(upsampling="residual").build(Signal(EMBEDDING.channels, 10.0, 4.0), Signal(("x", "y"), 200.0, 4.0))
    longer.load_state_dict(head.state_dict())
    x, real = torch.randn(3, 3, 20), half_real()
    pad = torch.nn.functional.pad
    with torch.no_grad():
        short = head(x * real[:, None], real)
        long = longer(pad(x * real[:, None], (20, 0)), pad(real, (20, 0)))
    torch.testing.assert_close(short[:, :, 200:], long[:, :, 600:], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("target", [ONCE, CURVE, Signal(("x",), 10.0, 2.0)])
def test_learned_upsampling_is_refused_where_nothing_is_to_be_upsampled(target: Signal) -> None:
    with pytest.raises(ValueError, match=r"which has 20 for the target's .*; leave it out"):
        Head(upsampling="residual").build(EMBEDDING, target)


def test_the_bottleneck_is_a_dense_layer_before_the_last() -> None:
    plain = Head().build(EMBEDDING, ONCE)
    narrow = Head(bottleneck=5, layer_norm=True).build(EMBEDDING, ONCE)
    assert sum(p.numel() for p in plain.parameters()) == 3 * 2 + 2
    assert sum(p.numel() for p in narrow.parameters()) == (3 * 5 + 5) + (5 + 5) + (5 * 2 + 2)


def test_dropout_acts_in_training_only() -> None:
    head = Head(dropout=0.5).build(EMBEDDING, ONCE)
    x, real = torch.randn(3, 3, 20), half_real()
    assert not torch.equal(head(x, real), head(x, real))
    head.eval()
    assert torch.equal(head(x, real), head(x, real))


def test_the_same_frames_come_from_any_number_of_them() -> None:
    x = torch.randn(2, 3, 7)
    torch.testing.assert_close(resample(x, 7), x)


@pytest.mark.parametrize(("before", "after"), [(400, 40), (400, 12), (100, 33), (10, 40), (7, 40), (1, 5)])
def test_a_ramp_stays_a_ramp_at_another_rate(before: int, after: int) -> None:
    # The value of a frame is the time of its middle, as a share of the clip.
    def ramp(n: int) -> torch.Tensor:
        return ((torch.arange(n) + 0.5) / n)[None, None]

    error = (resample(ramp(before), after) - ramp(after)).abs()[0, 0]
    inner = slice(after // before + 1, after - after // before - 1) if after > before else slice(None)
    assert error[inner].numel() == 0 or error[inner].max() <= (0.5 / before if after < before else 1e-6)
    assert error.max() <= 0.5 / before + 1e-6


def test_the_mask_follows_the_frames() -> None:
    real = torch.arange(12)[None] >= 6
    assert resample_mask(real, 4).tolist() == [[False, False, True, True]]
    assert resample_mask(real, 24)[0].tolist() == [False] * 12 + [True] * 12
    assert resample_mask(real, 12).equal(real)


def test_a_clip_too_short_for_one_frame_keeps_its_last() -> None:
    sliver = torch.arange(100)[None] == 0
    assert resample_mask(sliver, 3).tolist() == [[False, False, True]]
    x = torch.randn(1, 2, 3)
    assert masked_mean(x, resample_mask(sliver, 3)).equal(x[:, :, 2])


def test_what_is_not_heard_may_be_anything() -> None:
    x = torch.tensor([[[1.0, float("nan"), 3.0, float("inf")]]])
    real = torch.tensor([[True, False, True, False]])
    assert masked_mean(x, real).tolist() == [[2.0]]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("before", "after"), [(12, 3), (11, 4), (7, 7), (4, 11), (3, 12), (1, 5)])
def test_frames_of_a_step_are_those_that_end_within_it(before: int, after: int, causal: bool) -> None:
    x = torch.randn(1, 2, before)
    real = torch.ones(1, before, dtype=torch.bool)
    y, there = resample_real(x, real, after, causal)
    assert there.all()
    for step in range(after):
        # In units of 1 / (before * after) of the clip, so that all times are whole.
        begin, end = step * before, (step + 1) * before
        if after < before:
            own = [i for i in range(before) if begin < (i + 1) * after <= end]
            expected = x[0, :, own].mean(1)
        elif causal:
            own = [i for i in range(before) if (i + 1) * after <= end]
            expected = x[0, :, own[-1]] if own else torch.zeros(2)
        else:
            expected = x[0, :, (begin + end) // 2 // after]
        torch.testing.assert_close(y[0, :, step], expected)


def test_frames_of_padding_are_in_no_mean() -> None:
    x, real = torch.randn(1, 2, 12), torch.arange(12)[None] >= 5
    y, there = resample_real(x, real, 3)
    assert there.tolist() == [[False, True, True]]
    torch.testing.assert_close(y[0, :, 1:], torch.stack([x[0, :, 5:8].mean(1), x[0, :, 8:].mean(1)], 1))
    assert not y[0, :, 0].any()


def test_a_longer_recording_has_the_steps_of_its_length() -> None:
    steps = Steps.of(Signal(("a",), 100.0, 9.98), Signal(("y",), 4.0, 10.0))
    assert [steps.over(n) for n in (998, 998 + 1000, 998 + 239_000, 1)] == [40, 80, 40 + 9560, 1]


def test_unknown_fields_and_impossible_dropout_are_refused() -> None:
    for fields in ({"dropout": 1.0}, {"bottleneck": 0}, {"poling": "mean"}, {"pooling": "sum"}):
        with pytest.raises(ValidationError):
            Head.model_validate(fields)
