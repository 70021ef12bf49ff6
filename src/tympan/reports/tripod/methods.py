"""Items 5 to 15 of TRIPOD+AI, data and methods: what the configuration and the parts of the data say of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from .. import card
from ..facts import counted
from ..table import Scores
from .told import Told, section

_CYCLE = "; onecycle leads the first moment's decay, or the momentum, from 0.95 to 0.85 and back"


def lines(told: Told, scores: Scores) -> dict[int, list[str]]:
    """Paragraphs, lists and tables by the number of the item; `scores` are those of the part in the headline."""
    data, features = told.configuration["data"], told.configuration["features"]
    recordings, groups = (sum(own[what] for own in told.parts.values()) for what in ("recordings", "groups"))
    return {
        5: [
            f"The data are of type `{data['type']}`: {counted(recordings, 'recording')} in the parts of the split"
            f"{', of which the test part is other data' * bool(told.elsewhere)}."
        ],
        6: [f"They are of {counted(groups, told.group)}."],
        7: ["\n".join(_preparation(data, features, told.configuration["augmentations"]))],
        8: ["\n".join(_outcomes(told))],
        9: [f"The model hears the sound alone, as `{features['type']}`; nothing else of a table is told to it."],
        10: [*counts(told), f"The model has {told.summary['parameters']:,} parameters."],
        11: ["\n".join(_missing(told))],
        12: ["\n".join(_methods(told, scores))],
        13: ["\n".join(_balance(told))],
        14: [_fairness(told)],
        15: _output(told),
    }


def _preparation(data: Mapping[str, Any], features: Mapping[str, Any], augmentations: Sequence[Any]) -> list[str]:
    lines = [
        f"- Sound is resampled to {data['sample_rate']:,} Hz; several channels: {data['channels']}; a clip is "
        f"{data['duration']} s long, taken by `crop: {data['crop']}`, and a shorter recording is padded on the "
        f"{data['padding']}.",
    ]
    if data.get("trim"):
        lines.append(f"- What is more than {data['trim']:g} dB below the loudest is cut off both ends of a recording.")
    lines.append(f"- Features: {section(features)}.")
    if augmentations:
        names = ", ".join(f"`{one['type']}`" for one in augmentations)
        lines.append(f"- In training alone, sound is changed at random by {names}.")
    return lines


def _outcomes(told: Told) -> list[str]:
    data = told.configuration["data"]
    lines = []
    for target in told.targets:
        names = target.get("labels") or target.get("quantities") or target.get("column") or ()
        named = names if isinstance(names, str) else ", ".join(names)
        classes = f", one of {', '.join(map(str, target['classes']))}" if target.get("classes") else ""
        lines.append(f"- {named}: `{target['type']}`{classes}.")
    if data.get("positive_above") is not None:
        lines.append(f"- A label holds where its column is above {data['positive_above']}.")
    lines += [f"- {label} is made of columns: `{formula}`." for label, formula in (data.get("derived") or {}).items()]
    return lines


def counts(told: Told) -> list[str]:
    """How many people, recordings and events each part has."""
    rows = [
        [
            *(part, label, f"{own['groups']:,}", f"{own['positive_groups']:,}"),
            *(f"{own['recordings']:,}", f"{own['positive']:,}", f"{own['unknown']:,}"),
        ]
        for part, of in told.parts.items()
        for label, own in of["labels"].items()
    ]
    heads = ["part", "label", f"{told.group}s", "of these with it", "recordings", "of these with it", "unknown"]
    found = [f"What is known in each part{told.several}:", *([card.grid(heads, rows)] if rows else [])]
    others = []
    for part, of in told.parts.items():
        size = f"{counted(of['recordings'], 'recording')} of {counted(of['groups'], told.group)}"
        known = {output: words for output, words in of["known"].items() if output not in of["labels"]}
        others += [f"- {part}: {size}; {output}: {words}." for output, words in known.items()]
    return [*found, "\n".join(others)]


def _missing(told: Told) -> list[str]:
    unknown = told.configuration["data"].get("unknown")
    codes = f" So are the codes {', '.join(map(str, unknown))}." if unknown else ""
    lines = [
        f"- An empty cell is unknown.{codes} What is unknown neither trains nor counts, and nothing was filled in; a "
        "recording trains by the labels that are known of it.",
    ]
    for part, own in told.parts.items():
        lost = {label: one["unknown"] for label, one in own["labels"].items() if one["unknown"]}
        if lost:
            lines.append(
                f"- Unknown in the {part} part{told.several}: {', '.join(f'{k} {n:,}' for k, n in lost.items())}."
            )
    return lines


def _methods(told: Told, scores: Scores) -> list[str]:
    c, judging = told.configuration, told.configuration["judging"]
    training, kept = c["training"], c["checkpoint"]
    others = {kind: [w.partition("/")[2] for w in scores if w.startswith(kind)] for kind in ("baseline", "control")}
    if not training["max_epochs"]:
        chosen = "the weights to begin with, since nothing was trained"
    elif not told.summary["data"]["validation"]["recordings"]:
        chosen = "the last checkpoint, chosen by nothing"
    else:
        chosen = f"the checkpoint with the best `{kept['monitor']}`"
    lines = [
        f"- Split, by {told.group}: {section(c['split'])}.",
        f"- Model: {section(c['model'])}.",
        *(f"- Head: {section(output['head'])}." for output in told.outputs if output.get("head")),
        *(f"- Loss: {section(output['loss'])}." for output in told.outputs if output.get("loss")),
        f"- Optimizer: {section(c['optimizer'])}{_CYCLE * (c['optimizer']['scheduler'] == 'onecycle')}.",
        f"- Training: {section(training)}. What was kept is {chosen}.",
    ]
    if told.judged:
        lines.append(f"- Thresholds and calibration: {section(judging, ('threshold', 'sensitivity', 'calibration'))}.")
    lines.append(f"- Intervals are of 95 %, from draws of {told.group}s with all their recordings.")
    lines += [f"- Compared with each {kind}: {', '.join(names)}." for kind, names in others.items() if names]
    return lines


def _balance(told: Told) -> list[str]:
    balance = told.configuration["training"]["balance"]
    drawn = [] if balance == "none" else [f"- Recordings were drawn so that they are balanced by: {balance}."]
    weights = [
        f"- {name.replace('_', ' ')}: {value}"
        for output in told.outputs
        for name, value in (output.get("loss") or {}).items()
        if name in ("positive_weights", "class_weights", "focal") and value
    ]
    return [*drawn, *weights] or ["- Nothing was done about it."]


def _fairness(told: Told) -> str:
    judging = told.configuration["judging"]
    if not judging["subgroups"]:
        return "No subgroups were named (`judging.subgroups`), so no figures of any are known."
    columns, fewest = ", ".join(judging["subgroups"]), judging["smallest_subgroup"]
    return f"Item 23 has figures of subgroups by {columns}, but of none with fewer than {fewest} {told.group}s."


def _output(told: Told) -> list[str]:
    what = {"binary": "the probability that each label holds", "categorical": "a probability for each class"}
    kinds = dict.fromkeys(what.get(target["type"], f"what a `{target['type']}` target says") for target in told.targets)
    return [
        f"The model says {', and '.join(kinds)}.",
        *card.titled(told.judged, told.group, 4)[:1],
    ]
