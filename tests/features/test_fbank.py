"""Kaldi's filter bank against torchaudio's port of it."""

import pytest
import torch
from torchaudio.compliance import kaldi

from tympan.component import AssumptionWarning
from tympan.features.fbank import Fbank
from tympan.signals import Signal

# Natural logarithms, which range from -16 to about 7. Where a narrow band has one bin, and that is near a null, 32-bit
# numbers move either side by 3e-3 from what 64 bits give; all but a few values are a thousand times closer.
TOLERANCE, MEDIAN = 5e-3, 1e-5


def audio(samples, rate=16000):
    return Signal(("audio",), float(rate), samples / rate)


def sound(samples, rate=16000):
    """A gliding tone on a constant, in a little noise."""
    t = torch.arange(samples) / rate
    glide = torch.sin(2 * torch.pi * (100 * t + 300 * t**2))
    return (0.1 + 0.3 * glide + 0.02 * torch.randn(samples, generator=torch.Generator().manual_seed(4)))[None, None]


@pytest.mark.parametrize(("rate", "n_mels", "window_type", "preemphasis", "power"), [
    (16000, 128, "hanning", 0.97, 2),
    (16000, 64, "povey", 0.97, 2),
    (8000, 40, "hanning", 0.0, 2),
    (44100, 80, "povey", 0.9, 2),
    (16000, 64, "povey", 0.97, 1),
])  # fmt: skip
def test_equals_kaldi(rate, n_mels, window_type, preemphasis, power):
    samples = 12 * rate + 77
    x = sound(samples, rate)
    fields = {"n_mels": n_mels, "window_type": window_type, "preemphasis": preemphasis, "power": power}
    module, signal = Fbank(**fields, empty_filters="keep").build(audio(samples, rate))
    y = kaldi.fbank(
        x[0],
        htk_compat=True,
        sample_frequency=rate,
        use_energy=False,
        window_type=window_type,
        num_mel_bins=n_mels,
        dither=0.0,
        frame_shift=10,
        preemphasis_coefficient=preemphasis,
        use_power=power == 2,
    )
    assert signal.frames == len(y) and signal.unit == ("log power" if power == 2 else "log magnitude")
    difference = (module(x)[0] - y.T).abs()
    assert difference.max() < TOLERANCE and difference.median() < MEDIAN


def test_limits_of_frequency_equal_kaldi():
    x = sound(16000)
    module, _ = Fbank(n_mels=40, f_min=100, f_max=6000).build(audio(16000))
    y = kaldi.fbank(x[0], low_freq=100, high_freq=6000, num_mel_bins=40, dither=0.0, window_type="hanning")
    torch.testing.assert_close(module(x)[0], y.T, rtol=0, atol=TOLERANCE)


def test_ten_seconds_have_998_frames():
    with pytest.warns(AssumptionWarning, match="n_fft is taken as 1024"):
        _, signal = Fbank().build(audio(160000))
    assert signal.frames == 998 and signal.rate == 100


def test_a_constant_is_as_silent_as_silence():
    module, _ = Fbank(n_mels=40).build(audio(16000))
    floor = torch.finfo(torch.float32).eps
    expected = torch.full((1, 40, 98), floor).log()
    torch.testing.assert_close(module(torch.full((1, 1, 16000), 0.5)), expected)
    torch.testing.assert_close(module(torch.zeros(1, 1, 16000)), expected)
