"""What every model that hears its own past must hold."""

import time

import pytest
import torch

from tympan.features import Feature
from tympan.models import Model
from tympan.objectives import Target
from tympan.output import Output
from tympan.pipeline import Pipeline
from tympan.signals import Signal

torch.set_num_threads(1)

LSTM = {"type": "lstm", "width": 16, "bidirectional": False, "hears_past": True}
TRANSFORMER = {"type": "transformer", "width": 16, "layers": 2, "heads": 2, "hears_past": True}
CNN = {"type": "cnn", "width": 16, "layers": 2}
WAVENET = {
    "type": "wavenet", "hidden_channels": 8, "skip_channels": 16, "context_size_in_seconds": 1.0, "hears_past": False
}  # fmt: skip
ENCODER = {"type": "transformer", "width": 16, "layers": 1, "heads": 2, "stride": 2}


def pair(encoder: dict, decoder: dict) -> dict:
    return {"type": "encoder_decoder", "encoder": encoder, "decoder": decoder}


CHOICES = {
    "lstm": LSTM,
    "transformer": TRANSFORMER,
    "transformer, causal": {**TRANSFORMER, "causal": True},
    "cnn to lstm": pair(CNN, LSTM),
    "cnn to transformer": pair(CNN, TRANSFORMER),
    "transformer to lstm": pair(ENCODER, LSTM),
    "transformer to transformer": pair(ENCODER, TRANSFORMER),
    "wavenet to lstm": pair(WAVENET, LSTM),
    "wavenet to transformer, causal": pair(WAVENET, {**TRANSFORMER, "causal": True}),
    "tcn to transformer, causal": pair({"type": "tcn", "width": 16, "layers": 3}, {**TRANSFORMER, "causal": True}),
}
SLOW = {n for n in CHOICES if "wavenet" in n}  # which refuse a target that is faster than the features
BANDS = Signal(tuple(f"band_{i}" for i in range(16)), 50.0, 2.4)
TARGET = Signal(("a", "b"), 5.0, 2.4)


def choose(name: str) -> Model:
    return Model.model_validate(CHOICES[name])


def built(name: str, target: Signal = TARGET, duration: float = 2.4):
    torch.manual_seed(0)
    features = Signal(BANDS.channels, BANDS.rate, duration)
    module, embedding = choose(name).build(features, Signal(target.channels, target.rate, duration))
    return module, embedding


def clips(frames: int = 120, steps: int = 12, channels: int = 2):
    """Four clips, of which two begin with padding, and their past, which is unknown here and there."""
    generator = torch.Generator().manual_seed(0)
    x, past = torch.randn(4, 16, frames, generator=generator), torch.randn(4, channels, steps, generator=generator)
    real = torch.ones(4, frames, dtype=torch.bool)
    real[2:, : frames // 2 + 3] = False
    known = torch.rand(4, steps, generator=generator) > 0.3
    known[:, 0] = False
    return x * real[:, None], real, past * known[:, None], known


def said(module, x, real, past, known):
    """The embedding of every step, one after the other."""
    state, steps = module.start(x, real), []
    for i in range(past.shape[2]):
        embedding, state = module.step(state, past[:, :, i], known[:, i])
        steps.append(embedding)
    return torch.stack(steps, 2)


@pytest.mark.parametrize(
    ("name", "rate"), [(n, r) for n in CHOICES for r in (5.0, 50.0, 75.0) if r < 75 or n not in SLOW]
)
def test_one_step_after_the_other_is_the_same_as_all_at_once(name: str, rate: float) -> None:
    module, embedding = built(name, Signal(("a", "b"), rate, 2.4))
    given = clips(steps=round(rate * 2.4))
    with torch.no_grad():
        together = module.eval()(*given)
        torch.testing.assert_close(said(module, *given), together, atol=1e-5, rtol=1e-5)
    assert together.shape == (4, len(embedding.channels), embedding.frames)
    assert embedding.rate == rate


@pytest.mark.parametrize("name", CHOICES)
def test_a_recording_longer_than_a_clip_has_as_many_steps_as_it_is_long(name: str) -> None:
    module, _ = built(name)
    given = clips(frames=500, steps=50)
    with torch.no_grad():
        together = module.eval()(*given)
        torch.testing.assert_close(said(module, *given), together, atol=1e-5, rtol=1e-5)
        given[0][:, :, -10:] += 1.0
        change = (module(*given) - together).abs().amax((0, 1))
    assert change[-1] > 1e-3
    assert choose(name).hears_future or change[:-1].max() < 1e-5


@pytest.mark.parametrize("name", CHOICES)
def test_a_step_hears_the_answers_before_it_alone(name: str) -> None:
    module, _ = built(name)
    x, real, past, known = clips()
    with torch.no_grad():
        before = module.eval()(x, real, past, known)
        later = past.clone()
        later[:, :, 7:] += 1.0
        after = module(x, real, later, known)
        unknown = module(x, real, past * 0, known & False)
    torch.testing.assert_close(before[:, :, :7], after[:, :, :7], atol=1e-5, rtol=1e-5)
    assert (before[:, :, 7] - after[:, :, 7]).abs().amax(1).min() > 1e-4
    assert (before - unknown).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("name", "rate"),
    [(n, r) for n in CHOICES if not choose(n).hears_future for r in (5.0, 75.0) if r < 75 or n not in SLOW],
)
def test_a_causal_model_does_not_hear_later_sound(name: str, rate: float) -> None:
    steps = round(2.4 * rate)
    module, _ = built(name, Signal(("a", "b"), rate, 2.4))
    x, real, past, known = clips(steps=steps)
    for begin in (11, 60, 101):
        changed = x.clone()
        changed[:, :, begin:] += 1.0
        with torch.no_grad():
            before, after = module.eval()(x, real, past, known), module(changed, real, past, known)
        at = begin * steps // 120
        torch.testing.assert_close(before[:, :, :at], after[:, :, :at], atol=1e-5, rtol=1e-5)
        assert (before[:, :, at:] - after[:, :, at:]).abs().max() > 1e-5


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("name", CHOICES)
def test_two_seconds_more_padding_change_no_real_step(name: str, side: str) -> None:
    module, _ = built(name)
    longer, _ = built(name, duration=4.4)
    with torch.no_grad():
        # As if trained: biases begin near 0, which would hide what padding does.
        for p in module.parameters():
            p += 0.1 * torch.randn_like(p)
    longer.load_state_dict(module.state_dict())
    x, real, past, known = clips()
    if side == "right":
        x, real = x.flip(2), real.flip(1)
    frames, steps = ((100, 0), (10, 0)) if side == "left" else ((0, 100), (0, 10))
    pad = torch.nn.functional.pad
    with torch.no_grad():
        short = module.eval()(x, real, past, known)
        long = longer.eval()(pad(x, frames), pad(real, frames), pad(past, steps), pad(known, steps))
    torch.testing.assert_close(short, long[:, :, 10:] if side == "left" else long[:, :, :12], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", CHOICES)
def test_clips_of_a_batch_do_not_hear_each_other(name: str) -> None:
    module, _ = built(name)
    given = clips()
    with torch.no_grad():
        together = module.eval()(*given)
        alone = torch.cat([module(*(t[i : i + 1] for t in given)) for i in range(4)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", CHOICES)
def test_gradients_are_finite_and_reach_every_parameter(name: str) -> None:
    module, _ = built(name)
    x, real, past, known = clips()
    real[3] = False  # nothing but padding
    module(x * real[:, None], real, past, known).square().sum().backward()
    assert not [n for n, p in module.named_parameters() if p.grad is None or not p.grad.isfinite().all()]


@pytest.mark.parametrize("name", CHOICES)
def test_half_precision_gives_nearly_the_same_answer(name: str) -> None:
    module, _ = built(name)
    given = clips()
    with torch.no_grad():
        exact = module.eval()(*given)
        with torch.autocast("cpu", torch.bfloat16):
            rough = said(module, *given)
    torch.testing.assert_close(rough.float(), exact, atol=0.1, rtol=0.1)


@pytest.mark.parametrize("name", CHOICES)
def test_it_works_on_the_device_of_its_weights(name: str) -> None:
    module, _ = built(name)
    module.to("meta")
    given = [t.to("meta") for t in clips()]
    assert module(*given).is_meta
    assert said(module, *given).is_meta


@pytest.mark.parametrize("name", CHOICES)
def test_what_it_says_next_is_learnt_from_the_sound_and_the_past(name: str) -> None:
    # The target walks up where the sound is loud and down where it is quiet: neither alone tells where it is.
    module, embedding = built(name, Signal(("a",), 5.0, 2.4))
    head = torch.nn.Conv1d(len(embedding.channels), 1, 1)
    generator = torch.Generator().manual_seed(3)
    signs = torch.randint(0, 2, (4, 12), generator=generator) * 2.0 - 1
    x = torch.randn(4, 16, 120, generator=generator) * 0.1 + signs.repeat_interleave(10, 1)[:, None]
    truth = 0.5 * signs.cumsum(1)[:, None]
    past, known = torch.nn.functional.pad(truth, (1, -1)), torch.arange(12).expand(4, 12) > 0
    real = torch.ones(4, 120, dtype=torch.bool)
    loss = torch.tensor(1.0)
    optimizer = torch.optim.Adam([*module.parameters(), *head.parameters()], lr=1e-2)
    for _ in range(200):
        optimizer.zero_grad()
        loss = (head(module(x, real, past, known)) - truth).square().mean()
        loss.backward()
        optimizer.step()
        if loss < 0.005:
            break
    assert loss < 0.01
    with torch.no_grad():
        state, before, answers = module.eval().start(x, real), torch.zeros(4, 1), []
        for i in range(12):
            embedded, state = module.step(state, before, known[:, i])
            before = head(embedded[:, :, None])[:, :, 0]
            answers.append(before)
    assert (torch.stack(answers, 2) - truth).square().mean() < 0.1 * truth.var()


@pytest.mark.parametrize("name", CHOICES)
def test_a_pipeline_teaches_it_and_lets_it_answer(name: str) -> None:
    torch.manual_seed(0)
    audio = Signal(("mono",), 2000.0, 2.4)
    feature = Feature.model_validate({"type": "mel", "n_mels": 16, "window": 0.064, "hop": 0.02})
    target = Target.model_validate({"type": "continuous", "quantities": ["eda", "rate"], "rate": 5})
    pipeline = Pipeline(audio, "left", feature, choose(name), {"t": Output(target=target)})
    truth = torch.randn(3, 2, 12)
    truth[1, :, :6] = torch.nan
    waveform, samples = torch.randn(3, 1, 4800), torch.tensor([4800, 2400, 4800])
    taught = pipeline(waveform, {"t": truth}, torch.tensor([[0, 0], [0, 1], [0, 2]]), samples)
    taught["loss"].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in pipeline.parameters())
    assert pipeline.past_dropout == 0.2
    with torch.inference_mode():
        free = pipeline.eval()(waveform, {"t": truth}, samples=samples)
        blind = pipeline(waveform, samples=samples)
    assert free["prediction"]["t"].shape == (3, 2, 12)
    assert torch.equal(free["prediction"]["t"], blind["prediction"]["t"])
    assert free["loss"].isfinite()
    whole = pipeline.predict(torch.randn(1, 1, 24_000))["t"]
    assert {name: values.shape[-1] for name, values in whole.items()} == {"eda": 60, "rate": 60}


@pytest.mark.parametrize("name", ["lstm", "transformer"])
def test_a_step_costs_the_same_after_a_thousand_others(name: str) -> None:
    module, _ = built(name, Signal(("a", "b"), 5.0, 2.4))
    x, real, past, known = clips(frames=12_000, steps=1)
    with torch.inference_mode():
        state, spent = module.eval().start(x, real), []
        for _ in range(1_100):
            begin = time.perf_counter()
            _, state = module.step(state, past[:, :, 0], known[:, 0])
            spent.append(time.perf_counter() - begin)
    # A transformer's attention over what was said before is the part that grows; small beside the rest.
    assert min(spent[1_000:]) < 2 * min(spent[:100])


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({**LSTM, "bidirectional": True}, "set `bidirectional: false`"),
        ({**TRANSFORMER, "stride": 2}, "set `stride: 1`"),
        ({**TRANSFORMER, "heads": 3}, "a multiple of 6, not 16"),
        (pair(LSTM, LSTM), "this lstm hears its own past; set `hears_past: false`"),
        ({"type": "tcn", "causal": False, "kernel": 4}, "4 is even"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_to_do(fields: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Model.model_validate(fields)


def test_a_decoder_with_other_frames_than_the_target_is_refused() -> None:
    model = Model.model_validate(pair(CNN, CNN))
    with pytest.raises(ValueError, match="cnn makes 3 frames of the 12 steps of the target; set its `stride: 1`"):
        model.build(BANDS, TARGET)
