"""Real drums: strokes are found, and the larger tom of a kit has the lower pitch for who listens long enough."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tympan.data import audio
from tympan.data.onsets import onsets
from tympan.runs.configuration import load
from tympan.runs.train import train

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "benchmarks"))
import drums  # noqa: E402  (a script beside the package)


@pytest.fixture
def strokes(shared_data: Path) -> list[dict[str, str]]:
    folder = shared_data / "drums"
    if not folder.is_dir():
        pytest.skip("no drums in the real recordings")
    return drums.strokes(folder)


def test_strokes_of_real_toms_laid_end_to_end_are_found(strokes: list[dict[str, str]]) -> None:
    rng = np.random.default_rng(0)
    sounds = [audio.read(strokes[i]["file"], 22050) for i in rng.permutation(len(strokes))[:20]]
    sounds = [sound[:, : round(22050 * rng.uniform(0.3, 0.9))] for sound in sounds]
    begin = np.cumsum([0, *(sound.shape[1] for sound in sounds[:-1])]) / 22050
    found = np.array(onsets(np.concatenate(sounds, 1), 22050))
    hits = sum(((found >= t - 0.005) & (found < t + 0.035)).any() for t in begin)
    assert 2 * hits / (len(begin) + len(found)) >= 0.9


def test_a_spectral_peak_ranks_toms_by_their_size(strokes: list[dict[str, str]]) -> None:
    right, pairs = drums.ranked(strokes, [drums.peak(stroke, 0.5) for stroke in strokes])
    assert pairs == 228 and right == pairs


@pytest.mark.slow
def test_a_model_of_synthetic_toms_ranks_real_ones(strokes: list[dict[str, str]], tmp_path: Path) -> None:
    torch.set_num_threads(1)
    result = train(load(ROOT / "configs" / "tom_pitch.yaml", [f"checkpoint.checkpoint_dir={tmp_path}"]))
    right, pairs = drums.ranked(strokes, drums.heard(str(result.folder), strokes))
    assert right / pairs >= 0.95
