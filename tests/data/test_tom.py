"""A tom's pitch settles at its f0, glides there from above, and is hidden by a click as the fields say."""

import numpy as np
import pytest
import soxr

from tympan.data.synthesizers.tom import Tom

PURE = {"click": -80.0, "mode_spread": 0.0, "high_decay_time": 0.05, "size": 6, "duration": 1.0, "sample_rate": 8000}


def partials(x: np.ndarray, rate: int = 8000) -> np.ndarray:
    """Peaks of the spectrum within 30 dB of the highest (Hz)."""
    n = 1 << 18
    level = np.abs(np.fft.rfft(x * np.hanning(len(x)), n))
    peaks = (level[1:-1] > level[:-2]) & (level[1:-1] >= level[2:]) & (level[1:-1] > 0.03 * level.max())
    return (1 + np.flatnonzero(peaks)) * rate / n


@pytest.mark.parametrize("seed", range(3))
def test_the_lowest_partial_settles_at_f0(seed: int) -> None:
    source = Tom.model_validate({**PURE, "seed": seed, "decay_time": 4.0, "glide_time": 0.05})
    for i in range(6):
        example = source[i]
        assert partials(example.waveform[0, 4000:])[0] == pytest.approx(example.values["f0"], rel=0.003)


def test_the_pitch_glides_down_by_as_much_as_it_says() -> None:
    source = Tom.model_validate({**PURE, "decay_time": 4.0, "glide": 0.25, "glide_time": 0.1, "strike_r": 0.05})
    still = source.model_copy(update={"glide": 0.0})
    for i in range(3):
        x, y = source[i].waveform[0], still[i].waveform[0]
        f0 = source.values(i)["f0"]
        time = np.arange(2000) / 8000
        ahead = 0.25 * 0.1 * (1 - np.exp(-time / 0.1))
        warped = np.interp(time + ahead, np.arange(len(y)) / 8000, y)
        assert np.corrcoef(x[:2000], warped)[0, 1] > 0.99
        assert partials(x[:1200])[0] > 1.05 * f0


def test_a_click_is_as_loud_as_it_says_and_soon_over() -> None:
    quiet, loud = (Tom.model_validate({**PURE, "click": level, "sample_rate": 48000}) for level in (-60.0, 0.0))
    for i in range(6):
        x, y = (np.abs(np.diff(source[i].waveform[0])) for source in (quiet, loud))
        assert y[:240].max() > 5 * x[:240].max()
        assert y[4800:].max() < 2 * x[4800:].max()


def test_strokes_of_a_tom_share_its_pitch_and_the_first_is_near_the_centre() -> None:
    source = Tom(size=60)
    values = [source.values(i) for i in range(60)]
    assert len({v["f0"] for v in values}) == 12
    assert all(v["strike_r"] <= 0.1 for v in values[::5])
    assert len({v["glide"] for v in values}) == 60


def test_no_partial_begins_above_half_the_sample_rate_and_sounds_mirrored() -> None:
    fields = {"glide": 0.3, "glide_time": 0.2, "detuning": 0.0, "diameter": 0.3, "tension": 4000.0, "resonance": 1.0}
    own = {**PURE, **fields, "decay_time": 0.5, "strike_r": 0.9, "duration": 0.5}
    low, high = (Tom.model_validate({**own, "sample_rate": rate})[1].waveform[0] for rate in (2000, 32000))
    high = soxr.resample(high, 32000, 2000)
    power = [np.abs(np.fft.rfft(x * np.hanning(1000))) ** 2 for x in (low, high)]
    share = [10 * np.log10(p[450:].sum() / p.sum()) for p in power]  # above 900 Hz
    assert share[0] < share[1] + 6
