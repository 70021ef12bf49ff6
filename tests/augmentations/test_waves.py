"""Changes of the waveform do what they say: pitch, tempo, speed, level and band, by synthesised sound."""

import numpy as np
import pytest
import soxr
import torch
import torchaudio

from tympan.data.augmentations import Augmentation
from tympan.data.augmentations._vocoder import read, stretched
from tympan.signals import Signal

RATE, SECONDS = 16000, 2.0
SIGNAL = Signal(("mono",), float(RATE), SECONDS)
N = SIGNAL.frames


def changed(name: str, x: torch.Tensor, real: torch.Tensor | None = None, **fields: object):
    """The sound of the first clip that is real, and all."""
    augmentation = Augmentation.model_validate({"type": name, **fields})
    real = torch.ones(len(x), x.shape[2], dtype=torch.bool) if real is None else real
    key = torch.stack([torch.zeros(len(x)), torch.arange(len(x))], 1).long()
    y, there = augmentation(x, real, key, 0, SIGNAL)
    return y[0, 0][there[0]].numpy(), y, there


def tone(frequency: float = 440.0) -> torch.Tensor:
    return 0.3 * torch.sin(2 * torch.pi * frequency * torch.arange(N) / RATE)[None, None]


def peak(x: np.ndarray) -> float:
    """The strongest frequency (Hz) of the middle."""
    x = x[len(x) // 4 : -len(x) // 4]
    return float(np.abs(np.fft.rfft(x * np.hanning(len(x)), 1 << 20)).argmax()) * RATE / (1 << 20)


def cents(a: float, b: float) -> float:
    return abs(1200 * np.log2(a / b))


@pytest.mark.parametrize("steps", [-7.0, -0.5, 4.0, 6.0])
def test_a_pitch_moves_by_its_semitones_and_nothing_else(steps):
    y, _, there = changed("pitch_shift", tone(), low=steps, high=steps)
    assert cents(peak(y), 440 * 2 ** (steps / 12)) < 3 and there.all()
    assert np.std(y[N // 4 : -N // 4]) == pytest.approx(0.3 / 2**0.5, rel=0.15)


@pytest.mark.parametrize(
    ("name", "factor"), [("time_stretch", 0.7), ("time_stretch", 1.3), ("speed", 0.7), ("speed", 1.3)]
)
def test_tempo_changes_with_the_pitch_or_without(name, factor):
    y, _, there = changed(name, tone(), low=factor, high=factor)
    assert int(there.sum()) == min(N, int(np.ceil(N / factor)))
    assert there[0, -1] and cents(peak(y), 440 * (factor if name == "speed" else 1)) < 3


@pytest.mark.parametrize("name", ["time_stretch", "speed"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_short_clip_keeps_its_side_and_its_clicks_come_in_time(name, side):
    x, real = torch.zeros(1, 1, N), torch.zeros(1, N, dtype=torch.bool)
    first = N // 2 if side == "left" else 0
    real[:, first : first + N // 2] = True
    x[..., [first + N // 8, first + N // 4]] = 1.0
    y, _, there = changed(name, x, real, low=1.25, high=1.25)
    assert (
        len(y) == N // 2 / 1.25 and there[0, -1 if side == "left" else 0] and not there[0, 0 if side == "left" else -1]
    )
    loud = np.abs(y)
    for click in (N // 8, N // 4):  # the energy lies around the click, within a quarter of a frame
        near = slice(int(click / 1.25) - 800, int(click / 1.25) + 800)
        centre = (loud[near] ** 2 * np.arange(1600)).sum() / (loud[near] ** 2).sum()
        assert abs(centre - 800) < 256


@pytest.mark.parametrize("what", ["stretched", "read"])
def test_loops_and_tensors_agree(what):
    x = torch.randn(5, 9000, generator=torch.Generator().manual_seed(0))
    x[2, 3000:6000] = 0
    rate = torch.tensor([0.5, 0.9, 1.0, 1.3, 2.0])

    def made(x):
        return stretched(x, rate, 16000.0, 9000) if what == "stretched" else read(x, rate, 100 * rate, 9000)

    torch.testing.assert_close(made(x), made(x.clone().requires_grad_()).detach(), rtol=0, atol=2e-4)


def test_rate_1_changes_nothing():
    x = torch.randn(3, 9000, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(stretched(x, torch.ones(3), 16000.0, 9000)[:, :8000], x[:, :8000], rtol=0, atol=1e-4)


@pytest.mark.slow
def test_a_stretched_voice_has_the_spectrum_of_librosas():
    librosa = pytest.importorskip("librosa")
    rng = np.random.default_rng(0)
    t = np.arange(N) / RATE
    f0 = 120 + 30 * np.sin(2 * np.pi * 1.5 * t)
    x = sum(np.sin(h * 2 * np.pi * np.cumsum(f0) / RATE) / h for h in range(1, 20)) * (1 + np.sin(2 * np.pi * 3 * t))
    x = (0.05 * x + 1e-3 * rng.standard_normal(N)).astype(np.float32)
    ours = stretched(torch.from_numpy(x)[None], torch.tensor([1.3]), float(RATE), N)[0, : int(N / 1.3)].numpy()
    theirs = librosa.effects.time_stretch(x, rate=1.3, n_fft=1024, hop_length=256)[: len(ours)]
    a, b = (np.log(np.abs(librosa.stft(y, n_fft=1024)) + 1e-3)[:, 4:-4].ravel() for y in (ours, theirs))
    assert np.corrcoef(a, b)[0, 1] > 0.9


def test_speed_folds_nothing_back_into_hearing():
    y, _, _ = changed("speed", tone(7000.0), low=1.5, high=1.5)  # 10.5 kHz does not fit into 16 kHz
    assert np.std(y[2000:-2000]) < 0.3 / 2**0.5 * 10 ** (-25 / 20)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_sweep_that_is_read_is_as_near_to_the_ideal_one_as_torchaudios(factor):
    t = np.arange(N) / RATE
    x = np.sin(np.pi * 7200 / SECONDS * t**2)
    ideal = soxr.resample(x, RATE * factor, RATE, quality="VHQ")[: N - 500]
    sound = torch.from_numpy(x).float()[None]
    ours = read(sound, torch.tensor([factor]), torch.zeros(1), len(ideal))[0].numpy()
    theirs = torchaudio.functional.speed(sound, RATE, factor)[0][0, : len(ideal)].numpy()
    error, peers = (float(np.std((y - ideal)[500:-500])) for y in (ours, theirs))
    assert error < peers


def test_a_band_is_missing_and_the_rest_stays():
    x = torch.randn(64, 1, N, generator=torch.Generator().manual_seed(0))
    _, y, _ = changed("band_stop", x)
    gain = (torch.fft.rfft(y).abs() / torch.fft.rfft(x).abs())[:, 0]
    gone, kept = gain < 1e-3, (gain - 1).abs() < 1e-3
    assert gone.any(1).all() and (kept.float().mean(1) > 0.5).all()
    frequency = torch.fft.rfftfreq(N, 1 / RATE)
    octaves = [float((frequency[g].max() / frequency[g].min()).log2()) for g in gone]
    assert min(octaves) > 0.05 and max(octaves) < 0.8


def test_clipping_cuts_at_a_level_below_the_peak():
    _, y, _ = changed("clipping", tone().expand(64, -1, -1))
    below = -20 * (y.abs().amax((1, 2)) / 0.3).log10()
    assert 3 <= below.min() < 6 and 17 < below.max() <= 20.01


def test_cut_out_silences_one_stretch_of_the_sound():
    x, real = torch.ones(64, 1, N), torch.ones(64, N, dtype=torch.bool)
    real[::2, : N // 2] = False
    _, y, _ = changed("cut_out", x * real[:, None], real)
    cut = (y[:, 0] == 0) & real
    assert (cut.sum(1) >= 1).all() and (cut.sum(1) <= RATE // 2).all()
    assert ((cut[:, 1:] & ~cut[:, :-1]).sum(1) + cut[:, 0] == 1).all()


@pytest.mark.parametrize("name", ["pitch_shift", "time_stretch", "speed", "clipping"])
def test_ends_in_the_wrong_order_are_refused(name):
    with pytest.raises(ValueError, match=f"{name}.low is 1.5.*exchange them"):
        Augmentation.model_validate({"type": name, "low": 1.5, "high": 1.2})


@pytest.mark.parametrize(("name", "same"), [("gain", 0.0), ("pitch_shift", 0.0), ("speed", 1.0), ("time_stretch", 1.0)])
def test_what_would_change_nothing_is_refused(name: str, same: float):
    with pytest.raises(ValueError, match=f"{name}.low and high are both {same:g}.*, which changes nothing"):
        Augmentation.model_validate({"type": name, "low": same, "high": same})
    for fields in ({"p": 0.0, "high": same}, {"high": 1.5}):  # it is off, or it changes something
        Augmentation.model_validate({"type": name, "low": same, **fields})
