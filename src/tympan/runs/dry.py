"""A dry run: so little of everything that it takes seconds, and all of it is seen to work."""

from dataclasses import replace

import torch

from ..data.split import Parts
from ..serving.artifact import Artifact
from .prepare import Prepared
from .run import Run
from .trainer import Trained


def short(run: Run) -> Run:
    """The run with two steps of training, one fold, one seed and a folder of its own, which is not copied."""
    training = run.training.model_copy(update={"max_steps": 2, "max_epochs": 1, "val_check_interval": 1})
    split = run.split.model_copy(update={"folds": None})
    checkpoint = run.checkpoint.model_copy(update={"run_dir": None, "upload": None})
    update = {"name": f"{run.name}-dry", "seeds": (), "training": training, "split": split, "checkpoint": checkpoint}
    return run.model_copy(update=update)


def few(parts: Parts, batch_size: int) -> Parts:
    """A few examples of each part, evenly spread."""
    n = max(2 * batch_size, 8)
    spread = {k: v[:: max(len(v) // n, 1)][:n] for k, v in vars(parts).items()}
    return replace(parts, **spread)


def same(prepared: Prepared, trained: Trained, loaded: Artifact) -> None:
    """The reloaded artifact says what the trained pipeline says."""
    index = prepared.parts.train[0]
    waveform = prepared.source.clip(index, 0, prepared.run.seed).waveform
    before = next(iter(prepared.artifact(trained.pipeline.cpu()).hear([waveform])))
    after = next(iter(loaded.hear([waveform])))
    for name, said in before.items():
        torch.testing.assert_close(after[name], said, rtol=1e-5, atol=1e-6)
