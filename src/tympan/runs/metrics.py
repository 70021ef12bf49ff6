"""Evaluations -> metrics.json and predictions.parquet: figures, intervals, differences from baselines, and skill."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..data import storage
from ..objectives.accumulate import scores
from ..objectives.paired import differences, skills
from ..objectives.resample import OVERALL, draw, mean
from .decided import Decisions
from .ensemble import together
from .evaluate import Evaluation
from .said import table
from .shuffled import p_value

Figures = dict[str, dict[str, dict[str, dict[str, Any]]]]
"""`{who: {output: {metric: {value, low, high, n, groups, ...}}}}`.

A baseline's figure also has the `difference` of the model from it, `{value, low, high, better}`: the model minus the
baseline, on the recordings for which both have a figure. For a signal over time it may have the `skill` of the model,
`{value, low, high, n, note, ceiling}`, and the shuffled songs `p` and `permutations`.
"""
Metrics = dict[str, Figures]
"""Of each part, `{split: Figures}`; of a part of several corpora also each by itself, as `test/corpus`."""

CEILINGS = ("reference/population", "reference/other_listeners")
"""Who is taken as the ceiling of a signal: what is known of everybody, else what others who hear the same show."""


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
                own = replace(evaluation, predictions=[replace(p, fold=name) for p in evaluation.predictions])
                repeat.setdefault("out_of_fold" if fold else part, Evaluation()).merge(own)
    repeats = list(seeds.values())
    return {part: [repeat[part] for repeat in repeats] for part in repeats[0]}


def summarise(repeats: Sequence[Evaluation], resamples: int = 2000) -> Figures:
    """The figures of one part; the mean over repeats with other seeds, if any, and of these what they say together."""
    found: Figures = {}
    for key in repeats[0].accumulators["model"]:
        several = len({name for name, _ in repeats[0].accumulators["model"]}) > 1

        def called(output: str, name: str = key[0], several: bool = several) -> str:
            return f"{OVERALL} ({name})" if output == OVERALL and several else output  # several targets have each one

        there = {
            who: [r.accumulators[who][key] for r in repeats]
            for who, own in repeats[0].accumulators.items()
            if key in own
        }
        if joint := together(repeats, key):
            there["reference/ensemble"] = [joint]
        drawn = {who: draw(own, resamples, 0) for who, own in there.items()}
        for who, own in there.items():
            for output, score in scores(own, resamples, drawn=drawn[who]).items():
                output = called(output)
                figure = {**vars(score), "unit": repeats[0].units.get(output, {}).get(key[1], "")}
                found.setdefault(who, {}).setdefault(output, {})[key[1]] = figure
        ceiling = next((who for who in CEILINGS if who in there), None) if there["model"][0].rate else None
        for who, own in there.items():
            if not who.startswith(("baseline/", "control/")):
                continue
            pair = drawn[who], drawn["model"]
            for output, d in differences(own, there["model"], resamples, drawn=pair).items():
                told = {k: getattr(d, k) for k in ("value", "low", "high", "better")}
                found[who][called(output)][key[1]]["difference"] = told
            if not ceiling or not who.startswith("baseline/"):
                continue
            for output, s in skills(own, there["model"], there[ceiling], resamples).items():
                found[who][output][key[1]]["skill"] = {**vars(s), "ceiling": ceiling}
        for output, told in _chances(
            repeats, key, {o: f[key[1]]["value"] for o, f in found["model"].items() if key[1] in f}
        ):
            shuffled = found.get("baseline/shuffled_song", {}).get(output, {}).get(key[1])
            if shuffled and shuffled["value"] is not None:  # there are other songs
                shuffled |= told
    return found


def _chances(
    repeats: Sequence[Evaluation], key: tuple[str, str], values: Mapping[str, float | None]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """By output, how likely a model that does not hear is to do as well as this one."""
    for output in repeats[0].permuted.get(key, ()):
        levels = [r.permuted[key][output].levels() for r in repeats]
        n = min(map(len, levels))
        value = values.get(output)
        if value is not None:
            more = repeats[0].accumulators["model"][key].metric.higher_is_better
            yield output, {"p": p_value(value, mean(np.stack([own[:n] for own in levels], 1)), more), "permutations": n}


def write(folder: Path, evaluations: Mapping[str, Sequence[Evaluation]], made: Decisions | None = None) -> Metrics:
    """Write predictions.parquet and metrics.json into a run's folder, each whole, and return the metrics.

    Args:
        folder: of the run.
        evaluations: of each part, one for each repeat with another seed.
        made: what was decided of labels, if there are any.
    """
    metrics: Metrics = {}
    for part, repeats in evaluations.items():
        metrics[part] = summarise(repeats)
        corpora = sorted(set(repeats[0].corpora.values()))
        for corpus in corpora if len(corpora) > 1 else ():
            metrics[f"{part}/{corpus}"] = summarise([repeat.only(corpus) for repeat in repeats])
    tables = []
    for part, repeats in evaluations.items():
        for i, evaluation in enumerate(repeats):
            own = table(evaluation.predictions, made or {})
            if len(repeats) > 1:
                own = own.add_column(0, "repeat", pa.array(np.full(len(own), i)))
            tables.append(own.add_column(0, "split", pa.array([part]).take(pa.array(np.zeros(len(own), np.int64)))))
    whole = pa.concat_tables(tables, promote_options="default") if tables else ()
    if len(whole):
        with storage.aside(folder / "predictions.parquet") as written:
            pq.write_table(whole, written)
    storage.write_text(folder / "metrics.json", json.dumps(metrics, indent=1, allow_nan=False) + "\n")
    return metrics
