"""A run's folder -> one self-contained page, and a CSV file beside every plot on it."""

import csv
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..data import storage
from ..objectives import PROBABLE
from ..objectives.decision import joint
from . import clinical, examples, facts, figures, suspects, tripod
from .plots import Plot, conditions, curves, draw, drums, spread
from .table import MIXED, Scores, headline_part

_COLUMNS = ("output", "truth", "prediction", "truth_label", "label", "probabilities", "space", "unit")
_OF_TIME = ("id", "time", "repeat")
_BESIDE = ("group", "beside")


def write(folder: str | Path) -> Path:
    """Write `report/index.html` into a finished run's folder, and the numbers of every plot as CSV beside it; of labels
    or classes of people also `tripod.md`, to which the page leads.

    The page loads nothing: plots and sounds are inside, and so is its style. Names of recordings are shown beside the
    sounds of the worst answers alone, and people have codes there and no sound unless the run shows ids; groups are
    named nowhere.

    Raises:
        FileNotFoundError: the folder has no metrics.json.
        ValueError: a file of the run cannot be read.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    folder = Path(folder)
    if not (folder / "metrics.json").is_file():
        raise FileNotFoundError(f"{folder}: holds no metrics.json; a report is made of a run that was evaluated")
    metrics, summary = facts.json_of(folder / "metrics.json"), facts.json_of(folder / "summary.json")
    members = [folder / name for name in summary.get("members", [])] or [folder]
    part = headline_part(metrics)
    told: dict[str, Any] = summary.get("data") or {}
    data = {facts.PARTS.get(name, name): own for name, own in told.items()}
    worst = examples.collect(folder, members)
    report = folder / "report"
    report.mkdir(exist_ok=True)
    for old in report.glob("*.csv"):
        old.unlink()

    def saved(plots: Sequence[Plot]) -> list[tuple[Plot, str]]:
        return [(plot := _save(report, one), Markup(plot.svg)) for one in plots]

    headlines = figures.headlines(metrics[part], facts.PARTS.get(part, part)) if part else []
    judged = metrics[part]["model"] if part else {}
    judged_labels, group = facts.json_of(folder / "clinical.json"), summary.get("group", "group")
    pitches = {output for output, figures in judged.items() if "raw_pitch_accuracy" in figures}
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((Path(__file__).parent / "template.html").read_text(encoding="utf-8"))
    page = template.render(
        style=Markup((Path(__file__).parent / "style.css").read_text(encoding="utf-8")),
        name=summary.get("name", folder.name),
        part=facts.PARTS.get(part, part),
        headlines=headlines,
        scores=[
            figures.tables(split, metrics[split], split == part, [line["output"] for line in headlines])
            for split in sorted(metrics, key=lambda s: s != part)
        ],
        clinical=clinical.tables(judged_labels, group),
        suspects=suspects.rulings(metrics[part]) if part else [],
        no_device=clinical.NO_DEVICE if judged_labels or summary.get("clinical") else "",
        tripod=tripod.FILE if summary.get("clinical") else "",
        group=group,
        predictions={
            o: saved(plots) for o, plots in _predictions(folder / "predictions.parquet", part, pitches).items()
        },
        curves=saved(_curves(members, _units(metrics))),
        worst=worst,
        examples=[
            (one, Markup(one.spectrogram.svg) if one.spectrogram else "", saved(one.courses)) for one in worst.examples
        ],
        data={"parts": list(data), "rows": facts.parts(data)} if data else None,
        spread=saved(spread.draw({name: own.get("spread", {}) for name, own in data.items()})),
        splits=facts.splits(members),
        elsewhere=summary.get("elsewhere", ""),
        notes=summary.get("notes", []),
        alarms=summary.get("alarms", []),
        artifact=summary.get("artifact") or facts.json_of(members[0] / "summary.json").get("artifact", ""),
        facts=facts.facts(summary, folder),
        versions=summary.get("versions", {}),
        configuration=facts.text(folder / "run.yaml"),
    )
    storage.write_text(report / "index.html", page)
    tripod.write(folder)
    return report / "index.html"


def _predictions(path: Path, part: str, pitches: Container[str]) -> dict[str, list[Plot]]:
    """The plots of every output predicted in one part; of pitches in cents, of probabilities those that several seeds
    say together."""
    if not path.is_file():
        return {}
    there = set(pq.read_schema(path).names)
    rows = pq.read_table(
        path, columns=[c for c in (*_COLUMNS, *_OF_TIME, *_BESIDE) if c in there], filters=[("split", "=", part)]
    )
    output = np.asarray(rows["output"].to_pylist(), object)
    plots, quantities = {}, {}
    for name in dict.fromkeys(output):
        own = rows.filter(pa.array(output == name))
        space, of_unit = own["space"][0].as_py(), own["unit"][0].as_py()
        own, said = _together(own, space) if space in PROBABLE and "repeat" in there else (own, "")
        columns: dict[str, Any] = {key: own[key].to_numpy().astype(float) for key in ("truth", "prediction")}
        over_time = space == "real" and "time" in there and own["time"][0].as_py() is not None
        if over_time or space == "shape":
            repeat = own["repeat"].to_numpy() if "repeat" in there else np.zeros(len(own), int)
            ids = own["id"].to_pylist()
            columns |= {"id": np.array([f"{i} {r}" for i, r in zip(ids, repeat, strict=True)])}
        if over_time:
            columns |= {"time": own["time"].to_numpy().astype(float)}
        if space == "class":
            columns |= {c: np.array([*own[c].to_pylist(), None], object)[:-1] for c in _COLUMNS[3:5] if c in there}
            if "probabilities" in there:
                columns["probability"] = np.array([max(p) for p in own["probabilities"].to_pylist()])
        if found := draw("pitch" if name in pitches else space, name, of_unit or "", columns):
            plots[name] = [replace(plot, caption=plot.caption + said) for plot in found]
        if space == "real" and not over_time:
            quantities[name] = columns
            error = columns["prediction"] - columns["truth"]
            if "beside" in there and (more := conditions.draw(name, of_unit or "", error, *_beside(own))):
                plots[name] = [*plots.get(name, []), *more]
    return plots | drums.draw(quantities)


def _together(rows: pa.Table, space: str) -> tuple[pa.Table, str]:
    """One answer for each recording (or frame), that of the mean of several seeds' logits, and a sentence that says so;
    the rows as they are where there is one seed, or not all have answered to the same."""
    repeat, time = rows["repeat"].to_numpy(), np.nan_to_num(rows["time"].to_numpy().astype(float), nan=-1)
    seeds, ids = np.unique(repeat), rows["id"].combine_chunks().dictionary_encode().indices.to_numpy()
    if len(seeds) < 2 or len(rows) % len(seeds):
        return rows, ""
    places = np.lexsort((repeat, time, ids)).reshape(-1, len(seeds))
    if any((own[places] != own[places[:, :1]]).any() for own in (ids, time)) or (repeat[places] != seeds).any():
        return rows, ""
    one = "frame" if time.max() >= 0 else "recording"
    mean = "log-probability" if space == "class" else "logit"
    made = rows.take(places[:, 0])
    if space == "class":
        p = joint(np.moveaxis(np.array(rows["probabilities"].to_pylist(), float)[places], 0, -1), True)
        names = {n: w for t, w in (("truth", "truth_label"), ("prediction", "label"))
                 for n, w in zip(rows[t].to_pylist(), rows[w].to_pylist(), strict=True)}  # fmt: skip
        best = p.argmax(0).astype(float)
        new = {"prediction": best, "label": [names.get(n) for n in best], "probabilities": p.T.tolist()}
    else:
        new = {"prediction": joint(rows["prediction"].to_numpy()[places].T, False)}
    for name, column in new.items():
        made = made.set_column(made.schema.get_field_index(name), name, pa.array(column))
    return made, f" Each {one} counts once, by the mean {mean} of {len(seeds)} seeds."


def _beside(rows: pa.Table) -> tuple[list[str], dict[str, np.ndarray]]:
    """The group of each answer, and what else is known of it."""
    told = [dict(own or ()) for own in rows["beside"].to_pylist()]
    names = list(dict.fromkeys(name for own in told for name in own))
    return rows["group"].to_pylist(), {name: np.array([own.get(name, np.nan) for own in told]) for name in names}


def _curves(members: Sequence[Path], units: Mapping[str, str]) -> list[Plot]:
    """The learning curves of all members; the exported step where there is one training."""
    logs = {member.name: log for member in members if (log := facts.log(member / "log.jsonl"))}
    return curves.draw(logs, units, facts.exported(members[0]) if len(members) == 1 else None)


def _units(metrics: Mapping[str, Scores]) -> dict[str, str]:
    """The unit of each metric, where all outputs have the same."""
    found: dict[str, set[str]] = {}
    for scores in metrics.values():
        for output, names in scores["model"].items():
            for metric, figure in names.items():
                if not output.startswith("overall"):
                    found.setdefault(metric, set()).add(figure.get("unit", ""))
    return {metric: MIXED if len(units) > 1 else units.pop() for metric, units in found.items()}


def _save(report: Path, plot: Plot) -> Plot:
    """Write a plot's numbers under a name that no other plot has."""
    name, number = plot.name, 2
    while (report / f"{name}.csv").exists():
        name, number = f"{plot.name}-{number}", number + 1
    with (report / f"{name}.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(plot.table)
        writer.writerows(zip(*plot.table.values(), strict=True))
    return replace(plot, name=name)
