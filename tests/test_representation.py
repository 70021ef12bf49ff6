"""Sound becomes what a model hears: its level, its rate and its channels, and padding that tells nothing."""

import numpy as np
import pytest
import soxr
import torch
from torch.nn.functional import pad

from tympan.features import Feature
from tympan.representation import Representation, level
from tympan.signals import Signal

PLAIN = {"type": "waveform", "normalize": "none"}


def heard(audio: Signal, padding: str = "left", **fields: object) -> Representation:
    side = "left" if padding == "left" else "right"
    return Representation(audio, side, Feature.model_validate({**PLAIN, **fields})).eval()


def sound(rate: float, samples: int, channels: tuple[str, ...] = ("mono",)) -> Signal:
    return Signal(channels, rate, samples / rate)


def noise(batch: int, channels: int, samples: int) -> torch.Tensor:
    return torch.randn(batch, channels, samples, generator=torch.Generator().manual_seed(0))


def there(samples: torch.Tensor, length: int, padding: str) -> torch.Tensor:
    place = torch.arange(length)
    return place >= length - samples[:, None] if padding == "left" else place < samples[:, None]


@pytest.mark.parametrize("padding", ["left", "right"])
@pytest.mark.parametrize("channels", [1, 2])
def test_min_max_stretches_the_real_samples_and_moves_their_mean(padding: str, channels: int) -> None:
    samples = torch.tensor([500, 300, 7])
    real = there(samples, 500, padding)
    # All above 0, so that padding would be the smallest value if it counted.
    x = (noise(3, channels, 500).abs() + 1) * real[:, None]
    audio = sound(1000.0, 500, ("left", "right")[:channels])
    y, _ = heard(audio, padding, normalize="min_max")(x, samples=samples)
    for clip, out, mask in zip(x.numpy(), y.numpy(), real.numpy(), strict=True):
        inside = clip[:, mask]
        expected = 2 * (inside - inside.min()) / (inside.max() - inside.min()) - 1
        np.testing.assert_allclose(out[:, mask], expected, atol=1e-6)
        assert out.min() == -1 and out.max() == 1
        assert not out[:, ~mask].any()


@pytest.mark.parametrize("padding", ["left", "right"])
def test_a_constant_clip_and_one_of_padding_alone_are_zeros_after_min_max(padding: str) -> None:
    samples = torch.tensor([100, 60, 0])
    x = torch.full((3, 2, 100), 0.3) * there(samples, 100, padding)[:, None]
    y, _ = heard(sound(1000.0, 100, ("left", "right")), padding, normalize="min_max")(x, samples=samples)
    assert y.equal(torch.zeros(3, 2, 100))


@pytest.mark.parametrize("to", ["peak", "min_max"])
def test_channels_keep_their_balance(to: str) -> None:
    x = noise(1, 2, 400)
    x[:, 1] *= 0.01
    y, _ = heard(sound(1000.0, 400, ("left", "right")), normalize=to)(x)
    left, right = y[0].std(1)
    assert float(right / left) == pytest.approx(float(x[0, 1].std() / x[0, 0].std()), rel=1e-4)


def test_peak_is_the_largest_magnitude_and_none_leaves_the_sound_alone() -> None:
    x, real = noise(2, 2, 50), torch.ones(2, 50, dtype=torch.bool)
    assert level(x, real, "peak").abs().amax((1, 2)).tolist() == [1.0, 1.0]
    assert level(x, real, "none") is x


def chirp(rate: float, seconds: float, high: float) -> torch.Tensor:
    """A sine that rises from 50 Hz to `high`, and comes and goes softly."""
    n = round(rate * seconds)
    t = torch.arange(n, dtype=torch.float64) / rate
    return (torch.sin(2 * torch.pi * (50 * t + (high - 50) * t**2 / (2 * seconds))) * torch.hann_window(n)).float()


@pytest.mark.parametrize(
    ("old", "new"), [(48000, 16000), (44100, 16000), (16000, 22050), (8000, 16000), (44100, 48000), (16000, 8000)]
)
def test_a_feature_at_its_own_rate_hears_what_soxr_gives(old: int, new: int) -> None:
    x = chirp(float(old), 1.0, 0.85 * min(old, new) / 2)
    made = heard(sound(float(old), old), sample_rate=new)
    y, real = made(x[None, None])
    peer = soxr.resample(x.numpy(), old, new, quality="VHQ")
    assert y.shape == (1, 1, new) and real.all() and made.signal.rate == new
    # The ends, where the filter reaches out of the clip, are left out.
    inner = slice(new // 20, -new // 20)
    np.testing.assert_allclose(y[0, 0, inner], peer[inner], atol=1e-4)


def test_what_the_new_rate_cannot_hold_leaves_no_alias() -> None:
    t = torch.arange(48000, dtype=torch.float64) / 48000
    x = torch.sin(2 * torch.pi * 9000 * t).float()[None, None]
    y, _ = heard(sound(48000.0, 48000), sample_rate=16000)(x)
    assert y[..., 1000:-1000].abs().max() < 1e-6


@pytest.mark.parametrize("padding", ["left", "right"])
@pytest.mark.parametrize(("old", "new", "missing"), [(48000, 16000, 3000), (16000, 48000, 1001), (44100, 16000, 4410)])
def test_a_padded_clip_is_resampled_as_if_it_had_been_cut(padding: str, old: int, new: int, missing: int) -> None:
    length = 9 * 1470
    x = noise(1, 1, length - missing)
    sides = (missing, 0) if padding == "left" else (0, missing)
    made = heard(sound(float(old), length), padding, sample_rate=new)
    padded, real = made(pad(x, sides), samples=torch.tensor([length - missing]))
    cut, _ = heard(sound(float(old), length - missing), padding, sample_rate=new)(x)
    assert padded.shape[2] == made.signal.frames == length * new // old
    assert not padded[:, :, ~real[0]].any()
    assert abs(int(real.sum()) - (length - missing) * new / old) <= 1
    n = min(int(real.sum()), cut.shape[2])
    torch.testing.assert_close(padded[0, 0, real[0]][:n], cut[0, 0, :n], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("old", "new", "samples"), [(48000, 16000, 1), (44100, 16000, 2), (8000, 48000, 1)])
def test_the_shortest_sounds_are_resampled(old: int, new: int, samples: int) -> None:
    made = heard(sound(float(old), samples), sample_rate=new)
    y, real = made(torch.ones(2, 1, samples))
    assert y.shape == (2, 1, made.signal.frames) and y.isfinite().all() and real.any()


def test_a_feature_at_the_datas_own_rate_needs_no_filter() -> None:
    assert heard(sound(16000.0, 100), sample_rate=16000).resample is None
    assert not heard(sound(16000.0, 100), sample_rate=8000).state_dict()


def test_rates_that_share_no_divisor_are_refused() -> None:
    with pytest.raises(ValueError, match="set the data's sample_rate to 22051"):
        heard(sound(44100.0, 44100), sample_rate=22051)


@pytest.mark.parametrize("name", ["mel", "mfcc", "spectrogram"])
def test_frames_of_a_feature_at_its_own_rate_stay_where_the_sound_is(name: str) -> None:
    fields = {"window": 0.032, "hop": 0.01, "standardize": "none", **({"n_mels": 40} if name != "spectrogram" else {})}
    x = torch.zeros(1, 1, 48000)
    x[:, :, 30000:31000] = noise(1, 1, 1000)
    own, _ = heard(sound(48000.0, 48000), type=name, **fields)(x)
    lower, _ = heard(sound(48000.0, 48000), type=name, sample_rate=16000, **fields)(x)
    for y in (own, lower):
        changed = (y - y[:, :, :1]).abs().sum(1)[0]
        assert 60 <= int(changed.argmax()) <= 67


def test_padding_of_a_feature_at_its_own_rate_is_silent_and_marked() -> None:
    made = heard(sound(48000.0, 48000), type="mel", n_mels=20, window=0.032, hop=0.01, sample_rate=16000)
    x = noise(1, 1, 48000)
    x[:, :, :24000] = 0
    y, real = made(x, samples=torch.tensor([24000]))
    assert real[0].nonzero()[0] == 50
    assert not y[:, :, :50].any() and y[:, :, 50:].any(1).all()


def test_swapping_the_sides_swaps_their_bands() -> None:
    made = heard(sound(16000.0, 8000, ("left", "right")), type="mel", n_mels=20, standardize="channel")
    x = noise(2, 2, 8000)
    x[:, 0] *= torch.linspace(0, 1, 8000)
    y, swapped = made(x)[0], made(x.flip(1))[0]
    assert swapped.equal(torch.cat([y[:, 20:], y[:, :20]], 1))
    assert not swapped.equal(y)
    assert made.signal.channels[:2] == ("left mel_0", "left mel_1")
    assert made.signal.channels[20] == "right mel_0" and made.signal.planes == 2


def test_the_channels_of_a_waveform_are_those_of_the_sound() -> None:
    made = heard(sound(16000.0, 100, ("bell", "chest")))
    assert made.signal.channels == ("bell", "chest") and made.signal.planes == 2
    x = noise(1, 2, 100)
    assert made(x)[0].equal(x)
