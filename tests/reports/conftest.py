"""Invents folders of finished runs, with the layout and the names of real ones, for each kind of target."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

WORDS = ("zero", "one", "two", "three", "four")
UNITS = {"diameter": "m", "pitch": "Hz"}


def figure(value: float | None, width: float = 0.1, n: int = 120, groups: int = 40, **more: Any) -> dict[str, Any]:
    """One figure with an interval of `width` times itself on both sides."""
    low, high = (None, None) if value is None else (value * (1 - width), value * (1 + width))
    return {"value": value, "low": low, "high": high, "n": n, "groups": groups, "note": "", "unit": "", **more}


def rows(space: str, part: str, n: int = 120, seed: int = 0) -> list[dict[str, Any]]:
    """Predictions of a model that has learned something."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(n):
        base = {"split": part, "id": f"secret-{i}", "group": f"person-{i % 40}", "time": None, "space": space}
        empty = {"truth_label": None, "label": None, "probabilities": None}
        if space == "real":
            for output, scale in (("diameter", 0.4), ("pitch", 300.0)):
                truth = scale * (0.5 + rng.random())
                said = truth + scale * 0.06 * rng.normal()
                found.append(
                    base | empty | {"output": output, "truth": truth, "prediction": said, "unit": UNITS[output]}
                )
        elif space == "binary":
            for output in ("breathy", "strained $ voice"):
                yes = float(rng.random() < 0.35)
                said = float(1 / (1 + np.exp(-(2.2 * yes - 1.2 + rng.normal()))))
                found.append(base | empty | {"output": output, "truth": yes, "prediction": said, "unit": ""})
        else:
            p = rng.dirichlet(np.ones(len(WORDS)))
            truth = int(rng.integers(len(WORDS)))
            p[truth] += 0.7
            said = int(p.argmax())
            named = {"truth_label": WORDS[truth], "label": WORDS[said], "probabilities": (p / p.sum()).tolist()}
            found.append(
                base | named | {"output": "word", "truth": float(truth), "prediction": float(said), "unit": ""}
            )
    return found


def scores(space: str, predictions: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures of the model, three kinds of baselines, and one reference."""
    by = {row["output"]: [r for r in predictions if r["output"] == row["output"]] for row in predictions}
    told: dict[str, Any] = {}
    for output, own in by.items():
        truth, said = (np.array([r[key] for r in own]) for key in ("truth", "prediction"))
        if space == "real":
            u, mae, spread = own[0]["unit"], float(np.abs(said - truth).mean()), float(truth.std())
            r = float(np.corrcoef(truth, said)[0, 1])
            who = {"model": (mae, r), "baseline/mean": (spread * 0.8, None), "baseline/ridge": (mae * 1.9, 0.7)}
            who |= {"reference/closed-form": (mae * 0.2, 0.999)}
            for name, (error, correlation) in who.items():
                square = figure(error**2 * 1.57, unit=f"{u}²")
                note = "undefined for 120 recordings in 40 groups" if correlation is None else ""
                figures = {"mse": square, "mae": figure(error, unit=u), "r2": figure(1 - (error / spread) ** 2)}
                told.setdefault(name, {})[output] = figures | {"pearson": figure(correlation, 0.01, note=note)}
        else:
            metric = "auroc" if space == "binary" else "accuracy"
            value = 0.9137 if space == "binary" else float((truth == said).mean())
            for name, v in {"model": value, "baseline/prior": 0.5, "baseline/logistic": value * 0.97}.items():
                figures = {metric: figure(v, 0.05), "unweighted_average_recall": figure(v * 0.98, 0.05)}
                told.setdefault(name, {})[output] = figures
    if len(by) > 1:
        for outputs in told.values():
            first = next(iter(outputs.values()))
            outputs["overall"] = {metric: dict(f, unit="") for metric, f in first.items()}
    return told


def log(steps: int = 400, seed: int = 0) -> str:
    """Lines of a log, the last steps written twice as after a resume."""
    rng = np.random.default_rng(seed)
    lines = []
    for step in [*range(10, steps + 1, 10), steps - 10]:
        loss = 2 * np.exp(-step / 90) + 0.03 + 0.02 * rng.random()
        rate = 1e-3 * (1 + np.cos(np.pi * step / steps)) / 2
        line = {"step": step, "epoch": step / 40, "seconds": step * 0.1, "loss": loss, "grad_norm": 1.0}
        lines.append(line | {"learning_rate": rate})
        if step % 40 == 0:
            found = {"val_loss": loss * 1.2, "val_accuracy": 1 - loss / 3, "val_runtime": 0.5}
            lines.append({"step": step, "epoch": step / 40, "seconds": step * 0.1} | found)
    return "".join(json.dumps(line) + "\n" for line in lines)


def run(folder: Path, space: str, members: tuple[str, ...] = ()) -> Path:
    """A finished run; with `members` a run over folds or seeds."""
    folder.mkdir(parents=True)
    parts = ["out_of_fold"] if members else ["validation", "test"]
    predictions = {part: rows(space, part, seed=i) for i, part in enumerate(parts)}
    metrics = {part: scores(space, own) for part, own in predictions.items()}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    pq.write_table(
        pa.Table.from_pylist([row for own in predictions.values() for row in own]), folder / "predictions.parquet"
    )
    (folder / "run.yaml").write_text("name: invented\ndata: {type: circular_membrane, size: 600}\n# <b>not bold</b>\n")
    summary = {"name": "invented", "status": "complete", "seconds": 3725.4, "steps": 400, "parameters": 123456}
    summary |= {"device": "cuda", "precision": "bf16", "wait_share": 0.0123, "clips_per_second": 5120.7}
    summary |= {"versions": {"tympan": "0.1.0", "python": "3.11.2", "torch": "2.14.0"}, "members": list(members)}
    summary |= {"notes": ["The test part is used once, after training; no drum is in two parts."], "artifact": ""}
    for name in members:
        run(folder / name, space)
    if not members:
        summary["artifact"] = "artifact   runs/invented\ninput      0.064 s of sound at 16000 Hz"
        (folder / "log.jsonl").write_text(log())
        counts = {"train": 420, "validation": 60, "test": 120}
        split = {k: {"recordings": n, "groups": n // 3, "group_names": ["person-1"], "ids": ["secret-1"]}
                 for k, n in counts.items()}  # fmt: skip
        (folder / "split.json").write_text(json.dumps({"seed": 42, **split, "sha256": "ab12" * 16}))
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def enrich(folder: Path, space: str, part: str = "test", count: int = 2) -> None:
    """Add what newer runs have: times, what the parts hold, the exported step, figures of training, worst answers."""
    summary = json.loads((folder / "summary.json").read_text())
    outputs = dict.fromkeys(row["output"] for row in rows(space, part, 1))
    spread = {
        "real": {"edges": [0.0, 0.5, 1.0], "counts": [3, 5]},
        "binary": {"names": ["absent", "present"], "counts": [30, 10]},
        "class": {"names": list(WORDS), "counts": [9, 8, 7, 6, 5]},
    }[space]
    own = {
        "recordings": 4210,
        "groups": 14,
        "seconds": 3725.0,
        "known": {output: "some, 7 unknown" for output in outputs},
        "spread": {output: {"space": space, "unit": UNITS.get(output, ""), **spread} for output in outputs},
    }
    summary |= {"times": {"prepare": 3.14, "train": 125.0, "evaluate": 61.0}, "data": {"train": own, "test": own}}
    (folder / "summary.json").write_text(json.dumps(summary))
    for member in [folder / name for name in summary["members"]] or [folder]:
        (member / "model").mkdir()
        (member / "model" / "config.json").write_text(json.dumps({"provenance": {"checkpoint": "checkpoint-320"}}))
        with (member / "log.jsonl").open("a") as log:
            log.write(json.dumps({"step": 400, "train_accuracy": 0.9}) + "\n")
        worst(member / "worst", space, part, count)


def worst(folder: Path, space: str, part: str, count: int, offset: float = 0.0) -> None:
    """The `count` worst answers for every output, each a tone."""
    folder.mkdir()
    found, sounds = [], {}
    by: dict[str, list[dict[str, Any]]] = {}
    for row in rows(space, part):
        by.setdefault(row["output"], []).append(row)
    for output, own in by.items():
        for rank in range(1, count + 1):
            row, name = own[rank], f"{rank}.wav"
            sounds[name] = {"id": row["id"], "start": 0.0, "seconds": 30.0}
            t = np.arange(4000) / 8000
            soundfile.write(folder / name, 0.5 * np.sin(2 * np.pi * 440 * rank * t), 8000, subtype="PCM_16")
            told = {key: row[key] for key in ("output", "space", "unit")}
            told |= {key: [row[key]] for key in ("time", "truth", "prediction", "truth_label", "label")}
            if row["probabilities"]:
                told["probability"] = [max(row["probabilities"])]
            error = 0.9 - 0.1 * rank + offset
            found.append(told | {"output": output, "rank": rank, "error": error, "known": 1, "sound": name})
    (folder / "worst.json").write_text(json.dumps({"part": part, "sounds": sounds, "answers": found}))


@pytest.fixture
def invented(tmp_path: Path) -> Callable[..., Path]:
    """Makes a run's folder: `invented("real")`, `invented("class", ("fold-0", "fold-1"))`."""
    return lambda space, members=(): run(tmp_path / "runs" / f"invented-{space}", space, members)
