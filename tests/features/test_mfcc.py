"""Mel-frequency cepstral coefficients against torchaudio and librosa."""

import librosa
import numpy as np
import pytest
import torch
import torchaudio

from tympan.component import AssumptionWarning
from tympan.features import Feature
from tympan.features.mfcc import MFCC
from tympan.signals import Signal

# Coefficient 0 is about -600; 1e-4 of the 80 dB that the bands may range over.
TOLERANCE = 8e-3


def audio(samples, rate=16000):
    return Signal(("audio",), float(rate), samples / rate)


def noise(samples):
    return 0.1 * torch.randn(2, 1, samples, generator=torch.Generator().manual_seed(3)).cumsum(2).sin()


@pytest.mark.parametrize("power", [1, 2])
def test_equals_torchaudio(power):
    x = noise(32000)
    module, _ = MFCC(n_fft=1024, power=power).build(audio(32000))
    melkwargs = {"n_fft": 1024, "win_length": 400, "hop_length": 160, "n_mels": 128, "power": power}
    peer = torchaudio.transforms.MFCC(16000, 40, melkwargs=melkwargs)
    torch.testing.assert_close(module(x), peer(x)[:, 0], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("power", [1, 2])
def test_equals_librosa(power):
    x = noise(32000)
    module, _ = MFCC(n_mfcc=20, n_mels=64, convention="librosa", power=power).build(audio(32000))
    fields = {"n_fft": 512, "win_length": 400, "hop_length": 160, "n_mels": 64, "power": power}
    y = np.stack([librosa.feature.mfcc(y=clip.numpy(), sr=16000, n_mfcc=20, **fields) for clip in x[:, 0]])
    np.testing.assert_allclose(module(x), y, rtol=0, atol=TOLERANCE)


def test_the_conventions_are_far_apart():
    x = noise(16000)
    one, other = (MFCC(n_fft=1024, convention=c).build(audio(16000))[0](x) for c in ("torchaudio", "librosa"))
    assert (one - other).abs().max() > 100


def test_the_defaults_are_40_of_128_bands_in_windows_of_400_samples_160_apart_at_44100_hz():
    feature = Feature.model_validate("mfcc")
    assert isinstance(feature, MFCC)
    assert (feature.n_mfcc, feature.n_mels, feature.window, feature.hop) == (40, 128, "400 samples", "160 samples")
    assert feature.normalize == "peak"
    with pytest.warns(AssumptionWarning, match="n_fft is taken as 2048"):
        module, signal = feature.build(audio(44100, 44100))
    assert len(signal.channels) == 40 and signal.rate == 44100 / 160
    assert module(noise(44100)).shape == (2, 40, 276) == (2, 40, signal.frames)


def test_louder_by_20_db_moves_coefficient_0_alone():
    x = noise(16000)
    module, _ = MFCC(n_fft=1024).build(audio(16000))
    difference = module(x) - module(0.1 * x)
    torch.testing.assert_close(difference[:, 0], torch.full((2, 101), 20 * 128**0.5), rtol=0, atol=TOLERANCE)
    assert difference[:, 1:].abs().max() < TOLERANCE


def test_more_coefficients_than_bands_are_refused():
    with pytest.raises(ValueError, match="n_mfcc 40 is more than n_mels 32"):
        MFCC(n_mels=32)
