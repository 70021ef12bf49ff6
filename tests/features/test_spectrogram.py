"""The spectrogram against torchaudio, librosa and a tone whose level is known."""

import librosa
import numpy as np
import pytest
import torch
import torchaudio

from tympan.features.spectrogram import Spectrogram
from tympan.signals import Signal

RATE = 16000


def audio(samples):
    return Signal(("audio",), float(RATE), samples / RATE)


def noise(samples):
    return 0.1 * torch.randn(1, 1, samples, generator=torch.Generator().manual_seed(1))


# Levels of single bins, some of them deep nulls: 1e-4 of the range of 80 dB.
@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize(("window", "n_fft"), [(400, 512), (401, 512), (512, 512), (400, 1024)])
def test_equals_torchaudio(power, window, n_fft):
    x = noise(12345)
    module, _ = Spectrogram(window=f"{window} samples", n_fft=n_fft, power=power).build(audio(12345))
    y = torchaudio.transforms.Spectrogram(n_fft, window, 160, power=power)(x)
    y = torchaudio.transforms.AmplitudeToDB("magnitude" if power == 1 else "power", top_db=80)(y)
    torch.testing.assert_close(module(x), y[:, 0], rtol=0, atol=8e-3)


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("window", [400, 401])
def test_equals_librosa(power, window):
    x = noise(12345)
    module, _ = Spectrogram(window=f"{window} samples", convention="librosa", power=power).build(audio(12345))
    y = np.abs(librosa.stft(x[0, 0].numpy(), n_fft=512, hop_length=160, win_length=window))
    y = librosa.amplitude_to_db(y, top_db=80) if power == 1 else librosa.power_to_db(y**2, top_db=80)
    np.testing.assert_allclose(module(x)[0], y, rtol=0, atol=8e-3)


@pytest.mark.parametrize(("convention", "least"), [("torchaudio", -200), ("librosa", -100)])
def test_silent_magnitudes_have_the_least_level_of_the_library(convention, least):
    module, _ = Spectrogram(convention=convention, power=1).build(audio(RATE))
    assert module(torch.zeros(1, 1, RATE)).unique().tolist() == [pytest.approx(least)]


def test_a_tone_is_in_the_channel_named_by_its_frequency():
    n = torch.arange(RATE)
    x = torch.sin(2 * torch.pi * 1000 * n / RATE)[None, None]
    module, signal = Spectrogram(scale="linear", power=1).build(audio(RATE))
    y = module(x)[0, :, 50]
    assert signal.channels[int(y.argmax())] == "1000 Hz"
    assert signal.unit == "magnitude"
    # A sine of amplitude 1 has half of its window's sum in its bin.
    assert y.max() == pytest.approx(100, rel=1e-4)


def test_scales_are_functions_of_each_other():
    x = noise(RATE)
    values = {s: Spectrogram(scale=s, top_db=None).build(audio(RATE)) for s in ("linear", "log", "decibel")}
    power = values["linear"][0](x)
    torch.testing.assert_close(values["log"][0](x), (power + 1e-6).log())
    torch.testing.assert_close(values["decibel"][0](x), 10 * power.clamp(min=1e-10).log10())
    assert [signal.unit for _, signal in values.values()] == ["power", "log power", "dB"]


def test_top_db_limits_the_range_of_each_clip():
    x = torch.cat([noise(RATE), 1e-3 * noise(RATE)]) * (torch.arange(RATE) > RATE // 2)
    module, _ = Spectrogram(top_db=30).build(audio(RATE))
    y = module(x)
    torch.testing.assert_close(y.amax((1, 2)) - y.amin((1, 2)), torch.tensor([30.0, 30.0]))
    assert float(y[0].max() - y[1].max()) == pytest.approx(60, abs=0.01)
