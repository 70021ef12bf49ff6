"""Items 4 and 16 to 27 of TRIPOD+AI: what the figures of a run, its notes and its machine say of them."""

from .. import card, clinical, suspects
from ..facts import PARTS, counted, json_of, splits
from ..table import Scores, groups_of, headline_part, main_metric, shown, verdict
from .methods import counts
from .told import Told


def lines(told: Told, scores: Scores) -> dict[int, list[str]]:
    """Paragraphs, lists and tables by the number of the item; `scores` are those of the part in the headline."""
    part = headline_part(told.metrics)
    heard = f"evaluated on its {PARTS.get(part, part)} part" if part else "not evaluated"
    heard = "evaluated on other data, without being updated" if told.elsewhere else heard
    made = "developed on the data below" if told.configuration["training"]["max_epochs"] else "taken as it was"
    alarms = [f"- Not fair: {alarm}" for alarm in told.summary["alarms"]]
    beaten = [f"- {output}: {verdict(scores, output).sentence}" for output in shown(scores)] if part else []
    ruled = [f"- {ruling.sentence}" for ruling in suspects.rulings(scores)] if part else []
    use = [
        "- Every sound gets an answer, also silence and noise: the model cannot say that it does not know.",
        "- It answers a recording by `tympan predict FOLDER sound.wav`, without anything else being known.",
        f"- {clinical.NO_DEVICE}",
    ]
    return {
        4: [f"A model was {made}, and {heard}."],
        16: ["\n".join(f"- {note}" for note in [told.elsewhere, *told.summary["notes"]] if note)],
        18: ["\n".join(_open(told))],
        20: _participants(told),
        21: ["\n".join(_development(told))],
        22: _specification(told),
        23: [
            _lower(card.results(told.metrics)),
            *card.titled(told.judged, told.group, 4)[1:],
        ],
        24: [_updating(told)],
        25: ["\n".join([*alarms, *beaten, *ruled])],
        26: ["\n".join([*alarms, *_limits(scores, part)])],
        27: ["\n".join(use)],
    }


def _open(told: Told) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in told.summary["versions"].items())
    hashes = ", ".join(
        f"{one['name']} {one['sha256']}" if told.several else one["sha256"] for one in splits(told.members)
    )
    software = f"- Software: {versions}."
    if told.elsewhere:
        return [
            software,
            "- The run's own folder, two above this one, has the configuration and the split of training.",
        ]
    return [
        software,
        f"- `run.yaml` is the whole configuration, with the seed {told.configuration['seed']}; `tympan train run.yaml` "
        "trains it again where the data are.",
        f"- The split is in `split.json`, SHA-256 {hashes}.",
    ]


def _participants(told: Told) -> list[str]:
    if not told.judged:
        return counts(told)
    part = headline_part(told.judged["parts"])
    rows = [
        [label, f"{own['groups']:,}", f"{own['positive_groups']:,}", f"{own['n']:,}", f"{own['positives']:,}"]
        for label, own in told.judged["parts"][part]["recordings"].items()
        if own["positives"] is not None
    ]
    heads = ["label", f"{told.group}s", "of these with it", "recordings", "of these with it"]
    return [f"Judged in the {PARTS.get(part, part)} part:", card.grid(heads, rows)]


def _development(told: Told) -> list[str]:
    if not told.configuration["training"]["max_epochs"]:
        return ["- Nothing was trained: the weights are those to begin with."]
    training, steps = told.summary["data"]["train"], told.summary["steps"]
    heard = f"{counted(training['recordings'], 'recording')} of {counted(training['groups'], told.group)}"
    lines = [
        f"- Trained on {heard}{told.several}, for {counted(steps, 'optimizer step')}{' in all' * bool(told.several)}."
    ]
    for label, own in training["labels"].items():
        known = f"{counted(own['groups'], told.group)} of whom it is known"
        lines.append(f"- {label}: {known}, {own['positive_groups']:,} of them with it.")
    return lines


def _specification(told: Told) -> list[str]:
    artifact = told.summary.get("artifact") or json_of(told.members[0] / "summary.json").get("artifact", "")
    where = f"`{told.members[0].name}/model/`" if told.several else "`model/`" + " of the run" * bool(told.elsewhere)
    return [f"All that answering needs, weights and settings, is in {where}{told.several}.", f"```\n{artifact}\n```"]


def _updating(told: Told) -> str:
    begun = told.summary.get("begun_with")
    began = f"Training began with other weights: {begun.splitlines()[0]}. " if begun else ""
    fold = "Each training has its own model, and none was trained on all the data. " * ("fold-" in told.members[0].name)
    return f"{began}{fold}What is exported is what was evaluated, and was not updated afterwards."


def _limits(scores: Scores, part: str) -> list[str]:
    if not part:
        return []
    output, names = next(iter(shown(scores).items()))
    main = scores["model"][output][main_metric(names)]
    return [
        f"- Measured only on {main['n']} recordings in {groups_of(main)}; what it does with other "
        "microphones, rooms, clinics or languages is not known.",
        "- An interval tells how much a figure depends on who was drawn, and nothing of systematic error.",
    ]


def _lower(markdown: str) -> str:
    """The same with its headings a level lower."""
    return f"\n{markdown}".replace("\n### ", "\n#### ")[1:]
