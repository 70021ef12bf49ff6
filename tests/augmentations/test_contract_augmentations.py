"""What every augmentation must hold, for every file in data/augmentations/."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from corpora import put_sound
from tympan.data.augmentations import Augmentation
from tympan.features import Feature
from tympan.models import Model
from tympan.output import Output
from tympan.pipeline import Pipeline
from tympan.signals import Signal

torch.set_num_threads(1)

NAMES = Augmentation.names()
SIGNALS = {
    "waveform": Signal(("mono",), 2000.0, 2.0),
    "features": Signal(tuple(f"mel_{i}" for i in range(64)), 100.0, 2.0),
}
SIGNALS["recording"] = SIGNALS["waveform"]
CLIPS = 64


SOUNDS = "memory://augmentations/sounds"


@pytest.fixture(autouse=True, scope="module")
def _sounds() -> None:
    """A folder of short noises, which serve as backgrounds and as rooms."""
    rng = np.random.default_rng(0)
    for i in range(16):
        tail = rng.standard_normal(900) * np.exp(-np.arange(900) / 100)
        put_sound(f"{SOUNDS}/{i}.wav", (0.1 * tail / np.abs(tail).max()).astype(np.float32), 2000)


NEEDED: dict[str, dict[str, object]] = {name: {"folder": SOUNDS} for name in ("background", "impulse_response")}


def choose(name: str, **fields: object) -> Augmentation:
    return Augmentation.model_validate({"type": name, **NEEDED.get(name, {}), **fields})


def clips(augmentation: Augmentation) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Signal]:
    """Noise, an eighth of the clips short and padded on the left; whose keys differ in epoch and in index."""
    signal = SIGNALS[augmentation.on]
    x = torch.randn(CLIPS, len(signal.channels), signal.frames, generator=torch.Generator().manual_seed(0))
    real = torch.ones(CLIPS, signal.frames, dtype=torch.bool)
    real[::8, : signal.frames * 3 // 4] = False
    return x * real[:, None], real, torch.tensor([(i % 3, i) for i in range(CLIPS)]), signal


def changed(y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return (y != x).flatten(1).any(1)


@pytest.mark.parametrize("name", NAMES)
def test_it_really_changes_its_input(name: str) -> None:
    augmentation = choose(name)
    x, real, key, signal = clips(augmentation)
    before = x.clone()
    y, there = augmentation(x, real, key, 0, signal)
    assert changed(y, x).float().mean() > 0.95
    assert x.equal(before), "the tensor given must not be written to"
    assert (y.shape, y.dtype, there.shape, there.dtype) == (x.shape, x.dtype, real.shape, real.dtype)
    assert y.isfinite().all()
    assert there.any(1).all(), "something must be left to hear"


@pytest.mark.parametrize("name", NAMES)
def test_its_probability_holds(name: str) -> None:
    x, real, key, signal = clips(choose(name))
    y, there = choose(name, p=0.0)(x, real, key, 0, signal)
    assert y.equal(x)
    assert there.equal(real)
    share = changed(choose(name, p=0.25)(x, real, key, 0, signal)[0], x).float().mean()
    assert 0.1 < share < 0.4  # of 64 clips: three deviations to each side


@pytest.mark.parametrize("name", NAMES)
def test_it_is_pure_in_seed_epoch_and_index(name: str) -> None:
    augmentation = choose(name, p=0.7)
    x, real, key, signal = clips(augmentation)
    state = torch.get_rng_state()
    y, there = augmentation(x, real, key, 0, signal)
    assert torch.get_rng_state().equal(state), "no global random numbers"
    assert augmentation(x, real, key, 0, signal)[0].equal(y)
    if augmentation.mixes:  # with the next clip of its batch
        return
    order = torch.randperm(CLIPS, generator=torch.Generator().manual_seed(0))
    mixed, mixed_there = augmentation(x[order], real[order], key[order], 0, signal)
    torch.testing.assert_close(mixed, y[order])
    assert mixed_there.equal(there[order])
    for i in range(8):
        alone, _ = augmentation(x[i : i + 1], real[i : i + 1], key[i : i + 1], 0, signal)
        torch.testing.assert_close(alone, y[i : i + 1])


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_epoch_or_index_draws_anew(name: str) -> None:
    augmentation = choose(name)
    x, real, key, signal = clips(augmentation)
    y = augmentation(x, real, key, 0, signal)[0]
    for other, seed in ((key, 1), (key + torch.tensor([1, 0]), 0), (key + torch.tensor([0, 1]), 0)):
        assert changed(augmentation(x, real, other, seed, signal)[0], y).float().mean() > 0.8


@pytest.mark.parametrize("name", [name for name in NAMES if choose(name).on != "recording"])
def test_gradients_pass_through(name: str) -> None:
    augmentation = choose(name)
    x, real, key, signal = clips(augmentation)
    x.requires_grad_()
    augmentation(x, real, key, 0, signal)[0].square().sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert x.grad.any()


@pytest.mark.parametrize("name", [name for name in NAMES if choose(name).on != "recording"])
def test_it_is_the_same_where_gradients_are_wanted_and_where_its_input_may_be_written_to(name: str) -> None:
    augmentation = choose(name, p=0.7)
    x, real, key, signal = clips(augmentation)
    y, there = augmentation(x, real, key, 0, signal)
    followed, followed_there = augmentation(x.clone().requires_grad_(), real, key, 0, signal)
    torch.testing.assert_close(followed.detach(), y, rtol=1e-4, atol=1e-4)
    assert followed_there.equal(there)
    written, written_there = augmentation(x.clone(), real, key, 0, signal, ours=True)
    assert written.equal(y)
    assert written_there.equal(there)


@pytest.mark.parametrize("name", [name for name in NAMES if choose(name).on != "recording"])
def test_it_works_on_the_device_of_its_tensors(name: str) -> None:
    # A tensor made on the processor does not go with one on "meta", as it does not with one on a GPU.
    augmentation = choose(name)
    x, real, _, signal = clips(augmentation)
    uniform = torch.rand(CLIPS, augmentation.draws, device="meta")
    y, there = augmentation.change(x.to("meta"), real.to("meta"), uniform, signal)
    assert y.is_meta and there.is_meta


@pytest.mark.parametrize("name", NAMES)
def test_sound_moves_only_where_that_is_declared(name: str) -> None:
    augmentation = choose(name)
    x, real, key, signal = (clip[1::2] if isinstance(clip, torch.Tensor) else clip for clip in clips(augmentation))
    place, near = signal.frames // 4, 0.01 * signal.frames / signal.duration  # a frame spreads over a few samples
    x[:, :, place] = 1000.0
    y, there = augmentation(x, real, key, 0, signal)
    stays = ((y.abs().amax(1).argmax(1) - place).abs() <= near).float().mean()
    assert (stays < 0.2) if augmentation.moves_sound else (stays > 0.5 and there.equal(real))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_off_in_evaluation(name: str) -> None:
    def made(augmentations: list[Augmentation]) -> Pipeline:
        torch.manual_seed(0)
        feature = Feature.model_validate({"type": "mel", "n_mels": 64, "window": 0.256, "hop": 0.01})
        output = Output.model_validate({"target": {"type": "continuous", "quantities": ["a"]}})
        model = Model.model_validate({"type": "cnn", "width": 4, "layers": 1})
        return Pipeline(SIGNALS["waveform"], "left", feature, model, {"a": output}, augmentations)

    x, key = torch.randn(2, 1, 4000), torch.tensor([[0, 0], [0, 1]])
    augmented, plain = made([choose(name)]), made([])
    assert augmented.eval().represent(x, key)[0].equal(plain.represent(x)[0])
    if augmented.representation.augmentations["waveform"] + augmented.representation.augmentations["features"] and (
        name != "gain"  # standardised decibels do not know of it
    ):
        assert not augmented.train().represent(x, key)[0].equal(plain.represent(x)[0])


def many(
    augmentation: Augmentation, x: torch.Tensor, signal: Signal, n: int = 2000
) -> tuple[torch.Tensor, torch.Tensor]:
    real = torch.ones(n, x.shape[2], dtype=torch.bool)
    key = torch.stack([torch.arange(n) // 50, torch.arange(n) % 50], 1)
    return augmentation(x.expand(n, -1, -1), real, key, 3, signal)


def test_gain_is_even_in_decibels() -> None:
    x = torch.ones(1, 1, 4)
    y, _ = many(choose("gain"), x, SIGNALS["waveform"])
    level = 20 * y[:, 0].log10()
    assert level.std(1).max() < 1e-4
    level = level[:, 0]
    assert level.min() >= -12 and level.max() <= 12
    assert abs(float(level.mean())) < 0.6
    assert abs(float(level.std()) - 24 / 12**0.5) < 0.3
    with pytest.raises(ValueError, match=r"gain\.low is 3 dB, above high, -3 dB"):
        choose("gain", low=3.0, high=-3.0)


def test_time_shift_moves_evenly_both_ways_and_leaves_padding() -> None:
    signal = Signal(("mono",), 100.0, 2.0)
    x = torch.arange(1.0, 201.0)[None, None]
    y, real = many(choose("time_shift", max_shift=0.3), x, signal)
    middle = y[:, 0, 100] - 101  # the sample that came to the middle, from earlier where it is negative
    assert middle.min() == -30 and middle.max() == 30
    assert abs(float(middle.mean())) < 1.5
    assert abs(float(middle.std()) - 61 / 12**0.5) < 0.8
    for row, there, moved in zip(y[:50, 0], real[:50], middle[:50].int().tolist(), strict=True):
        expected = torch.nn.functional.pad(x[0, 0], (30, 30))[30 + moved : 230 + moved]
        assert row.equal(expected)
        assert there.equal(expected > 0)


def test_a_short_clip_is_not_shifted_away() -> None:
    augmentation = choose("time_shift", max_shift=1.0)
    x, real, key, signal = clips(augmentation)
    sound = real.sum(1)
    _, there = augmentation(x, real, key, 0, signal)
    assert (there.sum(1) >= sound // 2).all()
    assert (there.sum(1) < sound).any()


@pytest.mark.parametrize(("name", "width"), [("frequency_mask", 10), ("time_mask", 0.1)])
def test_a_mask_hides_one_band_behind_the_mean(name: str, width: float) -> None:
    signal = SIGNALS["features"]
    x = torch.rand(1, 64, 200) + 5
    y, real = many(choose(name, max_width=width), x, signal, n=600)
    hidden = (y != x).all(1 if name == "time_mask" else 2)
    assert ((y != x).any(1 if name == "time_mask" else 2) == hidden).all()
    widths = hidden.sum(1)
    assert widths.min() == 1 and widths.max() == 10
    assert abs(float(widths.float().mean()) - 5.5) < 0.4
    assert ((hidden[:, 1:] & ~hidden[:, :-1]).sum(1) + hidden[:, 0]).unique().tolist() == [1]
    share = hidden.float().mean(0)
    inner = share[10:-10]
    assert inner.min() > 0 and inner.max() < 4 * inner.mean()
    torch.testing.assert_close(y[y != x], x.mean().expand(int((y != x).sum())))
    assert real.all()


@pytest.mark.parametrize("name", ["frequency_mask", "time_mask", "coarse_dropout", "affine_shift"])
def test_what_is_hidden_has_the_mean_that_is_known(name: str) -> None:
    signal = SIGNALS["features"]
    x = torch.rand(1, 64, 200) + 5
    y, _ = many(choose(name), x, replace(signal, mean=-3.0), n=50)
    assert ((y == -3) | (y >= 5)).all()
    assert (y == -3).flatten(1).any(1).all()


@pytest.mark.parametrize("name", ["frequency_mask", "time_mask"])
def test_several_masks_hide_more(name: str) -> None:
    x, signal = torch.rand(1, 64, 200), SIGNALS["features"]
    one, _ = many(choose(name), x, signal, n=200)
    eight, _ = many(choose(name, masks=8), x, signal, n=200)
    assert (eight != x).float().mean() > 1.5 * (one != x).float().mean()
    followed, _ = many(choose(name, masks=8), x.clone().requires_grad_(), signal, n=200)
    torch.testing.assert_close(followed.detach(), eight)


def test_a_time_mask_falls_on_sound_and_its_mean_is_that_of_the_sound() -> None:
    augmentation = choose("time_mask")
    x, real, key, signal = clips(augmentation)
    x = (x + 7) * real[:, None]
    y, _ = augmentation(x, real, key, 0, signal)
    where = y != x
    assert not where[~real[:, None].expand_as(where)].any()
    assert (where.any(1).sum(1) <= real.sum(1) // 2).all()
    mean = x.sum((1, 2)) / (real.sum(1) * 64)
    torch.testing.assert_close(y[where], mean[:, None, None].expand_as(x)[where])


def test_a_band_wider_than_half_the_channels_is_refused() -> None:
    x, real, key, signal = clips(choose("frequency_mask"))
    with pytest.raises(ValueError, match="features' 64 channels; set it to at most 32"):
        choose("frequency_mask", max_width=33)(x, real, key, 0, signal)
