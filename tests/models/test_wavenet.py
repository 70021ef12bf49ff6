"""The WaveNet: what it derives, what it refuses, and that a step at a time is all steps at once."""

import time

import pytest
import torch

from tympan.models.wavenet import WaveNet
from tympan.signals import Signal

torch.set_num_threads(1)

BANDS = Signal(tuple(f"band_{i}" for i in range(6)), 50.0, 4.0)
EDA = Signal(("eda",), 4.0, 4.0)
SMALL = {"hidden_channels": 8, "skip_channels": 12, "context_size_in_seconds": 1.0}


def built(features: Signal = BANDS, target: Signal = EDA, **fields):
    torch.manual_seed(0)
    return WaveNet.model_validate({**SMALL, **fields}).build(features, target)


def clips(features: Signal = BANDS, target: Signal = EDA, n: int = 3):
    """Features, of which the first clip begins with 40 padded frames, and a past, of which some steps are unknown."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n, len(features.channels), features.frames, generator=generator)
    real = torch.ones(n, features.frames, dtype=torch.bool)
    real[0, :40] = False
    known = torch.rand(n, target.frames, generator=generator) > 0.2
    known[:, 0] = False
    past = torch.randn(n, len(target.channels), target.frames, generator=generator) * known[:, None]
    return x * real[:, None], real, past, known


def stepwise(module, x, real, past, known) -> torch.Tensor:
    state = module.start(x, real)
    steps = []
    for step in range(past.shape[2]):
        embedding, state = module.step(state, past[:, :, step], known[:, step])
        steps.append(embedding)
    return torch.stack(steps, 2)


@pytest.mark.parametrize("most", [1, 3, 9])
@pytest.mark.parametrize("seconds", [0.02, 0.04, 0.5, 1.0, 3.98])
def test_the_fewest_layers_that_see_the_context_are_derived(most: int, seconds: float) -> None:
    derived = WaveNet(context_size_in_seconds=seconds, max_layers_per_stack=most).derive(BANDS, EDA)
    assert derived.context == round(seconds * 50)
    assert derived.receptive_field >= derived.context
    assert derived.layers <= most
    fewer = 1 + derived.stacks * (2 ** (derived.layers - 1) - 1)
    assert fewer < derived.context or derived.layers == 1
    assert str(derived.receptive_field) in str(derived)


def test_the_receptive_field_is_what_it_is_said_to_be() -> None:
    model = WaveNet.model_validate({**SMALL, "hears_past": False, "max_layers_per_stack": 3})
    module, _ = model.build(BANDS, Signal(("a",), None, 4.0))
    x = torch.randn(1, 6, 200, requires_grad=True)
    module(x, torch.ones(1, 200, dtype=torch.bool))[0, :, 150].sum().backward()
    assert x.grad is not None
    heard = x.grad[0].abs().sum(0).nonzero()[:, 0]
    assert heard.max() == 150
    assert heard.max() - heard.min() + 1 == model.derive(BANDS, EDA).receptive_field >= 50


def test_a_context_in_steps_is_one_in_seconds() -> None:
    seconds, steps = WaveNet(context_size_in_seconds=2), WaveNet(context_size_in_steps=8)
    assert seconds.derive(BANDS, EDA) == steps.derive(BANDS, EDA)


def test_frames_per_step_follow_from_the_hop() -> None:
    features = Signal(("a",), 44100 / 160, 2.0)
    derived = WaveNet(context_size_in_seconds=1).derive(features, Signal(("eda",), 50.0, 2.0))
    assert derived.frames_per_step == pytest.approx(44100 / (160 * 50)) == pytest.approx(5.5125)
    assert "5.5125 frames, which the hop decides" in str(derived)


@pytest.mark.parametrize(
    ("fields", "target", "message"),
    [
        ({"context_size_in_seconds": 5.0}, EDA, "a context of 5 s is longer than a clip of 4 s"),
        (
            {"context_size_in_seconds": None, "context_size_in_steps": 4, "hears_past": False},
            Signal(("a",), None, 4.0),
            "set context_size_in_seconds",
        ),
        ({}, Signal(("eda",), 64.0, 4.0), "50 frames per second and the target 64.*lower the features' `hop`"),
        ({"conditioning": ["bend_1"]}, EDA, "'bend_1', which is no channel of the features.*did you mean 'band_1'"),
    ],
)
def test_what_cannot_be_built_is_refused(fields: dict, target: Signal, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        built(target=target, **fields)


def test_one_context_is_enough() -> None:
    with pytest.raises(ValueError, match="keep one of them"):
        WaveNet(context_size_in_seconds=1.0, context_size_in_steps=4)


@pytest.mark.parametrize("conditioning", [[], ["band_1", "band_3*"]])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("rate", [4.0, 12.0, 50.0, 8.7])
def test_stepwise_equals_parallel(rate: float, channels: int, conditioning: list[str]) -> None:
    target = Signal(tuple(f"eda_{i}" for i in range(channels)), rate, 4.0)
    module, embedding = built(target=target, conditioning=conditioning)
    x, real, past, known = clips(target=target)
    with torch.no_grad():
        together = module.eval()(x, real, past, known)
        assert together.shape == (3, len(embedding.channels), target.frames)
        torch.testing.assert_close(stepwise(module, x, real, past, known), together, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("rate", [4.0, 50.0])
@pytest.mark.parametrize("clip", [1, 3])
def test_the_compiled_step_is_the_plain_one(clip: int, rate: float) -> None:
    target = Signal(("eda",), rate, 4.0)
    module, _ = built(target=target, hidden_channels=7, skip_channels=13, conditioning=["band_1"])
    x, real, past, known = (value[:clip] for value in clips(target=target))
    with torch.no_grad():
        for p in module.parameters():
            p *= 3  # so that gates also saturate
        assert type(module.eval().start(x, real)).__name__ == "Generation"
        compiled = stepwise(module, x, real, past, known)
    assert type(module.start(x, real)).__name__ == "State"
    plain = stepwise(module, x, real, past, known)
    torch.testing.assert_close(compiled, plain.detach(), atol=1e-5, rtol=1e-5)


def test_a_step_depends_on_the_past_before_it_alone() -> None:
    module, _ = built()
    x, real, past, known = clips()
    changed = past.clone()
    changed[:, :, 8] += 1
    with torch.no_grad():
        before, after = (module.eval()(x, real, p, known | True) for p in (past, changed))
    torch.testing.assert_close(before[:, :, :8], after[:, :, :8], atol=0, rtol=0)
    assert (before[:, :, 8] - after[:, :, 8]).abs().max() > 1e-4


def test_named_channels_reach_the_gates() -> None:
    module, _ = built(conditioning=["band_2"])
    x, real, past, known = clips()
    with torch.no_grad():
        module.input.weight[:, 2] = 0
        changed = x.clone()
        changed[:, 2] += 1
        before, after = (module.eval()(y, real, past, known) for y in (x, changed))
    assert (before - after).abs().max() > 1e-4


def test_the_past_is_heard_only_where_it_is_asked_for() -> None:
    without, _ = built(hears_past=False)
    assert not WaveNet(hears_past=False).autoregressive
    assert not [name for name, _ in without.named_parameters() if "upsampler" in name or "gates" in name]
    x, real, _, _ = clips()
    assert without(x, real).shape == (3, 12, 16)


def test_padding_before_a_clip_is_not_heard() -> None:
    module, _ = built()
    x, real, past, known = clips()
    # 40 frames are no whole number of steps: 50 are 4.
    more = torch.nn.functional.pad
    with torch.no_grad():
        short = module.eval()(x, real, past, known)
        long = module(more(x, (50, 0)), more(real, (50, 0)), more(past, (4, 0)), more(known, (4, 0)))
    torch.testing.assert_close(short, long[:, :, 4:], atol=1e-6, rtol=1e-6)


def test_every_parameter_learns() -> None:
    module, _ = built(conditioning=["band_0"], dropout=0.1)
    module(*clips()).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())
    assert not [n for n, p in module.named_parameters() if p.grad is not None and not p.grad.abs().sum() > 0]


def test_a_step_costs_the_same_however_much_has_been_generated() -> None:
    seconds = 200.0
    features, target = Signal(("a",), 50.0, seconds), Signal(("eda",), 4.0, seconds)
    module, _ = built(features, target)
    x, real, past, known = clips(features, target, 1)

    def cost() -> float:
        times = []
        with torch.inference_mode():
            state = module.eval().start(x, real)
            for step in range(target.frames):
                begin = time.perf_counter()
                _, state = module.step(state, past[:, :, step], known[:, step])
                times.append(time.perf_counter() - begin)
        early, late = sorted(times[50:250]), sorted(times[-200:])
        return late[20] / early[20]

    assert any(cost() < 1.3 for _ in range(3))
