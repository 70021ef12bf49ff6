"""One sound under two names is found, whatever was done to it; two sounds that are alike are not one."""

import io

import numpy as np
import pytest
import soundfile
import soxr

from corpora import tone, voice
from tympan.data.duplicates import fingerprint, same

RATE = 16000


def encoded(sound, format, subtype, **more):
    file = io.BytesIO()
    soundfile.write(file, sound, RATE, format=format, subtype=subtype, **more)
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0]


def narrow(sound):
    return soxr.resample(soxr.resample(sound, RATE, 8000), 8000, RATE)


CHANGED = {
    "nothing": lambda x: x,
    "mp3": lambda x: encoded(x, "MP3", "MPEG_LAYER_III", compression_level=0.9, bitrate_mode="CONSTANT"),
    "ogg": lambda x: encoded(x, "OGG", "VORBIS", compression_level=0.9),
    "half the rate": narrow,
    "louder, shifted by part of a hop": lambda x: 0.2 * x[round(0.0131 * RATE) :],
    "silence around it": lambda x: np.pad(x, (5000, 9000)),
    "a third cut off": lambda x: x[len(x) // 3 :],
    "noise": lambda x: x + x.std() / 30 * np.random.default_rng(1).standard_normal(len(x)).astype(np.float32),
}


@pytest.mark.parametrize("how", CHANGED)
def test_a_copy_is_found_and_nothing_else(how):
    sounds = [voice(seed) for seed in range(12)]
    copies = [CHANGED[how](sound).astype(np.float32) for sound in sounds[:6]]
    found = {(i, j): share for i, j, share in same([fingerprint(x[None], RATE) for x in [*sounds, *copies]])}
    assert set(found) == {(12 + i, i) for i in range(6)}
    assert all(share == 0 for share in found.values()) if how == "nothing" else max(found.values()) < 0.25


@pytest.mark.parametrize("sound", [np.zeros((1, 8000), np.float32), np.ones((1, 10), np.float32)])
def test_what_says_nothing_is_like_its_own_samples_alone(sound):
    assert [pair[:2] for pair in same([fingerprint(sound, RATE)] * 2)] == [(1, 0)] and not list(same([]))
    assert not list(same([fingerprint(sound, RATE), fingerprint(sound[:, 1:], RATE)]))


def test_two_steady_tones_are_not_one():
    tones = [tone(frequency, 1.0, RATE)[None] for frequency in (200, 250, 300, 1000)]
    assert not list(same([fingerprint(sound, RATE) for sound in tones]))


@pytest.mark.parametrize(("name", "rate"), [("als", 16000), ("digits", 8000)])
def test_real_utterances_of_one_speaker_are_not_one_sound(name, rate, shared_data):
    prints, copies = [], []
    for folder in sorted((shared_data / name / "recordings").iterdir())[::3]:
        (file,) = folder.glob("waveform.*")
        sound, own = soundfile.read(file, dtype="float32", always_2d=True)
        mono = soxr.resample(sound.mean(1), own, rate)
        prints.append(fingerprint(mono[None], rate))
        if len(copies) < 20:
            copies.append(fingerprint(0.5 * mono[None, round(0.02 * rate) :], rate))
    assert [(i, j) for i, j, _ in same([*prints, *copies])] == [(len(prints) + i, i) for i in range(20)]
