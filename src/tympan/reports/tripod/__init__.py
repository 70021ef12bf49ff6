"""A skeleton of a study's report by TRIPOD+AI: what the run knows of each item, and what is left to its authors.

Collins et al., TRIPOD+AI statement, BMJ 2024;385:e078378. Items have the statement's numbers, and our own words.
"""

from pathlib import Path

from ...data import storage
from .. import card
from ..clinical import NO_DEVICE
from ..table import headline_part
from . import methods, results
from .told import Told

FILE = "tripod.md"

ITEMS = {
    "Title and abstract": {
        1: ("Title", "a title that names the people, what is predicted, and whether the model is new."),
        2: ("Abstract", "the abstract; the statement has a list of its own for it."),
    },
    "Introduction": {
        3: (
            "Background",
            "why this is to be predicted, from whom, by whom and where in their care; which models there are already; "
            "and in what these people are known to be treated unequally.",
        ),
        4: ("Objectives", "the question of the study."),
    },
    "Methods": {
        5: ("Data", "where and when the recordings were made, why these were taken, and for whom they stand."),
        6: ("Participants", "the clinics, who could take part and who could not, and treatments that matter."),
        7: (
            "Data preparation",
            "what was done to recordings and tables before the run read them, and whether for everyone alike.",
        ),
        8: ("Outcome", "what each label means, who gave it, when and by what rule, and what they knew of the person."),
        9: ("Predictors", "what was said and how it was recorded: the task, the microphone, the room."),
        10: ("Sample size", "why so many people are enough, or that no more could be had."),
        11: ("Missing data", "why labels or recordings are missing, and of whom."),
        12: ("Analytical methods", "which other models and settings were tried, and by what this one was chosen."),
        13: ("Class imbalance", "how common each label is among the people whom the model is meant for."),
        14: ("Fairness", "which groups of people were compared, why these, and what was done where they differ."),
        15: ("Model output", "why this threshold, and what would follow from an answer on either side of it."),
        16: ("Training versus evaluation", "in what the people and recordings of the two parts differ otherwise."),
        17: ("Ethical approval", "the committee and its decision, and how people consented."),
    },
    "Open science": {
        18: (
            "Open science",
            "funding; interests; the protocol, and where the study is registered; who can have data and code, and how.",
        ),
    },
    "Patient and public involvement": {
        19: (
            "Patient and public involvement",
            "what part patients and the public had in the study, or that they had none.",
        ),
    },
    "Results": {
        20: ("Participants", "how people came to be in the data, and left out of it; their age, sex and condition."),
        21: ("Model development", ""),
        22: ("Model specification", "who can have the model, and on what terms."),
        23: ("Model performance", "how the figures differ between clinics, where there are several."),
        24: ("Model updating", ""),
    },
    "Discussion": {
        25: ("Interpretation", "what the figures mean for the question, for fairness, and beside earlier studies."),
        26: ("Limitations", "whom the data do not stand for, and what else makes the figures uncertain."),
        27: (
            "Usability in care",
            "what is done with a recording that is bad or missing, what its users must know, and what is to be studied "
            "next.",
        ),
    },
}
"""The 27 items by section: a short name, and what only the authors can tell; nothing where the run tells all."""


def write(folder: Path) -> Path | None:
    """Write `report/tripod.md` into the folder of a run that tells labels or classes of people; of others nothing.

    Every item holds what the run's own files say, and else a line that begins with *To be written by you*.

    Raises:
        ValueError: a file of the run cannot be read.
    """
    told = Told.of(folder)
    if not told.summary.get("clinical"):
        return None
    scores = told.metrics.get(headline_part(told.metrics), {"model": {}})
    known = methods.lines(told, scores) | results.lines(told, scores)
    blocks = [
        f"# {told.summary['name']}: reporting by TRIPOD+AI",
        "A skeleton: the numbers are those of the TRIPOD+AI statement (Collins et al., BMJ 2024;385:e078378), the "
        "words are not; read there what each item asks. All that stands here is from the run's own files; the lines "
        f"*To be written by you* are yours. {NO_DEVICE}",
    ]
    for section, items in ITEMS.items():
        blocks.append(f"## {section}")
        for number, (name, yours) in items.items():
            blocks += [f"### {number}. {name}", *filter(None, known.get(number, []))]
            blocks += [f"*To be written by you:* {yours}"] if yours else []
    path = folder / "report" / FILE
    storage.write_text(path, card.harmless("\n\n".join(blocks)) + "\n")
    return path
