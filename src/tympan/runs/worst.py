"""The recordings whose answers were furthest off: what was heard of each, the truth and the answer, for the report."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from ..acoustics import radial
from ..data import Example, audio, storage
from ..reports.table import headline_part
from . import ids
from .evaluate import Evaluation
from .prepare import Prepared
from .said import Said

LONGEST = 10.0
"""Seconds of sound kept of one recording."""


def write(folder: Path, prepared: Prepared, evaluations: Mapping[str, Evaluation], count: int) -> None:
    """Write worst/worst.json and a wav file of each of the worst recordings into a run's folder.

    They are of the test part if it was evaluated, else of validation: for every output the `count` with the largest
    error, which is the mean over known frames of `|answer - truth|` for a quantity, of `|p - y|` for a label, and of
    1 - the probability of the true class for a class; of an outline it is the share of the area that is not in common,
    1 - intersection / union. What an earlier evaluation left is taken away. Recordings of people have codes for ids,
    and no sound of them is written, unless the run shows ids.

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
    hidden, codes = prepared.run.hides_ids, ids.codes(folder, prepared.run)
    sounds: dict[str, dict[str, Any]] = {}
    names: dict[str, str] = {}
    for answer in found:
        id = answer.pop("id")
        if id not in names:
            names[id] = name = f"{len(names) + 1}.wav"
            example = _heard(prepared, place[id])
            whole = example.waveform.shape[1] / source.sample_rate
            if not hidden:
                samples = round(LONGEST * source.sample_rate)
                audio.write(here / name, _fair(example.waveform[:, :samples]), source.sample_rate, "PCM_16")
            sounds[name] = {"id": codes[id] if hidden else id, "start": example.start, "seconds": whole}
        answer["sound"] = names[id]
    told = {"part": part, "hidden": hidden, "sounds": sounds, "answers": found}
    storage.write_text(here / "worst.json", json.dumps(told, ensure_ascii=False, allow_nan=False) + "\n")


def _worst(answers: Iterable[Said], count: int) -> list[dict[str, Any]]:
    """One entry for each output and recording: the error, the rank, and every frame."""
    by: dict[str, list[tuple[float, int, Said]]] = {}
    for own in answers:
        errors = _errors(own)
        if errors.size:
            by.setdefault(own.output, []).append((float(errors.mean()), errors.size, own))
    found = []
    for output, recordings in by.items():
        for rank, (error, known, own) in enumerate(sorted(recordings, key=lambda one: -one[0])[:count], 1):
            told: dict[str, Any] = {"id": own.id, "output": output, "space": own.space, "unit": own.unit}
            told |= {"rank": rank, "error": error, "known": known}
            told |= {key: [_finite(x) for x in getattr(own, key).tolist()] for key in ("truth", "prediction")}
            told["time"] = own.times.tolist() if own.rate else [None] * len(own.truth)
            told |= {"truth_label": own.named(own.truth), "label": own.named(own.prediction)}
            if own.classes:
                told["probability"] = [_finite(p) for p in own.answer.max(0).tolist()]
            found.append(told)
    return found


def _errors(own: Said) -> Float[np.ndarray, "_"]:
    """How far off each frame is whose truth is known and whose answer is finite."""
    known = ~np.isnan(own.truth)
    answer, truth = own.answer[:, known].astype(float), own.truth[known]
    if own.space == "shape" and known.any():
        answer, truth = np.array([[1 - radial.overlap(radial.aligned(answer[0], truth), truth)]]), np.zeros(1)
    right = answer[truth.astype(int), np.arange(len(truth))] if own.classes else answer[0]
    errors = 1 - right if own.classes else np.abs(right - truth)
    return errors[np.isfinite(errors)]


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
