"""The LSTM gives what torch's own gives with packed sequences."""

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tympan.models.lstm import LSTM
from tympan.signals import Signal

FEATURES = Signal(("a", "b", "c"), 10.0, 2.0)
TARGET = Signal(("y",), None, 2.0)


def test_it_equals_packed_sequences() -> None:
    torch.manual_seed(0)
    module, embedding = LSTM(width=5, layers=2).build(FEATURES, TARGET)
    oracle = torch.nn.LSTM(3, 5, 2, batch_first=True, bidirectional=True)
    weights = module.state_dict()
    oracle.load_state_dict(
        {
            f"{name}_l{layer}{end}": weights[f"{way}.{layer}.{name}_l0"]
            for layer in range(2)
            for way, end in (("forwards", ""), ("backwards", "_reverse"))
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        }
    )
    lengths = torch.tensor([20, 13, 1])
    real = torch.arange(20) < lengths[:, None]
    x = torch.randn(3, 3, 20) * real[:, None]
    packed = pack_padded_sequence(x.transpose(1, 2), lengths, batch_first=True)
    expected = pad_packed_sequence(oracle(packed)[0], batch_first=True)[0].transpose(1, 2)
    assert len(embedding.channels) == 10
    torch.testing.assert_close(module(x, real), expected)
    # The same sounds at the ends of their clips: the same, moved.
    moved = torch.stack([row.roll(20 - int(n), 1) for row, n in zip(x, lengths, strict=True)])
    there = torch.stack([row.roll(20 - int(n), 1) for row, n in zip(expected, lengths, strict=True)])
    torch.testing.assert_close(module(moved, real.flip(1)), there)


def test_in_one_direction_it_does_not_hear_the_future() -> None:
    x, real = torch.randn(2, 3, 20), torch.ones(2, 20, dtype=torch.bool)
    changed = x.clone()
    changed[:, :, 12:] += 1
    for both in (True, False):
        module, _ = LSTM(width=4, bidirectional=both).build(FEATURES, TARGET)
        difference = (module(x, real) - module(changed, real)).abs()
        assert difference[:, :, 12:].max() > 1e-4
        assert bool(difference[:, :, :12].max() > 1e-4) is both
