"""Changes of features: what is hidden has the mean, pictures move whole, and noise has its level."""

import pytest
import torch

from tympan.data.augmentations import Augmentation
from tympan.signals import Signal

SIGNAL = Signal(tuple(f"mel_{i}" for i in range(32)), 100.0, 2.0)
KEY = torch.stack([torch.arange(200) // 20, torch.arange(200) % 20], 1)


def changed(name: str, x: torch.Tensor, real: torch.Tensor | None = None, **fields: object):
    real = torch.ones(200, 200, dtype=torch.bool) if real is None else real
    return Augmentation.model_validate({"type": name, **fields})(x.expand(200, -1, -1), real, KEY, 0, SIGNAL)


def test_holes_have_the_mean_and_their_size_and_number():
    x = torch.rand(1, 32, 200) + 5
    y, _ = changed("coarse_dropout", x, fewest=3, most=3, width=0.05, height=4)
    hidden = y != x
    torch.testing.assert_close(y[hidden], x.mean().expand(int(hidden.sum())))
    assert hidden.sum((1, 2)).max() == 3 * 5 * 4 and hidden.sum((1, 2)).min() >= 5 * 4
    assert hidden.any(0).all() or hidden.float().mean(0).min() >= 0
    with pytest.raises(ValueError, match="32 channels; set it to at most 16"):
        changed("coarse_dropout", x, height=17)


def test_the_picture_moves_up_and_down_and_never_stays():
    x = torch.arange(32.0)[None, :, None].expand(1, 32, 200) + 1
    y, _ = changed("affine_shift", x, max_shift=5)
    middle = y[:, 16, 0] - 17
    assert sorted(middle.unique().int().tolist()) == [-5, -4, -3, -2, -1, 1, 2, 3, 4, 5]
    for row, by in zip(y[:, :, 0], -middle.int(), strict=True):
        inside = slice(max(int(by), 0), 32 + min(int(by), 0))
        assert row[inside].equal(x[0, inside.start - int(by) : inside.stop - int(by), 0])
        assert (row == x.mean()).sum() in (abs(int(by)), abs(int(by)) + 1)


def test_noise_has_its_level_and_the_clip_is_rolled():
    x = torch.zeros(1, 32, 200)
    x[:, :, 100] = 50
    y, _ = changed("spectrogram_noise", x, max_level=0.1, max_shift=0.1)
    at = y[:, 0].argmax(1) - 100
    assert at.min() == -10 and at.max() == 10
    rest = y[y < 40].view(200, -1)
    assert rest.min() >= 0 and rest.max() < 0.1 and rest.amax(1).std() > 0.02
    real = torch.ones(200, 200, dtype=torch.bool)
    real[:, :50] = False
    y, _ = changed("spectrogram_noise", x, real)
    assert (y[:, 0].argmax(1) == 100).all() and (y[:, :, :50] == 0).all()
