"""The pipeline with a model that hears its own past: taught with the truth, and speaking by itself."""

import numpy as np
import pytest
import torch

from tympan.features import Feature
from tympan.feedback import spoiled_past
from tympan.models import Model
from tympan.objectives import Target
from tympan.output import Output
from tympan.pipeline import Pipeline
from tympan.signals import Signal

torch.set_num_threads(1)

AUDIO = Signal(("mono",), 400.0, 4.0)
EDA = {"type": "continuous", "quantities": {"eda": "µS"}, "rate": 4, "mean": [2.0], "std": [0.5]}
MEL = {"type": "mel", "n_mels": 6, "window": 0.08, "hop": 0.02}
MODEL = {"type": "wavenet", "hidden_channels": 8, "skip_channels": 8, "context_size_in_seconds": 1.0}


def pipeline(target: dict | None = None, audio: Signal = AUDIO, feature: dict = MEL, **fields) -> Pipeline:
    torch.manual_seed(0)
    output = Output.model_validate({"target": target or EDA})
    return Pipeline(
        audio,
        "left",
        Feature.model_validate(feature),
        Model.model_validate({**MODEL, "past_noise": 0.0, **fields}),
        {"eda": output},
    )


def batch(n: int = 3) -> tuple[torch.Tensor, dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
    """Clips of which the second lacks its first second, as does its target, which has a hole besides."""
    generator = torch.Generator().manual_seed(1)
    waveform, truth = torch.randn(n, 1, 1600, generator=generator), torch.randn(n, 1, 16, generator=generator)
    waveform[1, :, :400] = 0
    truth[1, :, :4] = torch.nan
    truth[2, :, 7:9] = torch.nan
    samples = torch.tensor([1600, 1200, 1600])[:n]
    return waveform, {"eda": truth}, torch.tensor([[0, i] for i in range(n)]), samples


def test_in_training_each_step_hears_the_truth_before_it() -> None:
    made = pipeline(past_dropout=0.0).train()
    waveform, target, key, samples = batch()
    said = made(waveform, target, key, samples)["prediction"]["eda"]
    changed = {"eda": target["eda"].clone()}
    changed["eda"][:, :, 9] += 1
    other = made(waveform, changed, key, samples)["prediction"]["eda"]
    torch.testing.assert_close(said[:, :, :10], other[:, :, :10], atol=1e-6, rtol=0)
    assert (said[:, :, 10] - other[:, :, 10]).abs().max() > 1e-4


def test_free_answers_do_not_depend_on_the_target() -> None:
    made = pipeline().eval()
    waveform, target, key, samples = batch()
    with torch.no_grad():
        alone = made(waveform, samples=samples)["prediction"]["eda"]
        scored = made(waveform, target, key, samples)
    assert torch.equal(alone, scored["prediction"]["eda"])
    known = ~target["eda"].isnan()
    assert float(scored["loss"]) == pytest.approx(float((alone - target["eda"])[known].square().mean()), rel=1e-5)


def test_a_free_answer_is_a_taught_one_whose_truth_is_the_answer() -> None:
    made = pipeline().eval()
    waveform, _, _, samples = batch()
    with torch.no_grad():
        free = made(waveform, samples=samples)["prediction"]["eda"]
        free_but_padding = free.clone()
        free_but_padding[1, :, :4] = torch.nan
        taught = made.teacher_forced(waveform, {"eda": free_but_padding}, samples=samples)["prediction"]["eda"]
    torch.testing.assert_close(free, taught, atol=1e-5, rtol=1e-5)


def test_an_unknown_past_reaches_no_gradient() -> None:
    made = pipeline(past_dropout=0.0)
    waveform, target, key, samples = batch()
    made(waveform, target, key, samples)["loss"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in made.parameters())


def test_noise_on_the_past_is_decided_by_the_key_alone_and_has_its_deviation() -> None:
    past, known = torch.zeros(64, 2, 50), torch.ones(64, 50, dtype=torch.bool)
    known[:, :5] = False
    keys = torch.stack([torch.full((64,), 3), torch.arange(64)], 1)
    noisy, still = spoiled_past(past, known, 0.0, 0.5, keys, 7)
    assert torch.equal(still, known) and not noisy[:, :, :5].any()
    assert abs(float(noisy[:, :, 5:].std()) - 0.5) < 0.02 and abs(float(noisy[:, :, 5:].mean())) < 0.02
    alone, _ = spoiled_past(past[9:10], known[9:10], 0.0, 0.5, keys[9:10], 7)
    assert torch.equal(alone, noisy[9:10])
    assert not torch.equal(spoiled_past(past, known, 0.0, 0.5, keys + 1, 7)[0], noisy)


def test_a_dropped_past_is_decided_by_the_key_alone() -> None:
    waveform, target, _, _ = batch()
    keys = torch.tensor([[e, 5] for e in range(40)])
    many, truths = waveform[:1].expand(40, -1, -1), {"eda": target["eda"][:1].expand(40, -1, -1)}
    with torch.no_grad():
        never, always, some = (
            pipeline(past_dropout=p).train()(many, truths, keys)["prediction"]["eda"] for p in (0.0, 1.0, 0.5)
        )
        alone = pipeline(past_dropout=0.5).train()(many[3:4], {"eda": truths["eda"][3:4]}, keys[3:4])
    kept = (some - never).abs().amax((1, 2)) < 1e-6
    left = (some - always).abs().amax((1, 2)) < 1e-6
    assert (kept ^ left).all() and 8 < kept.sum() < 32
    torch.testing.assert_close(alone["prediction"]["eda"], some[3:4], atol=1e-6, rtol=0)


def test_dropping_needs_a_key() -> None:
    waveform, target, _, _ = batch()
    with pytest.raises(ValueError, match="need the `key`"):
        pipeline(past_dropout=0.5).train()(waveform, target)


def test_a_padded_clip_is_answered_as_if_it_had_been_cut() -> None:
    made = pipeline(feature={"type": "waveform"}).eval()
    waveform, _, _, samples = batch()
    cut = pipeline(audio=Signal(("mono",), 400.0, 3.0), feature={"type": "waveform"}).eval()
    cut.load_state_dict(made.state_dict())
    with torch.no_grad():
        padded = made(waveform, samples=samples)["prediction"]["eda"][1, :, 4:]
        whole = cut(waveform[1:2, :, 400:])["prediction"]["eda"][0]
    torch.testing.assert_close(padded, whole, atol=1e-5, rtol=1e-5)


def test_embeddings_are_those_of_free_answers() -> None:
    waveform, _, _, samples = batch()
    assert pipeline().embed(waveform, samples).shape == (3, 8)


@pytest.mark.parametrize(
    "target",
    [
        {"type": "continuous", "quantities": ["eda", "pulse"], "rate": 4},
        {"type": "categorical", "column": "c", "classes": ["p", "q", "r"], "rate": 4},
        {"type": "binary", "labels": ["x", "y"], "rate": 4},
        {"type": "quantised", "quantities": ["eda"], "rate": 4, "levels": 8, "limits": [0, 1]},
    ],
)
def test_every_target_with_a_rate_can_be_fed_back(target: dict) -> None:
    made = pipeline(target)
    fields = Target.model_validate(target)
    entry = {"c": ["p", "q"] * 8, "x": [0, 1] * 8, "y": [1, 1] * 8, "eda": [0.1] * 16, "pulse": [np.nan] * 16}
    truth = torch.stack([fields.encode(entry)] * 3)
    waveform, _, key, samples = batch()
    out = made.train()(waveform, {"eda": truth}, key, samples)
    out["loss"].backward()
    said = made.eval()(waveform, {"eda": truth}, key, samples)
    assert said["prediction"]["eda"].shape == out["prediction"]["eda"].shape
    assert said["loss"].isfinite()


def test_targets_without_a_past_are_refused() -> None:
    once = {"type": "continuous", "quantities": ["size"]}
    with pytest.raises(ValueError, match="give the target a `rate`"):
        pipeline(once)
    outputs = {name: Output.model_validate({"target": {**EDA, "quantities": [name]}}) for name in "ab"}
    with pytest.raises(ValueError, match=r"there are 2 \(a, b\); keep one"):
        Pipeline(AUDIO, "left", Feature.model_validate(MEL), Model.model_validate(MODEL), outputs)


def loudness(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Half seconds of loud or soft noise, and what leaks slowly out of a vessel that loud ones fill, at 4 Hz."""
    rng = np.random.default_rng(seed)
    loud = rng.integers(0, 2, (n, 8))
    waveform = (0.1 + 0.9 * np.repeat(loud, 200, 1)) * rng.normal(size=(n, 1600))
    level, curve = np.zeros(n), []
    for step in range(16):
        level = 0.8 * level + 0.2 * loud[:, step // 2]
        curve.append(level)
    return torch.tensor(waveform, dtype=torch.float32)[:, None], torch.tensor(np.stack(curve, 1))[:, None].float()


def explained(target: dict, **fields) -> float:
    """The variance that free answers explain, of clips that are not those of training."""
    made = pipeline(target, feature={**MEL, "hop": 0.05, "normalize": "none", "standardize": "none"}, **fields)
    encode = made.outputs["eda"].target.encode
    (waveform, curve), (unheard, truth) = loudness(48, 1), loudness(32, 2)
    encoded = torch.stack([encode({"eda": c[0].numpy()}) for c in curve])
    optimizer = torch.optim.Adam(made.parameters(), lr=5e-3)
    for epoch in range(50):
        for some in torch.arange(48).split(12):
            key = torch.stack([torch.full_like(some, epoch), some], 1)
            optimizer.zero_grad()
            made.train()(waveform[some], {"eda": encoded[some]}, key)["loss"].backward()
            optimizer.step()
    said = torch.from_numpy(made.predict(unheard)["eda"]["eda"])
    return 1 - float((said - truth).square().mean() / truth.var(correction=0))


@pytest.mark.parametrize(
    "target",
    [
        pytest.param({**EDA, "mean": [0.4], "std": [0.2]}, marks=pytest.mark.slow),
        {"type": "quantised", "quantities": ["eda"], "rate": 4, "levels": 16, "limits": [0, 1]},
    ],
    ids=["continuous", "quantised"],
)
def test_what_the_sound_decides_is_learned_and_answered_freely(target: dict) -> None:
    assert explained(target, context_size_in_seconds=0.5) > 0.95
    if target["type"] == "continuous":
        # The vessel remembers longer than half a second, and so does only who hears what was answered before.
        assert explained(target, context_size_in_seconds=0.5, hears_past=False) < 0.9


def test_half_precision_answers_nearly_the_same() -> None:
    made = pipeline().eval()
    waveform, target, _, samples = batch()
    with torch.no_grad():
        exact = made(waveform, samples=samples)["prediction"]["eda"]
        with torch.autocast("cpu", torch.bfloat16):
            rough = made(waveform, target, samples=samples)["prediction"]["eda"]
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, atol=0.05, rtol=0.05)
    with torch.autocast("cpu", torch.bfloat16):
        pipeline(past_dropout=0.0).train()(waveform, target, samples=samples)["loss"].backward()


def test_it_works_on_the_device_of_its_weights() -> None:
    made = pipeline(past_dropout=0.0)
    x, real = made.represent(batch()[0])
    module = made.backbone.to("meta")
    past, known = torch.zeros(3, 1, 16, device="meta"), torch.ones(3, 16, dtype=torch.bool, device="meta")
    assert module(x.to("meta"), real.to("meta"), past, known).is_meta
