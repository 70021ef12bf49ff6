"""Changes that need files or codecs: what is heard, at which level, at which time, and in which process."""

import numpy as np
import pytest
import soundfile
import torch
from torch.utils.data import DataLoader

from runs_helpers import run_of
from tympan.data.augmentations import Augmentation
from tympan.data.augmentations._fourier import convolved
from tympan.runs.prepare import prepare

RATE = 16000


def disturbed(x: np.ndarray, *uniform: float, rate: int = RATE, **fields: object) -> np.ndarray:
    return Augmentation.model_validate(fields).disturb(x, np.array(uniform, np.float32), rate)


def chirp(seconds: float = 1.0) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * (200 + 1200 * t) * t) * (np.sin(2 * np.pi * 3 * t) > 0))[None].astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "below").mkdir()
    soundfile.write(tmp_path / "hum.wav", 0.2 * np.sin(2 * np.pi * 100 * np.arange(4000) / 8000), 8000)
    soundfile.write(tmp_path / "below" / "hiss.flac", 0.1 * rng.standard_normal(5 * RATE), RATE)
    return str(tmp_path)


def test_a_background_has_its_level_and_is_repeated_where_it_is_short(folder):
    x = chirp()
    for file, ratio in ((0.0, 0.0), (0.9, 1.0)):
        behind = disturbed(x, file, 0.5, ratio, type="background", folder=folder) - x
        level = 10 * np.log10(np.square(x).mean() / np.square(behind).mean())
        assert level == pytest.approx(5 + 25 * ratio, abs=0.1)
        assert np.square(behind[:, -1000:]).mean() > 0.2 * np.square(behind).mean()
    hum = disturbed(x, 0.9, 0.1, 0.5, type="background", folder=folder) - x
    spectrum = np.abs(np.fft.rfft(hum[0]))
    assert spectrum.argmax() * RATE / hum.shape[1] == pytest.approx(100, abs=2)


def test_a_room_delays_nothing(tmp_path):
    response = np.zeros(800)
    response[[300, 400]] = 1.0, 0.5
    soundfile.write(tmp_path / "room.wav", response, RATE, subtype="FLOAT")
    x = np.zeros((1, 2000), np.float32)
    x[0, 1000] = 1
    y = disturbed(x, 0.0, type="impulse_response", folder=str(tmp_path))[0]
    assert np.flatnonzero(np.abs(y) > 0.1).tolist() == [1000, 1100]
    assert np.square(y).sum() == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("samples", [1, 100, 9000])
@pytest.mark.parametrize("taps", [1, 7, 2049, 5000])
def test_blocks_are_convolved_into_the_whole(samples, taps):
    rng = np.random.default_rng(0)
    x, response = rng.normal(size=(2, samples)).astype(np.float32), rng.normal(size=taps).astype(np.float32)
    whole = np.stack([np.convolve(channel, response)[:samples] for channel in x.astype(np.float64)])
    np.testing.assert_allclose(convolved(x, response), whole, rtol=0, atol=1e-5 * np.abs(whole).max())


@pytest.mark.parametrize("name", ["mp3", "vorbis", "opus", "gsm", "mulaw"])
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_a_codec_keeps_length_and_time_and_loses_something(name, rate):
    x = chirp()
    y = disturbed(x, 0.0, 0.8, type="codec", codecs=[name], rate=rate)
    assert y.shape == x.shape
    error = y - x
    assert 1e-4 < np.std(error) / np.std(x) < (0.5 if rate < 44100 else 0.9)
    lag = np.argmax(np.correlate(y[0], x[0], "full")) - (x.shape[1] - 1)
    assert abs(lag) <= 1


def test_more_compression_loses_more():
    x = chirp() + 0.05 * np.random.default_rng(0).standard_normal((1, RATE)).astype(np.float32)
    best, least = (
        np.std(disturbed(x, 0.0, level, type="codec", codecs=["vorbis"], low=0.0) - x) for level in (0.0, 1.0)
    )
    assert least > 1.5 * best


@pytest.mark.parametrize("name", ["mp3", "vorbis", "opus"])
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_both_ends_of_compression_are_heard(name, level):
    y = disturbed(chirp(), 0.0, 0.5, type="codec", codecs=[name], low=level, high=level)
    assert np.std(y - chirp()) < 0.9 * np.std(chirp())


@pytest.mark.parametrize("workers", [0, 2])
def test_it_is_made_where_a_clip_is_read_in_training_alone(workers, folder, tmp_path):
    augmentations = [{"type": "background", "folder": folder}, {"type": "codec"}]
    run = run_of(tmp_path, augmentations=augmentations)
    prepared = prepare(run, run.divide()[0])
    trained, again = (prepared.clips("train", epochs=2, shuffle=True) for _ in range(2))
    loader = DataLoader(trained, batch_size=4, num_workers=workers, collate_fn=prepared.collate)
    first = next(iter(loader))
    assert first["waveform"].equal(prepared.collate([again[i] for i in range(4)])["waveform"])
    plain = [prepared.source.clip(int(i), int(e), run.seed).waveform for e, i in first["key"]]
    assert all(not torch.from_numpy(p).equal(x) for p, x in zip(plain, first["waveform"], strict=True))
    judged = prepared.clips("validation")[0]
    assert judged["waveform"].equal(torch.from_numpy(prepared.source.clip(prepared.parts.validation[0], 0, 0).waveform))


@pytest.mark.parametrize("name", ["background", "impulse_response"])
def test_a_folder_without_sound_is_told_before_training(name, tmp_path):
    (tmp_path / "empty").mkdir()
    for folder, says in (("nowhere", "there is no folder .*nowhere"), ("empty", ".*empty holds no sound")):
        run = run_of(tmp_path, augmentations=[{"type": name, "folder": str(tmp_path / folder)}])
        with pytest.raises(ValueError, match=f"augmentation {name}: {says}"):
            prepare(run, run.divide()[0]).pipeline()
