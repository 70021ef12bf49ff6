"""The model card: what an artifact takes and answers, how it was trained, how good it is, and what it is not."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ..data import yaml_file
from ..data.synthesizers import Synthesizer
from ..objectives.decision import kept
from ..serving.artifact import Artifact
from . import clinical, suspects
from .table import Scores, beside, groups_of, headline_part, in_order, main_metric, marks, meaning, shown, unit, verdict


def card(
    artifact: Artifact,
    metrics: Mapping[str, Scores],
    configuration_text: str,
    notes: Sequence[str],
    use: str = "",
    judged: Mapping[str, Any] = MappingProxyType({}),
    group: str = "group",
) -> str:
    """The card as Markdown.

    Args:
        artifact: what it is the card of.
        metrics: what metrics.json holds.
        configuration_text: the resolved configuration, YAML.
        notes: sentences on the split that a reader must know.
        use: how to use it, in Markdown; by default how any artifact is used.
        judged: what clinical.json holds, if labels were judged.
        group: what a group is called: subject.
    """
    configuration = yaml_file.read(configuration_text, "run.yaml")[0] or {}
    config = artifact.config
    names = [output for o in config.outputs.values() for output in o.target.outputs]
    sections = [
        f"# {config.provenance.get('run', 'A tympan model')}",
        f"Measures {', '.join(f'**{plain(name)}**' for name in names)} from sound. "
        f"Trained with tympan {config.tympan}.",
        "## What it takes\n\n" + _takes(artifact),
        "## What it answers\n\n" + _answers(artifact),
        "## How it was trained\n\n" + _trained(artifact, configuration, notes),
        "## Results\n\n" + results(metrics),
        *(["## Labels at a fixed threshold\n\n" + _judged(judged, group)] if judged else []),
        "## Limits\n\n" + _limits(configuration, metrics),
        "## How to use it\n\n" + (use or _USE),
    ]
    if configuration_text:
        sections.append(f"## Configuration\n\n```yaml\n{configuration_text.rstrip()}\n```")
    return harmless("\n\n".join(sections)) + "\n"


_USE = """In these, `FOLDER` is the folder of this file.

```sh
tympan predict FOLDER sound.wav
```

```python
from tympan.serving.answer import predict
from tympan.serving.artifact import Artifact

artifact = Artifact.load("FOLDER")
print(artifact)
rows = list(predict(artifact, ["sound.wav"]))
```"""


def _takes(artifact: Artifact) -> str:
    audio = artifact.config.audio
    part = {
        "start": "its start is heard",
        "onset": "the clip that begins at its first onset is heard",
        "random": "all of it is heard, in overlapping clips",
        "all": "all of it is heard, in overlapping clips",
    }[audio.crop]
    mixed = {"mean": "averaged", "sum": "added up", "first": "left out but the first", "keep": "kept"}[audio.channels]
    return "\n".join(
        [
            f"- Sound, resampled to {audio.sample_rate:,} Hz; several channels are {mixed}.",
            f"- Clips of {audio.samples / audio.sample_rate:.4g} s ({audio.samples:,} samples). Of a longer recording "
            f"{part}; a shorter one is padded on the {audio.padding}.",
        ]
    )


_WHAT = {
    "real": "a quantity",
    "binary": "the probability that it holds",
    "class": "one class",
    "shape": "an outline of unit area, turned and mirrored anyhow",
}


def _answers(artifact: Artifact) -> str:
    lines = ["| output | what | unit or classes | how often |", "|---|---|---|---|"]
    for output in artifact.config.outputs.values():
        target = output.target
        what = _WHAT[target.space]
        often = f"{target.rate:g} times a second" if target.rate else "once per recording"
        for name in target.outputs:
            detail = ", ".join(target.signal(1.0).channels) if target.space == "class" else target.unit[name]
            lines.append(f"| {plain(name)} | {what} | {plain(detail) or '-'} | {often} |")
    made = kept(artifact.config.provenance)
    lines += [""] * bool(made)
    for label, decision in made.items():
        lines.append(
            f"- `{plain(label)} (decision)` is 1 from a probability of {decision.threshold:.4g} on, and "
            f"`{plain(label)} (calibrated)` is the corrected probability ({decision.source})."
        )
    return "\n".join(lines)


def _trained(artifact: Artifact, configuration: Mapping[str, Any], notes: Sequence[str]) -> str:
    config, told = artifact.config, artifact.config.provenance
    parameters = sum(p.numel() for p in artifact.pipeline.parameters())
    lines = [f"- Model: `{config.model.type}` on `{config.features.type}`, {parameters:,} parameters."]
    data = _data(configuration) or told.get("data")
    if data:
        made = ", a synthesizer" if data in Synthesizer.names() else ""
        lines.insert(0, f"- Data: `{data}`{made}.")
    split = configuration.get("split")
    if split:
        said = ", ".join(f"{key} {_value(value)}" for key, value in split.items() if value is not None)
        lines.append(f"- Split: {said}.")
    lines += [f"- {str(key).capitalize()}: `{told[key]}`." for key in ("steps", "seed", "checkpoint") if key in told]
    return "\n".join([*lines, *(f"- {note}" for note in notes)])


def results(metrics: Mapping[str, Scores]) -> str:
    """The figures of every part as Markdown tables with headings of the third level, that of the headline first."""
    if not metrics:
        return "It was not evaluated."
    blocks = []
    part = headline_part(metrics)
    for split in sorted(metrics, key=lambda s: s != part):
        scores = metrics[split]
        for output, names in shown(scores).items():
            main = scores["model"][output][main_metric(names)]
            units = [unit(scores, output, metric) for metric in names]
            heads = [f"{m} ({u})" if u else m for m, u in zip(names, units, strict=True)]
            rows = [
                [who, *(beside(f, metric) if (f := scores[who][output].get(metric)) else "" for metric in names)]
                for who in in_order(scores)
                if output in scores[who]
            ]
            count = f"{main['n']} recordings in {groups_of(main)}"
            table = grid(["who", *heads], rows)
            said = [verdict(scores, output).sentence] * (split == part) + list(map(plain, marks(scores, output)))
            own, _, corpus = split.replace("_", " ").partition("/")
            whole = f"### {plain(output)}: {own} part{f' of {plain(corpus)}' * bool(corpus)}, {count}"
            blocks.append("\n\n".join([whole, table, *said]))
    ruled = [(plain(ruling.sentence), ruling.suspect) for ruling in suspects.rulings(metrics[part])]
    blocks += [f"**{sentence}**" if suspect else sentence for sentence, suspect in ruled]
    words = "; ".join(
        f"{m}: {meaning(m)}" for m in dict.fromkeys(m for ms in shown(metrics[part]).values() for m in ms)
    )
    blocks.append(
        "In brackets: 95 % intervals over groups, of signals over every kind of them. A baseline hears only what the "
        f"model hears; a reference knows more, or is what several seeds say together, and is no baseline. {words}."
    )
    return "\n\n".join(blocks)


def _judged(judged: Mapping[str, Any], group: str) -> str:
    return "\n\n".join([clinical.NO_DEVICE, *titled(judged, group, 3)])


def _limits(configuration: Mapping[str, Any], metrics: Mapping[str, Scores]) -> str:
    lines = []
    data = _data(configuration)
    part = headline_part(metrics)
    if part:
        output, names = next(iter(shown(metrics[part]).items()))
        main = metrics[part]["model"][output][main_metric(names)]
        of = f" of `{data}`" if data else ""
        lines.append(
            f"- Measured only on {main['n']} recordings in {groups_of(main)}{of}. What it does with other "
            "microphones, rooms, instruments or people is not known."
        )
    if data in Synthesizer.names():
        lines.append("- It has heard synthesised sound alone; how it measures recorded sound is not known.")
    lines += [
        "- Every sound gets an answer, also silence and noise: it cannot say that it does not know.",
        "- An interval tells how much the figure depends on which groups were drawn, and nothing of systematic error.",
        f"- {clinical.NO_DEVICE}",
    ]
    return "\n".join(lines)


def _data(configuration: Mapping[str, Any]) -> str:
    data = configuration.get("data")
    return str(data.get("type", "")) if isinstance(data, Mapping) else ""


def _value(value: Any) -> str:
    return "/".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def plain(text: str) -> str:
    """Text that leaves a Markdown table whole."""
    return text.replace("|", "\\|").replace("\n", " ")


_FENCED = re.compile(r"(^ {0,3}```.*?^ {0,3}```$)", re.MULTILINE | re.DOTALL)
_CELLS = re.compile(r"((?<!\\)\|)")
_KEPT = re.compile(r"\\[\\`<&]|(`+)(?!`).*?(?<!`)\1(?!`)|`+|[&<]")  # a sign after a backslash, code, lone backticks


def harmless(markdown: str) -> str:
    """Markdown in which no name is read as HTML; in code, where Markdown shows everything as it is, nothing changes."""
    made = []
    for place, block in enumerate(_FENCED.split(markdown)):
        if place % 2:
            made.append(block)
            continue
        for line in block.splitlines(keepends=True):  # code ends with its line, and with its cell of a table
            parts = _CELLS.split(line) if line.startswith("|") else [line]
            made += [_KEPT.sub(_escaped, part) for part in parts]
    return "".join(made)


def _escaped(found: re.Match[str]) -> str:
    return {"&": "&amp;", "<": "&lt;"}.get(found[0], found[0])


def grid(heads: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    return "\n".join(f"| {' | '.join(map(plain, row))} |" for row in [heads, ["---"] * len(heads), *rows])


def titled(judged: Mapping[str, Any], group: str, level: int) -> list[str]:
    """The tables of what clinical.json holds, each below a heading of this level."""
    return [
        f"{'#' * level} {table.title[:1].upper()}{table.title[1:]}\n\n{grid(table.heads, table.rows)}"
        for table in clinical.tables(judged, group)
    ]
