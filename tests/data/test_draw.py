"""Random numbers are a function of (seed, name, epoch, index), whatever computes them."""

import numpy as np
import pytest
import torch

from tympan.data import draw


@pytest.mark.parametrize("seed", [0, 5, 1 << 31, 123456789012])
def test_numpy_draws_what_a_device_draws(seed: int) -> None:
    key = torch.from_numpy(np.random.default_rng(0).integers(0, 1 << 40, (64, 2)))
    h = draw._hash(key, seed, "gain", torch.arange(33))  # what `uniform` does on a GPU
    there = draw._shift(h, 40).to(torch.float32) / (1 << 24)
    assert draw.uniform(key, seed, "gain", 33).equal(there)
    assert np.array_equal(draw.uniform_numpy(*key[7].tolist(), seed, "gain", 33), there[7].numpy())


def test_numbers_are_even_and_of_nobody_else() -> None:
    key = torch.stack([torch.arange(400) // 20, torch.arange(400) % 20], 1)
    several = [draw.uniform(key, *which, 50).numpy() for which in ((0, "gain"), (1, "gain"), (0, "speed"))]
    for one in several:
        assert one.min() >= 0 and one.max() < 1 and len(np.unique(one)) > 0.99 * one.size
        assert np.histogram(one, 10, (0, 1))[0] == pytest.approx(np.full(10, one.size / 10), rel=0.1)
    flat = np.array([one.ravel() for one in (*several, np.roll(several[0], 1, 0), np.roll(several[0], 1, 1))])
    assert np.abs(np.corrcoef(flat) - np.eye(len(flat))).max() < 0.03
