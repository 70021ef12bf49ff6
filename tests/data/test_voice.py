"""Made-up voices are what their parameters say: pitch, jitter, breath, tremor and rate, measured from the sound."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tympan.data.synthesizers.voice import LABELS, Voice, _glottis

RATE = 16000


def source(**measures: float) -> np.ndarray:
    """The pulses of a glottis."""
    told = {"f0": 125.0, "jitter": 0.01, "shimmer": 0.01, "tremor": 0.0, "tremor_rate": 5.0} | measures
    return _glottis(np.random.default_rng(0), told, 4 * RATE, float(RATE))[0]


def periods(flow: np.ndarray) -> np.ndarray:
    """Seconds between the closures, where the flow falls most."""
    closing = np.flatnonzero((flow[1:-1] < flow[:-2]) & (flow[1:-1] < flow[2:]) & (flow[1:-1] < -0.3)) + 1
    return np.diff(closing) / RATE


def test_periods_have_the_pitch_and_the_jitter():
    steady, rough = periods(source()), periods(source(jitter=3.0))
    assert steady.mean() == pytest.approx(1 / 125, rel=2e-3)
    # A closure lies within its period, so that the time between two is of both: 0.4 of one and 0.6 of the next.
    assert np.std(rough) / np.mean(rough) == pytest.approx(0.03 * np.hypot(0.4, 0.6), rel=0.2)
    assert np.std(steady) / np.mean(steady) < 0.01


def test_a_tremor_has_its_depth_and_rate():
    deep = periods(source(tremor=1.0))
    cents = 1200 * np.log2(deep.mean() / deep)
    assert np.quantile(cents, 0.98) == pytest.approx(100, abs=25)
    spectrum = np.abs(np.fft.rfft(cents - cents.mean(), 4096))
    assert spectrum.argmax() / 4096 / deep.mean() == pytest.approx(5, abs=0.5)


def test_speakers_are_whole_and_their_labels_decide_the_measures():
    voices = Voice(size=400, sample_rate=RATE)
    told = [voices.values(i) for i in range(400)]
    for first in range(0, 400, 4):
        own = told[first : first + 4]
        assert len({tuple(t[name] for name in (*LABELS, "sex", "age", "f0")) for t in own}) == 1
        assert len({voices.describe(first + i).groups["subject"] for i in range(4)}) == 1
    for label, measure in zip(LABELS, ("jitter", "hnr", "tremor", "rate"), strict=True):
        values = {k: [t[measure] for t in told if t[label] == k] for k in (0, 1)}
        low, high = sorted(values.values(), key=np.mean)
        assert max(low) < min(high) and 0.25 < np.mean([t[label] for t in told]) < 0.55


def test_syllables_come_at_their_rate_and_noise_fills_what_breath_does():
    for slow in (0, 1):
        voices = Voice(
            size=1,
            sample_rate=RATE,
            duration=4.0,
            syllables=((5.0, 5.0), (2.0, 2.0)),
            prevalence=1 - 1e-9 if slow else 1e-9,
        )
        envelope = np.abs(voices[0].waveform[0]).reshape(-1, 160).mean(1)
        spectrum = np.abs(np.fft.rfft(envelope - envelope.mean()))
        assert spectrum[2:].argmax() + 2 == pytest.approx((2 if slow else 5) * 4, abs=1)
    steady = {
        "size": 1,
        "sample_rate": RATE,
        "noise": -90.0,
        "stress": 0.0,
        "jitters": ((0.01, 0.01),) * 2,
        "tremors": ((0.0, 0.0),) * 2,
    }
    quiet, breathy = (Voice(hnrs=((level, level), (level, level)), **steady) for level in (30.0, 5.0))
    floors = []
    for voices in (quiet, breathy):
        power = np.abs(np.fft.rfft(voices[0].waveform[0] * np.hanning(RATE)))[300:4000] ** 2
        floors.append(10 * np.log10(np.median(power) / power.mean()))
    assert floors[1] > floors[0] + 5


def test_the_level_and_the_noise_of_the_room_are_as_drawn():
    options = {"size": 1, "sample_rate": RATE, "duration": 2.0}
    for level, noise in ((-40.0, -15.0), (-25.0, -30.0)):
        loud, still = (Voice(level=level, noise=n, **options)[0].waveform[0].astype(float) for n in (noise, -200.0))
        assert 20 * np.log10(still.std()) == pytest.approx(level, abs=0.01)
        assert 20 * np.log10((loud - still).std() / still.std()) == pytest.approx(noise, abs=0.2)


def test_level_peak_and_quiet_frames_tell_no_label():
    """What the control of recordings hears of a file; a fixed peak and room told rough and slow by 0.95."""
    voices = Voice(size=400, sample_rate=RATE, duration=2.0)
    facts, labels = [], []
    for i in range(voices.size):
        example = voices[i]
        x = example.waveform[0].astype(float)
        frames = 10 * np.log10(np.square(x).reshape(-1, 400).mean(1))
        facts.append([10 * np.log10(np.square(x).mean()), 20 * np.log10(np.abs(x).max()), np.quantile(frames, 0.05)])
        labels.append([example.values[label] for label in LABELS])
    speakers = np.arange(voices.size) // voices.recordings_per_speaker
    model = make_pipeline(StandardScaler(), LogisticRegression())
    for name, y in zip(LABELS, np.array(labels).T, strict=True):
        answers = cross_val_predict(model, facts, y, groups=speakers, cv=GroupKFold(5), method="decision_function")
        assert roc_auc_score(y, answers) < 0.8, name
