"""The recordings whose answers were furthest off: what was heard of each, the truth and the answer, for the report."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from ..data import Example, audio, storage
from ..reports.table import headline_part
from .evaluate import Evaluation
from .prepare import Prepared

LONGEST = 10.0
"""Seconds of sound kept of one recording."""
_COLUMNS = ("time", "truth", "prediction", "truth_label", "label")


def write(folder: Path, prepared: Prepared, evaluations: Mapping[str, Evaluation], count: int) -> None:
    """Write worst/worst.json and a wav file of each of the worst recordings into a run's folder.

    They are of the test part if it was evaluated, else of validation: for every output the `count` with the largest
    error, which is the mean over known frames of `|answer - truth|` for a quantity, of `|p - y|` for a label, and of
    1 - the probability of the true class for a class. What an earlier evaluation left is taken away.

    Args:
        count: recordings for each output; with 0 nothing is written.
    """
    here = folder / "worst"
    for old in [*here.glob("*.wav"), here / "worst.json"]:
        old.unlink(missing_ok=True)
    part = headline_part(evaluations)
    found = _worst(evaluations[part].predictions, count) if part else []
    if not found:
        return
    here.mkdir(parents=True, exist_ok=True)
    source = prepared.source
    place = {source.describe(i).id: i for i in getattr(prepared.parts, part)}
    sounds: dict[str, dict[str, Any]] = {}
    names: dict[str, str] = {}
    for answer in found:
        id = answer.pop("id")
        if id not in names:
            names[id] = name = f"{len(names) + 1}.wav"
            example = _heard(prepared, place[id])
            whole = example.waveform.shape[1] / source.sample_rate
            samples = round(LONGEST * source.sample_rate)
            audio.write(here / name, _fair(example.waveform[:, :samples]), source.sample_rate, "PCM_16")
            sounds[name] = {"id": id, "start": example.start, "seconds": whole}
        answer["sound"] = names[id]
    told = {"part": part, "sounds": sounds, "answers": found}
    storage.write_text(here / "worst.json", json.dumps(told, ensure_ascii=False, allow_nan=False) + "\n")


def _worst(rows: Iterable[Mapping[str, Any]], count: int) -> list[dict[str, Any]]:
    """One entry for each output and recording: the error, the rank, and every frame."""
    frames: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for row in rows:
        frames.setdefault(row["output"], {}).setdefault(row["id"], []).append(row)
    found = []
    for output, recordings in frames.items():
        each = {id: [error for row in own if (error := _error(row)) is not None] for id, own in recordings.items()}
        errors = {id: float(np.mean(own)) for id, own in each.items() if own}
        for rank, id in enumerate(sorted(errors, key=lambda id: -errors[id])[:count], 1):
            own = recordings[id]
            told: dict[str, Any] = {"id": id, "output": output, "space": own[0]["space"], "unit": own[0]["unit"]}
            told |= {"rank": rank, "error": errors[id], "known": len(each[id])}
            told |= {c: [_finite(row[c]) for row in own] for c in _COLUMNS}
            if own[0]["probabilities"]:
                told["probability"] = [_finite(max(row["probabilities"])) for row in own]
            found.append(told)
    return found


def _error(row: Mapping[str, Any]) -> float | None:
    """How far off one frame is; `None` where the truth is unknown or the answer is not finite."""
    if row["truth"] is None:
        return None
    if row["space"] == "class":
        return _finite(1 - row["probabilities"][int(row["truth"])])
    return _finite(abs(row["prediction"] - row["truth"]))


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value  # JSON knows no NaN


def _heard(prepared: Prepared, index: int) -> Example:
    """The clip that the model heard, or the whole recording where it goes over all of it."""
    source = prepared.source
    return source.clip(index, 0, prepared.run.seed) if source.crop in ("start", "onset") else source[index]


def _fair(waveform: Float[np.ndarray, "channels samples"]) -> Float[np.ndarray, "sides samples"]:
    """Mono or stereo, and no louder than a wav file can hold."""
    sides = waveform if waveform.shape[0] <= 2 else waveform.mean(0, keepdims=True)
    return sides / max(float(np.abs(sides).max(initial=0)), 1.0)
