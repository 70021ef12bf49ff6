"""Noise has its ratio, an equalizer its limits and no sound before its cause, a room its time."""

import numpy as np
import pytest
import torch

from tympan.data.augmentations import Augmentation
from tympan.signals import Signal

SIGNAL = Signal(("mono",), 8000.0, 1.0)
KEY = torch.tensor([[0, i] for i in range(50)])


def changed(x: torch.Tensor, name: str, **fields: float) -> torch.Tensor:
    real = torch.ones(len(x), x.shape[2], dtype=torch.bool)
    return Augmentation.model_validate({"type": name, **fields})(x, real, KEY[: len(x)], 0, SIGNAL)[0]


def impulse() -> torch.Tensor:
    x = torch.zeros(50, 1, 8000)
    x[..., 1000] = 1.0
    return x


def test_noise_is_normal_white_and_as_far_below_the_sound_as_it_says() -> None:
    x = torch.sin(torch.arange(8000.0) * 0.1).expand(50, 1, -1)
    noise = (changed(x, "gaussian_noise", low=20.0, high=20.0) - x)[:, 0]
    ratio = 10 * (x[:, 0].square().mean(1) / noise.square().mean(1)).log10()
    assert (ratio - 20).abs().max() < 0.3
    unit = noise / noise.std()
    assert float(unit.pow(4).mean()) == pytest.approx(3, abs=0.05)
    power = torch.fft.rfft(noise).abs().square().mean(0)[1:-1]
    assert float(power.view(-1, 43).mean(1).std() / power.mean()) < 0.05
    assert float((noise[0] @ noise[1]) / noise[0].square().sum()) == pytest.approx(0, abs=0.05)


def test_an_equalizer_keeps_to_its_gain_and_comes_after_its_cause() -> None:
    x = impulse()
    y = changed(x, "equalizer", max_gain=6.0)
    assert y[..., :1000].abs().max() < 1e-3
    level = 20 * torch.fft.rfft(y[:, 0]).abs().log10()
    assert level.abs().max() < 6.1
    assert (level.amax(1) - level.amin(1)).min() > 2
    assert (level.diff(dim=1).abs() < 1).all(), "smooth"


def test_an_equalizer_that_starts_too_high_is_refused() -> None:
    with pytest.raises(ValueError, match="lowest"):
        changed(impulse(), "equalizer", lowest=4000.0)


def test_a_room_falls_by_60_db_in_its_time_and_has_its_level() -> None:
    y = changed(impulse(), "room", shortest=0.4, longest=0.4, low=-10.0, high=-10.0)[:, 0]
    assert (y[:, :1000].abs() < 1e-6).all() and (y[:, 1000] - 1).abs().max() < 1e-5
    tail = y[:, 1001:].square()
    np.testing.assert_allclose(10 * tail.sum(1).log10(), -10, atol=0.1)
    early, late = tail[:, :400].mean(), tail[:, 1600:2000].mean()
    assert float(10 * (early / late).log10()) == pytest.approx(30, abs=1)  # 0.2 s later


@pytest.mark.parametrize(("name", "fields"), [("gaussian_noise", {"low": 30.0, "high": 20.0}), ("room", {"low": 0.0})])
def test_ranges_are_in_order(name: str, fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="exchange"):
        Augmentation.model_validate({"type": name, **fields})


def test_a_room_shorter_than_a_sample_has_no_tail() -> None:
    x = impulse()
    torch.testing.assert_close(changed(x, "room", shortest=1e-6, longest=1e-6), x, atol=1e-6, rtol=0)


def test_noise_over_nothing_is_nothing() -> None:
    x, real = torch.zeros(2, 1, 100), torch.zeros(2, 100, dtype=torch.bool)
    noise = Augmentation.model_validate("gaussian_noise")
    assert not noise(x, real, KEY[:2], 0, Signal(("mono",), 8000.0, 0.0125))[0].any()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"type": "gaussian_noise", "deviation": 0.01, "low": 5.0}, r"gaussian_noise\.low is not read: a deviation"),
        ({"type": "gaussian_noise", "deviation": 0.01, "low": 60.0}, r"gaussian_noise\.low is not read: a deviation"),
        ({"type": "gaussian_noise", "deviation": 0.01, "high": 6.0}, r"gaussian_noise\.high is not read"),
        ({"type": "codec", "codecs": ["gsm", "mulaw", "gsm"], "low": 0.7}, r"codec\.low .* names gsm and mulaw alone"),
        ({"type": "codec", "codecs": ["mulaw"], "high": 0.9}, r"codec\.high is not read: codecs names mulaw alone"),
    ],
)
def test_limits_that_nothing_reads_are_refused(fields: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Augmentation.model_validate(fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "gaussian_noise", "deviation": 0.01},
        {"type": "gaussian_noise", "low": 5.0, "high": 6.0},
        {"type": "codec", "codecs": ["gsm", "mulaw"]},
        {"type": "codec", "codecs": ["gsm", "mp3"], "low": 0.7},
    ],
)
def test_what_a_run_writes_of_itself_is_read_again(fields: dict) -> None:
    made = Augmentation.model_validate(fields)
    assert Augmentation.model_validate(made.model_dump()) == made
