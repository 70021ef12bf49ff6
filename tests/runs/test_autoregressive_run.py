"""A run whose model hears its own past: trained, scored on free answers, exported and loaded again."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from runs_helpers import log, run_of, trained
from tympan.serving.artifact import Artifact

torch.set_num_threads(1)

SECTIONS: dict[str, Any] = {
    "data": {"type": "user_parts.envelope", "size": 60, "sample_rate": 4000, "duration": 2.0},
    "features": {"type": "mel", "n_mels": 8, "window": 0.064, "hop": 0.025, "normalize": "none", "standardize": "none"},
    "model": {"type": "wavenet", "hidden_channels": 16, "skip_channels": 16, "context_size_in_steps": 2},
    "target": {"type": "quantised", "quantities": {"level": "V"}, "rate": 4.0, "levels": 16},
}


@pytest.mark.slow
def test_a_run_trains_scores_and_exports_it(tmp_path: Path) -> None:
    made = trained(tmp_path, **SECTIONS, training={"max_epochs": 25, "batch_size": 8})
    assert made.metrics["test"]["model"]["level"]["pearson"]["value"] > 0.8
    assert {"val_loss", "val_mse"} <= set().union(*log(made))
    artifact = Artifact.load(made.folder)
    assert artifact.pipeline.autoregressive and "a step of the target has 10 frames" in str(artifact)
    (heard,) = artifact.hear([np.random.default_rng(0).normal(0, 0.1, (1, 12000)).astype(np.float32)])
    assert artifact.decode(heard)["level"].shape == (1, 8)


def test_what_has_no_past_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="give the target a `rate`"):
        run_of(tmp_path, **{**SECTIONS, "target": {"type": "continuous", "quantities": {"level": "V"}}})
