"""A batch of clips: each target beside its sound."""

import pytest
import torch

from tympan.data.batch import Collate


@pytest.mark.parametrize("padding", ["left", "right"])
@pytest.mark.parametrize("known", [5, 8, 11])
def test_a_target_begins_with_its_sound_whichever_is_longer(padding, known):
    collate = Collate(4000, padding, {"t": 16})
    item = {"waveform": torch.ones(1, 2000), "key": torch.zeros(2), "target": {"t": torch.arange(1.0, known + 1)[None]}}
    (row,) = collate([item])["target"]["t"][0]
    own = row[8:] if padding == "left" else row[:8]
    assert own[:known].tolist() == list(range(1, min(known, 8) + 1)) and own[known:].isnan().all()
    assert (row[:8] if padding == "left" else row[8:]).isnan().all()
