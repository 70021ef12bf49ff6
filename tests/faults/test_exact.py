"""Training in two goes equals training in one, to the bit, whatever is combined."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import saved
from runs_helpers import run_of

EPOCH = 10
"""Optimizer steps of an epoch: 50 training clips in batches of 5; with accumulation of 3, of three epochs."""
MODELS: dict[str, dict[str, Any]] = {
    "cnn": {"type": "cnn", "width": 8, "dropout": 0.2},
    "lstm": {"type": "lstm", "width": 8, "dropout": 0.2},
    "transformer": {"type": "transformer", "width": 16, "heads": 2, "layers": 1, "dropout": 0.2},
    "tcn": {"type": "tcn", "width": 8, "layers": 2, "dropout": 0.2},
    "wavenet": {
        "type": "wavenet",
        "hidden_channels": 8,
        "skip_channels": 8,
        "context_size_in_seconds": 0.05,
        "hears_past": False,
    },
    "timm": {"type": "timm", "name": "test_efficientnet"},  # the smallest with batch normalisation: 98,764 weights
}
AXES: dict[str, tuple[Any, ...]] = {
    "stop": ("first step", "in mid-epoch", "end of an epoch", "just after"),
    "accumulate": (1, 3),
    "workers": (0, 2),
    "workers_after": (0, 2),
    "start": ("fork", "spawn", "forkserver"),
    "data": ("one", "mixture"),
    "early": (False, True),
    "model": tuple(MODELS),
    "augmented": (False, True),
    "policy": ("stop", "skip"),
}


def covering(axes: dict[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    """Rows in which every two values of two axes meet at least once; greedily, the same ones every time."""
    names = list(axes)
    pairs = {((a, x), (b, y)) for a, b in itertools.combinations(names, 2) for x in axes[a] for y in axes[b]}
    while pairs:
        row: dict[str, Any] = {}
        for pair in sorted(pairs, key=repr)[:1]:
            row.update(pair)
        for name in names:
            if name not in row:
                row[name] = max(axes[name], key=lambda value, name=name: _met(row | {name: value}, name, pairs))
        yield row
        pairs -= _pairs(row, names)


def _met(row: dict[str, Any], name: str, pairs: set[Any]) -> int:
    return sum(pair in pairs for pair in _pairs(row, [n for n in AXES if n in row]) if name in (pair[0][0], pair[1][0]))


def _pairs(row: dict[str, Any], names: list[str]) -> set[Any]:
    return {((a, row[a]), (b, row[b])) for a, b in itertools.combinations(names, 2)}


ROWS = list(covering(AXES))


def test_every_two_values_meet_in_at_most_forty_runs() -> None:
    assert len(ROWS) <= 40
    wanted = {((a, x), (b, y)) for a, b in itertools.combinations(AXES, 2) for x in AXES[a] for y in AXES[b]}
    assert set().union(*(_pairs(row, list(AXES)) for row in ROWS)) == wanted


def sections(row: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a row."""
    drum = {"type": "circular_membrane", "size": 60, "sample_rate": 16000, "duration": 0.1}
    data: dict[str, Any] = drum
    if row["data"] == "mixture":  # the smaller one runs dry in every epoch
        data = {
            "type": "mixture",
            "sources": {"large": {**drum, "size": 44}, "small": {**drum, "size": 16, "seed": 7}},
            "sampling_weights": [0.4, 0.6],
        }
        data |= {"sample_rate": 16000, "duration": 0.1}
    changes = [
        {"type": "time_shift", "max_shift": 0.01},
        {"type": "gain", "p": 0.5},
        {"type": "frequency_mask", "max_width": 8},
    ]
    return {
        "data": data,
        "model": MODELS[row["model"]],
        "features": {"type": "mel", "n_mels": 32, "window": 0.02, "hop": 0.0031},
        "head": {"dropout": 0.3},
        "augmentations": changes if row["augmented"] else [],
        "training": {
            "max_epochs": 8 if row["accumulate"] == 3 else 4,
            "batch_size": 5,
            "accumulate_grad_batches": row["accumulate"],
            "early_stopping": row["early"],
            "early_stopping_patience": 2 if row["accumulate"] == 1 else 5,
            "early_stopping_min_delta": 1e9 if row["early"] else 0.0,
            "nonfinite": row["policy"],
        },
        "optimizer": {"learning_rate": 0.003, "scheduler": "onecycle"},
        "loader": {"num_workers": row["workers"]},
        "logging": {"log_every_n_steps": 3, "worst_examples": 0, "train_metrics": ["mae"]},
        "metrics": ["mae"],
    }


def told(row: dict[str, Any]) -> str:
    """A row's name."""
    return "-".join(str(value).replace(" ", "_") for value in row.values())


def both(row: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train in one go and in two, and compare."""
    own = sections(row)
    if own["logging"].pop("train_metrics"):
        own["metrics"] = {"train": ["mae"], "validation": ["mae"], "test": ["mae"]}
    step = {"first step": 1, "in mid-epoch": 4, "end of an epoch": EPOCH, "just after": EPOCH + 1}[row["stop"]]
    monkeypatch.setattr("tympan.runs.loader.Loader.workers", property(lambda loader: loader.num_workers))
    before = torch.multiprocessing.get_start_method()
    torch.multiprocessing.set_start_method(row["start"], force=True)
    try:
        whole = saved.straight(run_of(tmp_path / "whole", **own), monkeypatch)
        after = (f"loader.num_workers={row['workers_after']}",)
        parts = saved.in_two(run_of(tmp_path / "parts", **own), step, monkeypatch, after)
    finally:
        torch.multiprocessing.set_start_method(before, force=True)
    saved.assert_same(whole, parts)
    assert bool(row["early"]) == (whole.result.status == "stopped")


SHORT = [next(r for r in ROWS if r["workers"] == r["workers_after"] == 0 and r["accumulate"] == n) for n in (1, 3)]


@pytest.mark.parametrize("row", SHORT, ids=told)
def test_a_training_in_two_goes_equals_one_in_one(
    row: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both(row, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("row", [row for row in ROWS if row not in SHORT], ids=told)
def test_it_does_so_whatever_is_combined(row: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both(row, tmp_path, monkeypatch)
