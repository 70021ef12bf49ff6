"""The convolutional network: its rates, and that time stays where it is."""

import pytest
import torch
from pydantic import ValidationError

from tympan.models.cnn import CNN, _mean
from tympan.signals import Signal

TARGET = Signal(("a",), None, 1.0)


@pytest.mark.parametrize(("stride", "frames", "out"), [(1, 100, 100), (2, 96, 12), (2, 100, 13), (3, 100, 4)])
def test_the_embedding_is_slower_by_the_stride_of_every_layer(stride: int, frames: int, out: int) -> None:
    module, embedding = CNN(width=8, layers=3, stride=stride).build(Signal(("x",), 100.0, frames / 100), TARGET)
    real = torch.ones(1, frames, dtype=torch.bool)
    assert module(torch.zeros(1, 1, frames), real).shape == (1, 8, out)
    assert embedding.frames == out


def test_a_click_is_heard_in_the_frame_where_it_is() -> None:
    torch.manual_seed(0)
    module, embedding = CNN(width=8, layers=3).build(Signal(("x",), 100.0, 1.6), TARGET)
    real = torch.ones(1, 160, dtype=torch.bool)
    silence = torch.zeros(1, 1, 160)
    for at in (4, 44, 84, 156):
        click = silence.clone()
        click[0, 0, at] = 10.0
        heard = (module(click, real) - module(silence, real)).abs().sum(1)[0]
        assert int(heard.argmax()) == at * embedding.frames // 160


def test_the_mean_over_a_stride_is_that_of_its_real_frames() -> None:
    x = torch.tensor([[[0.0, 0.0, 0.0, 4.0, 6.0, 8.0]]])
    y, padded = _mean(x, torch.tensor([[[True, True, True, False, False, False]]]), 2)
    assert y.tolist() == [[[0.0, 4.0, 7.0]]]
    assert padded.tolist() == [[[True, False, False]]]


def test_padded_frames_are_0_after_every_layer() -> None:
    module, _ = CNN(width=8, layers=2).build(Signal(("x",), 100.0, 0.32), TARGET)
    x, padded = torch.randn(2, 8, 32), torch.arange(32).expand(2, 1, 32) < 11
    for block in module.blocks:
        assert not block(x.masked_fill(padded, 0), padded)[:, :, :11].any()


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(ValidationError, match="4 is even, use 3 or 5"):
        CNN(kernel=4)
