"""The headline figures: whole recordings, the model beside baselines and references, intervals over groups."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..data import Example, storage
from ..objectives.accumulate import OVERALL, Accumulator, scores
from ..pipeline import Part
from ..serving.artifact import Artifact
from . import baselines
from .prepare import Prepared

Metrics = dict[str, dict[str, dict[str, dict[str, dict[str, Any]]]]]
"""`{split: {who: {output: {metric: {value, low, high, n, groups, ...}}}}}`."""
Decoded = Mapping[str, np.ndarray]


@dataclass
class Evaluation:
    """What was answered in one part, by everybody: rows from which figures are made, and the model's predictions."""

    accumulators: dict[str, dict[tuple[str, str], Accumulator]] = field(default_factory=dict)
    """By who, then by output group and metric."""
    predictions: list[dict[str, Any]] = field(default_factory=list)
    units: dict[str, dict[str, str]] = field(default_factory=dict)
    """The unit of every metric of every output."""
    losses: dict[str, tuple[float, float, int]] = field(default_factory=dict)
    """For each output the weight of its loss, the sum over known values, and how many these are."""

    @property
    def loss(self) -> float:
        """The loss of whole recordings, as it is in training: the weighted sum over outputs."""
        return sum(weight * total / max(known, 1) for weight, total, known in self.losses.values())

    def merge(self, other: "Evaluation") -> None:
        """Take in another evaluation of other recordings: the next fold."""
        for who, figures in other.accumulators.items():
            mine = self.accumulators.setdefault(who, {})
            for key, accumulator in figures.items():
                if key in mine:
                    mine[key].merge(accumulator)
                else:
                    mine[key] = accumulator
        for name, (weight, total, known) in other.losses.items():
            _, before, n = self.losses.get(name, (weight, 0.0, 0))
            self.losses[name] = weight, before + total, n + known
        self.predictions += other.predictions
        self.units.update(other.units)


def pool(members: Mapping[str, Mapping[str, Evaluation]]) -> dict[str, list[Evaluation]]:
    """The evaluations of a run's members (`seed-1`, `fold-0`, `seed-1-fold-0`): of each part, one for each seed.

    Of folds the test parts alone are pooled, as `out_of_fold`: what validates one fold trains another.
    """
    seeds: dict[str, dict[str, Evaluation]] = {}
    for name, parts in members.items():
        seed, fold, _ = name.rpartition("fold-")
        for part, evaluation in parts.items():
            if not fold or part == "test":
                repeat = seeds.setdefault(seed if fold else name, {})
                repeat.setdefault("out_of_fold" if fold else part, Evaluation()).merge(evaluation)
    repeats = list(seeds.values())
    return {part: [repeat[part] for repeat in repeats] for part in repeats[0]}


def summarise(repeats: Sequence[Evaluation], resamples: int = 2000) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """`{who: {output: {metric: figure}}}` of one part; the mean over repeats with other seeds, if any."""
    table: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
    for who in repeats[0].accumulators:
        for key in repeats[0].accumulators[who]:
            found = scores([r.accumulators[who][key] for r in repeats], resamples)
            for output, score in found.items():
                if output == OVERALL and len({name for name, _ in repeats[0].accumulators[who]}) > 1:
                    output = f"{OVERALL} ({key[0]})"  # several targets have each their own
                figure = {**vars(score), "unit": repeats[0].units.get(output, {}).get(key[1], "")}
                table.setdefault(who, {}).setdefault(output, {})[key[1]] = figure
    return table


def evaluate(
    prepared: Prepared, artifact: Artifact, parts: Sequence[Part], batch_size: int = 32
) -> dict[str, Evaluation]:
    """Score the model, the baselines and the references on parts of a run's data.

    Args:
        prepared: the run with its parts; baselines are fitted on the training part.
        artifact: the trained pipeline.
        parts: names of parts, of which the empty ones are left out.
    """
    there: list[Part] = [part for part in parts if getattr(prepared.parts, part)]
    if not there:
        return {}
    answers, pool = _baselines(prepared, artifact)
    return {part: _score(prepared, artifact, part, answers, pool, batch_size) for part in there}


def write(folder: Path, evaluations: Mapping[str, Sequence[Evaluation]]) -> Metrics:
    """Write predictions.parquet and metrics.json into a run's folder, each whole, and return the metrics."""
    metrics: Metrics = {part: summarise(repeats) for part, repeats in evaluations.items()}
    rows = [
        {"split": part, **({"repeat": i} if len(repeats) > 1 else {}), **row}
        for part, repeats in evaluations.items()
        for i, evaluation in enumerate(repeats)
        for row in evaluation.predictions
    ]
    if rows:
        with storage.aside(folder / "predictions.parquet") as written:
            pq.write_table(pa.Table.from_pylist(rows), written)
    storage.write_text(folder / "metrics.json", json.dumps(metrics, indent=1, allow_nan=False) + "\n")
    return metrics


def _baselines(prepared: Prepared, artifact: Artifact) -> tuple[dict[str, dict[str, baselines.Answer]], Any]:
    """By output group, then by name; and what pools features for them."""
    pool = baselines.Pool(artifact)
    statistics, encoded, groups = [], [], []
    for example in _examples(prepared, "train"):
        statistics.append(pool(example.waveform))
        encoded.append(prepared.encode(example))
        groups.append(prepared.run.group_of(example))
    x = np.stack(statistics)
    return {
        name: baselines.fit(output.target, [e[name] for e in encoded], x, groups)
        for name, output in prepared.run.outputs.items()
    }, pool


def _score(
    prepared: Prepared,
    artifact: Artifact,
    part: Part,
    answers: Mapping[str, Mapping[str, baselines.Answer]],
    pool: Callable[[np.ndarray], np.ndarray],
    batch_size: int,
) -> Evaluation:
    result = Evaluation()
    for output in prepared.run.outputs.values():
        for column, unit in output.target.unit.items():
            result.units[column] = {metric.type: metric.unit(unit) for metric in output.figures(part)}
    waiting: list[Example] = []

    def waveforms() -> Iterator[np.ndarray]:
        for example in _examples(prepared, part):
            waiting.append(example)
            yield example.waveform

    for heard in artifact.hear(waveforms(), batch_size):
        example = waiting.pop(0)
        encoded = prepared.encode(example)
        group = prepared.run.group_of(example)
        statistics = pool(example.waveform)
        references = prepared.source.references(example)
        for name, output in prepared.run.outputs.items():
            target = output.target
            truth = {key: value[0] for key, value in target.truth(encoded[name][None]).items()}
            # A target with a rate may know a frame more or less than the windows over the sound have.
            frames = min(next(iter(truth.values())).shape[1], heard[name].shape[1])
            truth = {key: value[:, :frames] for key, value in truth.items()}
            said: dict[str, Decoded] = {
                "model": {k: v[0, :, :frames] for k, v in target.decode(heard[name][None]).items()},
                **{f"baseline/{who}": answer(statistics) for who, answer in answers[name].items()},
                **_references(target, references),
            }
            frames_heard = heard[name][None, :, :frames]
            weight, total, known = result.losses.get(name, (output.weight, 0.0, 0))
            count = int((~encoded[name][:, :frames].isnan()).sum())
            loss = float(output.criterion(frames_heard, encoded[name][None, :, :frames]))
            result.losses[name] = weight, total + loss * count, known + count
            for who, decoded in said.items():
                figures = result.accumulators.setdefault(who, {})
                whole = {k: np.broadcast_to(v, (v.shape[0], frames))[None] for k, v in decoded.items()}
                for metric in output.figures(part):
                    key = (name, metric.type)
                    if key not in figures:
                        figures[key] = metric.start(target.outputs)
                    figures[key].update(whole, {k: v[None] for k, v in truth.items()}, [example.id], [group])
            result.predictions += _rows(target, example.id, group, said["model"], truth)
    return result


def _references(target: Any, references: Mapping[str, Mapping[str, Any]]) -> dict[str, Decoded]:
    """The references that answer for every output of a target."""
    return {
        f"reference/{who}": {k: v[0] for k, v in target.truth(target.encode(values)[None]).items()}
        for who, values in references.items()
        if target.space == "real" and set(target.outputs) <= set(values)
    }


def _rows(target: Any, id: str, group: str, said: Decoded, truth: Decoded) -> list[dict[str, Any]]:
    rows = []
    classes = target.signal(1.0).channels if target.space == "class" else ()
    for output, values in said.items():
        for frame in range(values.shape[1]):
            right, answer = float(truth[output][0, frame]), values[:, frame]
            known = not np.isnan(right)
            rows.append(
                {
                    "id": id,
                    "group": group,
                    "output": output,
                    "time": frame / target.rate if target.rate else None,
                    "truth": right if known else None,
                    "prediction": float(answer.argmax() if classes else answer[0]),
                    "truth_label": classes[int(right)] if classes and known else None,
                    "label": classes[int(answer.argmax())] if classes else None,
                    "probabilities": answer.tolist() if classes else None,
                    "space": target.space,
                    "unit": target.unit[output],
                }
            )
    return rows


def _examples(prepared: Prepared, part: str) -> Iterator[Example]:
    """The recordings of a part as prediction hears them: whole, unless only their start is heard."""
    source = prepared.source
    for index in getattr(prepared.parts, part):
        yield source.clip(index, 0, prepared.run.seed) if source.crop == "start" else source[index]
