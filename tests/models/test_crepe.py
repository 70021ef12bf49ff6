"""CREPE is the network of kac_prediction, and more than 1,024 samples fit into it."""

import pytest
import torch

from tympan.head import Head
from tympan.models.crepe import Crepe
from tympan.signals import Signal

ONE = Signal(("diameter",), None, 1024 / 48000)


def sound(samples: int) -> Signal:
    return Signal(("mono",), 48000.0, samples / 48000)


@pytest.mark.parametrize(
    ("capacity", "parameters"),
    [("tiny", 394_289), ("small", 1_443_937), ("medium", 5_509_313), ("large", 12_196_129), ("full", 21_504_385)],
)
def test_it_has_the_parameters_of_kac_prediction(capacity: str, parameters: int) -> None:
    with torch.device("meta"):
        module, embedding = Crepe(capacity=capacity).build(sound(1024), ONE)
        head = Head(pooling="flatten").build(embedding, ONE)
    assert sum(p.numel() for p in [*module.parameters(), *head.parameters()]) == parameters


@pytest.mark.parametrize("samples", [1024, 1276, 1277, 4800])
def test_a_longer_clip_gives_more_frames(samples: int) -> None:
    module, embedding = Crepe().build(sound(samples), ONE)
    assert module(torch.zeros(2, 1, samples), torch.ones(2, samples, dtype=torch.bool)).shape == (
        2,
        len(embedding.channels),
        embedding.frames,
    )
    assert embedding.frames == (samples + 3) // 4 // 64


@pytest.mark.parametrize("dropout", [0.25, 0.0])
def test_every_layer_has_its_dropout(dropout: float) -> None:
    module, _ = Crepe(dropout=dropout).build(sound(1024), ONE)
    assert [m.p for m in module.modules() if isinstance(m, torch.nn.Dropout)] == [dropout] * 6
    assert Crepe().dropout == 0.25


@pytest.mark.parametrize("outputs", [1, 5])
def test_it_has_as_many_outputs_as_the_target_needs(outputs: int) -> None:
    target = Signal(tuple(f"size_{i}" for i in range(outputs)), None, ONE.duration)
    module, embedding = Crepe().build(sound(1024), target)
    head = Head(pooling="flatten").build(embedding, target)
    real = torch.ones(2, 1024, dtype=torch.bool)
    assert head(module(torch.zeros(2, 1, 1024), real), real[:, : embedding.frames]).shape == (2, outputs, 1)


def test_its_first_layer_alone_hears_the_number_of_channels() -> None:
    stereo = Signal(("left", "right"), 48000.0, 1024 / 48000, planes=2)
    one, two = (Crepe().build(signal, ONE)[0].state_dict() for signal in (sound(1024), stereo))
    assert [k for k in one if one[k].shape != two[k].shape] == ["layers.1.weight"]
    assert two["layers.1.weight"].shape[1] == 2


def test_a_shorter_clip_or_a_spectrogram_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1024 samples, these have 1023"):
        Crepe().build(sound(1023), ONE)
    with pytest.raises(ValueError, match="features: waveform"):
        Crepe().build(Signal(("a", "b"), 100.0, 20.0), ONE)
