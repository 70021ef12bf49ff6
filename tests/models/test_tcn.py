"""The temporal convolutional network hears as far as it says."""

import pytest
import torch

from tympan.models import Model
from tympan.models.tcn import TCN
from tympan.signals import Signal

FEATURES, TARGET = Signal(("a", "b"), 50.0, 4.0), Signal(("y",), None, 4.0)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(("layers", "kernel"), [(1, 3), (3, 3), (4, 5)])
def test_a_frame_hears_its_receptive_field_and_no_more(layers: int, kernel: int, causal: bool) -> None:
    torch.manual_seed(0)
    model = TCN(width=8, layers=layers, kernel=kernel, causal=causal)
    module, _ = model.build(FEATURES, TARGET)
    with torch.no_grad():
        for p in module.parameters():
            p.abs_()  # so that no rectifier is shut, and every frame that can be heard is
    x = torch.ones(1, 2, 200, requires_grad=True)
    module(x, torch.ones(1, 200, dtype=torch.bool))[0, :, 130].sum().backward()
    assert x.grad is not None
    heard = x.grad[0].sum(0).nonzero()[:, 0]
    after = 0 if causal else (model.receptive_field - 1) // 2
    assert int(heard.max()) == 130 + after
    assert int(heard.min()) == 130 + after - (model.receptive_field - 1)


def test_it_says_how_far_it_hears() -> None:
    said = "5 blocks of kernel 3 see 1 + 2 × 2 × (2^5 - 1) = 125 frames before it (2.5 s)"
    assert TCN().explain(FEATURES, TARGET) == said
    pair = Model.model_validate({"type": "encoder_decoder", "encoder": "tcn", "decoder": "lstm"})
    assert pair.explain(FEATURES, TARGET) == f"encoder: {said}"
