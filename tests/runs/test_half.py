"""Training in bfloat16 on a processor is right, whatever the processor makes of it."""

import warnings
from pathlib import Path

import pytest
import torch

from runs_helpers import trained
from tympan.component import AssumptionWarning
from tympan.runs import half
from tympan.runs.half import Checked


@pytest.mark.parametrize("channels", [1, 8, 16, 32])
@pytest.mark.parametrize("wide", [4, 8])
def test_convolutions_are_nearly_those_of_float32(channels: int, wide: int) -> None:
    torch.manual_seed(0)
    layer, x = torch.nn.Conv1d(channels, 16, wide, wide), torch.randn(4, channels, 128)
    exact = layer(x)
    with torch.autocast("cpu", torch.bfloat16), warnings.catch_warnings(), Checked():
        warnings.simplefilter("ignore", AssumptionWarning)
        for _ in range(2):
            rough = layer(x)
            assert rough.dtype == torch.bfloat16
            torch.testing.assert_close(rough.float(), exact, atol=0.05, rtol=0.05)
    rough.sum().backward()
    assert layer.weight.grad is not None


def test_what_is_wrong_is_done_in_float32_and_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(half, "WRONG", 0.0)  # rounding itself
    torch.manual_seed(0)
    layer, x = torch.nn.Conv1d(3, 4, 3), torch.randn(2, 3, 20)
    with torch.autocast("cpu", torch.bfloat16), Checked():
        with pytest.warns(AssumptionWarning, match="wrong for convolutions with 4 by 3 by 3 weights, done in float32"):
            first = layer(x)
        second = layer(x)
    assert torch.equal(first, second) and torch.equal(first, layer(x).bfloat16())


def test_a_run_in_bfloat16_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(half, "WRONG", 0.0)
    with pytest.warns(AssumptionWarning, match="wrong for convolutions with .* done in float32"):
        trained(tmp_path, hardware={"device": "cpu", "precision": "bf16"})
