"""The mel spectrogram against torchaudio, librosa and tones, and bands that would be empty."""

import librosa
import numpy as np
import pytest
import torch
import torchaudio

from tympan.component import AssumptionWarning
from tympan.features.mel import Mel
from tympan.signals import Signal

TOLERANCE = 8e-3  # dB: 1e-4 of the range of 80 dB


def audio(samples, rate=16000):
    return Signal(("audio",), float(rate), samples / rate)


def sound(samples, rate=16000):
    """Decaying partials in a little noise."""
    t = torch.arange(samples) / rate
    tones = sum(torch.exp(-8 * k * (t % 0.3)) * torch.sin(2 * torch.pi * 173 * k**1.2 * t) / k for k in range(1, 12))
    return (0.2 * tones + 0.003 * torch.randn(samples, generator=torch.Generator().manual_seed(2)))[None, None]


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize(("rate", "f_min", "f_max"), [(16000, 0.0, None), (44100, 50.0, 12000.0)])
def test_equals_torchaudio_over_several_blocks(power, rate, f_min, f_max):
    samples = 12 * rate
    x = sound(samples, rate)
    module, _ = Mel(window=0.03, n_fft=2048, power=power, f_min=f_min, f_max=f_max).build(audio(samples, rate))
    window, hop = round(0.03 * rate), round(0.01 * rate)
    y = torchaudio.transforms.MelSpectrogram(rate, 2048, window, hop, f_min, f_max, n_mels=80, power=power)(x)
    y = torchaudio.transforms.AmplitudeToDB("magnitude" if power == 1 else "power", top_db=80)(y)
    torch.testing.assert_close(module(x), y[:, 0], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize(("rate", "f_min", "f_max"), [(16000, 0.0, None), (22050, 50.0, 9000.0)])
def test_equals_librosa(power, rate, f_min, f_max):
    x = sound(2 * rate, rate)
    mel = Mel(window="600 samples", hop="200 samples", n_fft=1024, n_mels=64, f_min=f_min, f_max=f_max, power=power)
    module, _ = mel.model_copy(update={"convention": "librosa"}).build(audio(2 * rate, rate))
    fields = {"n_fft": 1024, "win_length": 600, "hop_length": 200, "n_mels": 64, "fmin": f_min, "fmax": f_max}
    y = librosa.feature.melspectrogram(y=x[0, 0].numpy(), sr=rate, power=power, **fields)
    y = librosa.amplitude_to_db(y) if power == 1 else librosa.power_to_db(y)
    np.testing.assert_allclose(module(x)[0], y, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("convention", ["torchaudio", "librosa"])
def test_a_higher_tone_is_in_a_higher_band(convention):
    n = torch.arange(16000)
    module, signal = Mel(convention=convention).build(audio(16000))
    x = torch.stack([torch.sin(2 * torch.pi * f * n / 16000) for f in (200, 400, 900, 2000, 4500, 7500)])[:, None]
    bands = module(x).mean(2).argmax(1)
    assert (bands.diff() > 0).all()
    assert signal.channels[:2] == ("mel_0", "mel_1")


def test_the_transform_is_lengthened_until_no_band_is_empty():
    mel = Mel(window="400 samples", hop="160 samples", n_mels=128)
    with pytest.warns(AssumptionWarning, match=r"of the 128 mel bands .* 512 samples .* n_fft is taken as 2048.*keep"):
        module, signal = mel.build(audio(44100, 44100))
    x = 0.1 * torch.randn(1, 1, 44100, generator=torch.Generator().manual_seed(0))
    y = module(x)[0]
    assert y.shape == (128, 1 + 44100 // 160) == (128, signal.frames)
    # White noise fills every band about evenly, and an empty one would lie at the floor.
    assert y.mean(1).min() > y.max() - 60
    told, _ = mel.model_copy(update={"n_fft": 2048}).build(audio(44100, 44100))
    torch.testing.assert_close(told(x)[0], y)


def test_empty_bands_can_be_kept_as_the_library_has_them():
    x = sound(44100, 44100)
    mel = Mel(window="400 samples", hop="160 samples", n_mels=128, empty_filters="keep")
    y = mel.build(audio(44100, 44100))[0](x)
    with pytest.warns(UserWarning, match="all zero"):
        peer = torchaudio.transforms.MelSpectrogram(44100, 512, 400, 160, n_mels=128)
    torch.testing.assert_close(y, torchaudio.transforms.AmplitudeToDB(top_db=80)(peer(x))[:, 0], rtol=0, atol=TOLERANCE)


def test_the_recipe_of_kac_drumset_is_reached_by_fields():
    x = sound(48000, 48000)
    lengths = {"window": "512 samples", "hop": "256 samples"}
    module, signal = Mel(n_mels=32, f_min=22.05, scale="linear", **lengths).build(audio(48000, 48000))
    peer = torchaudio.transforms.MelSpectrogram(48000, 512, 512, 256, 22.05, n_mels=32, power=2)
    torch.testing.assert_close(module(x), peer(x)[:, 0], rtol=1e-4, atol=1e-4)
    assert signal.frames == -(-48001 // 256)


def test_bands_that_no_transform_could_fill_are_refused():
    with pytest.raises(ValueError, match="set fewer n_mels or a wider range"):
        Mel(f_min=1000, f_max=1001).build(audio(16000))


def test_frequencies_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="set f_max to at most 4000"):
        Mel(f_max=4001).build(audio(8000, 8000))
    with pytest.raises(ValueError, match="f_min 5000 Hz is not below f_max, 4000 Hz"):
        Mel(f_min=5000).build(audio(8000, 8000))
