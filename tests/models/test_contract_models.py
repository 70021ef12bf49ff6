"""What every model must hold, for every file in models/."""

import warnings

import pytest
import torch

from tympan.component import AssumptionWarning
from tympan.features import Feature
from tympan.frames import resample_mask
from tympan.head import Head
from tympan.models import Model
from tympan.objectives import Target
from tympan.output import Output
from tympan.pipeline import Pipeline
from tympan.runs.half import Checked
from tympan.signals import Signal

torch.set_num_threads(1)

# Fields that make a model small enough to test; dropout is off, so that four examples can be learnt by heart.
SMALL = {
    "cnn": {"width": 16, "layers": 2},
    "crepe": {"dropout": 0.0},
    "encoder_decoder": {"encoder": {"type": "cnn", "width": 16, "layers": 2}, "decoder": {"type": "lstm", "width": 16}},
    "lstm": {"width": 16},
    "tcn": {"width": 16, "layers": 3},
    "timm": {"name": "resnet10t"},
    "transformer": {"width": 16, "layers": 2, "heads": 2},
    # What it does with its past is in test_wavenet.py and test_autoregressive.py.
    "wavenet": {"hears_past": False, "hidden_channels": 16, "skip_channels": 16, "context_size_in_seconds": 1.0},
}


def small(name: str, **fields: object) -> dict:
    return {"type": name, **SMALL.get(name, {}), **fields}


def pair(encoder: dict, decoder: dict) -> dict:
    return {"type": "encoder_decoder", "encoder": encoder, "decoder": decoder}


# Every model, and those of its configurations that change what it promises.
CHOICES = {name: small(name) for name in Model.names()} | {
    "cnn, causal": small("cnn", causal=True),
    "lstm, forwards": small("lstm", bidirectional=False),
    "tcn, both sides": small("tcn", causal=False),
    "transformer, causal": small("transformer", causal=True, stride=2),
    "cnn to cnn": pair(small("cnn"), small("cnn", stride=1)),
    "cnn to transformer": pair(small("cnn"), small("transformer")),
    "transformer to cnn": pair(small("transformer", stride=4), small("cnn", stride=1)),
    "transformer to lstm": pair(small("transformer", stride=4), small("lstm")),
    "transformer to transformer": pair(small("transformer", stride=4), small("transformer")),
    "wavenet to cnn": pair(small("wavenet"), small("cnn", stride=1)),
    "wavenet to lstm, causal": pair(small("wavenet"), small("lstm", bidirectional=False)),
    "wavenet to transformer": pair(small("wavenet"), small("transformer")),
    "tcn to lstm, causal": pair(small("tcn"), small("lstm", bidirectional=False)),
    "transformer to cnn, causal": pair(
        small("transformer", causal=True, stride=4), small("cnn", stride=1, causal=True)
    ),
}
NAMES = list(CHOICES)
HEARS_WAVEFORM = {"crepe"}
SLOW = {n for n in NAMES if "wavenet" in n}  # which refuse a target that is faster than the features
BANDS = Signal(tuple(f"band_{i}" for i in range(16)), 50.0, 2.56)
WAVEFORM = Signal(("mono",), 1024.0, 2.0)
ONCE = Signal(("a", "b"), None, 2.56)
AUDIO = Signal(("mono",), 2000.0, 2.0)

TARGETS = {
    "once": ({"type": "continuous", "quantities": ["a", "b"]}, {"a": 0.5, "b": -1.0}, (2, 1)),
    "slow": ({"type": "continuous", "quantities": ["eda"], "rate": 4}, {"eda": [0.1] * 8}, (1, 8)),
    "fast": ({"type": "continuous", "quantities": ["x", "y"], "rate": 200}, dict.fromkeys("xy", [0.1] * 400), (2, 400)),
    "binary": ({"type": "binary", "labels": ["x", "y", "z"]}, {"x": 1, "y": 0}, (3, 1)),
    "categorical": ({"type": "categorical", "column": "c", "classes": ["p", "q", "r"]}, {"c": "q"}, (3, 1)),
}


def choose(name: str) -> Model:
    return Model.model_validate(CHOICES[name])


def signal(name: str, duration: float | None = None) -> Signal:
    given = WAVEFORM if name in HEARS_WAVEFORM else BANDS
    return Signal(given.channels, given.rate, duration or given.duration)


def built(name: str, target: Signal = ONCE, duration: float | None = None):
    torch.manual_seed(0)
    features = signal(name, duration)
    module, embedding = choose(name).build(features, target)
    return module, Head().build(embedding, target), embedding, features


def clips(features: Signal, n: int = 4, seed: int = 0):
    x = torch.randn(n, len(features.channels), features.frames, generator=torch.Generator().manual_seed(seed))
    return x, torch.ones(n, features.frames, dtype=torch.bool)


def answer(module, head, x, real):
    embedding = module(x, real)
    return head(embedding, resample_mask(real, embedding.shape[2]))


@pytest.mark.parametrize(("name", "kind"), [(n, k) for n in NAMES for k in TARGETS if k != "fast" or n not in SLOW])
def test_every_target_kind_is_answered_in_its_shape(name: str, kind: str) -> None:
    fields, values, shape = TARGETS[kind]
    if name in HEARS_WAVEFORM:
        feature = Feature.find("waveform")()
    else:
        feature = Feature.model_validate({"type": "mel", "n_mels": 16, "window": 0.064, "hop": 0.02})
    target = Target.model_validate(fields)
    pipeline = Pipeline(AUDIO, "left", feature, choose(name), {"t": Output(target=target)})
    waveform = torch.randn(3, 1, AUDIO.frames)
    truth = torch.stack([target.encode(values)] * 3)
    out = pipeline(waveform, {"t": truth}, samples=torch.tensor([4000, 3000, 4000]))
    assert out["prediction"]["t"].shape == (3, *shape)
    embedding, real = pipeline.embedding(waveform)
    assert embedding.shape == (3, len(pipeline.embedded.channels), pipeline.embedded.frames)
    assert real.all()
    out["loss"].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in pipeline.parameters())


@pytest.mark.parametrize("kind", ["once", "slow"])
@pytest.mark.parametrize("name", NAMES)
def test_stereo_is_answered_and_which_side_is_which_matters(name: str, kind: str) -> None:
    fields, values, shape = TARGETS[kind]
    feature = {"type": "mel", "n_mels": 32, "window": 0.064, "hop": 0.02}
    if name in HEARS_WAVEFORM:
        feature = {"type": "waveform"}
    target = Target.model_validate(fields)
    stereo = Signal(("left", "right"), AUDIO.rate, AUDIO.duration)
    torch.manual_seed(0)
    pipeline = Pipeline(stereo, "left", Feature.model_validate(feature), choose(name), {"t": Output(target=target)})
    waveform = torch.randn(3, 2, AUDIO.frames, generator=torch.Generator().manual_seed(1))
    # One side is a low hum and the other noise, as it would be with a microphone at each.
    waveform[:, 0] = torch.sin(torch.arange(AUDIO.frames) / 20)
    truth = torch.stack([target.encode(values)] * 3)
    out = pipeline(waveform, {"t": truth}, samples=torch.tensor([4000, 3000, 4000]))
    assert out["prediction"]["t"].shape == (3, *shape)
    out["loss"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in pipeline.parameters())
    with torch.no_grad():
        embedding, _ = pipeline.eval().embedding(waveform)
        swapped, _ = pipeline.embedding(waveform.flip(1))
    assert embedding.shape == (3, len(pipeline.embedded.channels), pipeline.embedded.frames)
    assert (embedding - swapped).abs().max() > 1e-3 * embedding.abs().max()


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_finite_and_reach_every_parameter(name: str) -> None:
    module, head, _, features = built(name)
    answer(module, head, *clips(features)).square().sum().backward()
    assert module.training
    missing = [n for n, p in module.named_parameters() if p.grad is None]
    assert not missing
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_a_clip_is_answered_without_regard_to_its_batch_mates(name: str) -> None:
    module, head, _, features = built(name)
    module.eval()
    x, real = clips(features)
    real[1, : features.frames // 2] = False
    x = x * real[:, None]
    with torch.no_grad():
        together = answer(module, head, x, real)
        alone = torch.cat([answer(module, head, x[i : i + 1], real[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("name", NAMES)
def test_two_seconds_more_padding_change_nothing(name: str, side: str) -> None:
    module, head, _, features = built(name)
    longer, head_longer, _, padded = built(name, duration=features.duration + 2)
    with torch.no_grad():
        # As if trained: many weights begin as 0, which would hide what padding does.
        for p in module.parameters():
            p += 0.1 * torch.randn_like(p)
    longer.load_state_dict(module.state_dict())
    more = padded.frames - features.frames
    sides = (more, 0) if side == "left" else (0, more)
    x, real = clips(features)
    # Half a clip of sound as well, so that there is padding on both sides of the comparison, and not on any grid.
    half = features.frames // 2 + 3
    if side == "left":
        real[2:, :half] = False
    else:
        real[2:, -half:] = False
    x = x * real[:, None]
    with torch.no_grad():
        short = answer(module.eval(), head, x, real)
        wide, there = torch.nn.functional.pad(x, sides), torch.nn.functional.pad(real, sides)
        long = answer(longer.eval(), head_longer, wide, there)
    change = float((short - long).abs().max())
    if choose(name).hears_padding:
        pytest.skip(f"{name} says that it hears padding: answers change by {change / float(short.abs().max()):.1%}")
    assert change <= 1e-4


@pytest.mark.parametrize("rate", [None, 5.0, 200.0])
@pytest.mark.parametrize("name", [n for n in NAMES if not choose(n).hears_future])
def test_a_causal_model_does_not_hear_the_future(name: str, rate: float | None) -> None:
    if rate == 200.0 and name in SLOW:
        pytest.skip(f"{name} refuses a target that is faster than the features")
    module, _, embedding, features = built(name, Signal(("a",), rate, 2.46), 2.46)
    x, real = clips(features)
    real[2:, :13] = False
    x = x * real[:, None]
    with torch.no_grad():
        before = module.eval()(x, real)
    for begin in (11, 17, 60, 101):
        changed = x.clone()
        changed[:, :, begin:] += 1.0
        with torch.no_grad():
            after = module(changed, real)
        past = begin * embedding.frames // features.frames
        torch.testing.assert_close(before[:, :, :past], after[:, :, :past], atol=1e-5, rtol=1e-5)
        assert (before[:, :, past:] - after[:, :, past:]).abs().max() > 1e-5


def test_every_model_that_can_be_causal_is_tried_so() -> None:
    assert {CHOICES[n]["type"] for n in NAMES if not choose(n).hears_future} == set(Model.names()) - {"crepe", "timm"}


@pytest.mark.parametrize("name", NAMES)
def test_four_examples_are_learnt_by_heart(name: str) -> None:
    target = Signal(("a",), None, 2.56)
    module, head, _, features = built(name, target)
    x, real = clips(features)
    truth = torch.tensor([-1.5, -0.5, 0.5, 1.5])[:, None, None]
    optimizer = torch.optim.Adam([*module.parameters(), *head.parameters()], lr=3e-3)
    loss = torch.tensor(1.0)
    for _ in range(150):
        optimizer.zero_grad()
        loss = (answer(module, head, x, real) - truth).square().mean()
        loss.backward()
        optimizer.step()
        if loss < 0.01:
            break
    assert loss < 0.01


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_weights(name: str) -> None:
    first, second = built(name)[0].state_dict(), built(name)[0].state_dict()
    assert all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize("name", NAMES)
def test_it_works_on_the_device_of_its_weights(name: str) -> None:
    # A tensor made on the processor does not go with one on "meta", as it does not with one on a GPU.
    module, head, _, features = built(name)
    x, real = clips(features)
    assert answer(module.to("meta"), head.to("meta"), x.to("meta"), real.to("meta")).is_meta


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_gives_nearly_the_same_answer(name: str) -> None:
    module, head, _, features = built(name)
    module.eval()
    x, real = clips(features)
    real[:2, : features.frames // 4] = False
    x = x * real[:, None]
    with torch.no_grad():
        exact = answer(module, head, x, real)
        with torch.autocast("cpu", torch.bfloat16), warnings.catch_warnings(), Checked():
            warnings.simplefilter("ignore", AssumptionWarning)  # of what this processor has wrong
            rough = answer(module, head, x, real)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, atol=0.05, rtol=0.05)
