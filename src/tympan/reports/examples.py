"""The worst answers of a run, to be heard and seen: a player, a spectrogram, the truth and the answer in words."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import soundfile

from .facts import PARTS, json_of
from .plots import Plot, shape, sound
from .table import numerals

_MOST = 24  # sounds on a page, so that it opens with 30 labels too


@dataclass(frozen=True)
class Worst:
    """One recording with everything for which it is among the worst."""

    title: str
    id: str
    heard: str
    """How long the sound is, and of what."""
    answers: list[str]
    courses: list[Plot]
    sound: str = ""
    """A `data:` URI of the sound, FLAC, which browsers play and which is half as large as wav; nothing of people."""
    file: str = ""
    """The wav file, from the report's folder."""
    spectrogram: Plot | None = None
    """None where there is no sound: what was said can be made of it again."""


@dataclass(frozen=True)
class Section:
    """What the page shows of the worst answers."""

    part: str
    examples: list[Worst]
    left_out: int
    """Sounds that are in the run's folder and not on the page."""
    hidden: bool = False
    """Whether recordings have codes for names, and no sound."""


def collect(folder: Path, members: Sequence[Path]) -> Section:
    """The worst of the worst of all members of a run, each recording once.

    For every output there are as many as each member kept; the first of every output come before the second.

    Raises:
        ValueError: a worst.json cannot be read.
    """
    told = {member: json_of(member / "worst" / "worst.json") for member in members}
    told = {member: one for member, one in told.items() if one}
    best: dict[tuple[str, str], tuple[dict[str, Any], Path]] = {}
    most = 0
    for member, one in told.items():
        for answer in one["answers"]:
            key = answer["output"], one["sounds"][answer["sound"]]["id"]
            most = max(most, answer["rank"])
            if key not in best or answer["error"] > best[key][0]["error"]:
                best[key] = answer, member  # several seeds judge the same recording
    cards: dict[str, list[tuple[int, dict[str, Any], Path]]] = {}
    ranked = []
    for output in dict.fromkeys(output for output, _ in best):
        own = [(id, *found) for (name, id), found in best.items() if name == output]
        own.sort(key=lambda one: -one[1]["error"])
        ranked += [(rank, id, answer, member) for rank, (id, answer, member) in enumerate(own[:most], 1)]
    for rank, id, answer, member in sorted(ranked, key=lambda one: one[0]):
        cards.setdefault(id, []).append((rank, answer, member))
    drawn = [
        _card(folder, f"worst-{number}", id, answers, told[answers[0][2]])
        for number, (id, answers) in enumerate(list(cards.items())[:_MOST], 1)
    ]
    part = next(iter(told.values()))["part"] if told else ""
    part = "out-of-fold" if any("fold-" in m.name for m in told) else PARTS.get(part, part)
    return Section(part, drawn, max(len(cards) - _MOST, 0), any(_hidden(one) for one in told.values()))


def _card(
    folder: Path, name: str, id: str, answers: Sequence[tuple[int, dict[str, Any], Path]], told: Mapping[str, Any]
) -> Worst:
    _, first, member = answers[0]
    whole, path = told["sounds"][first["sound"]], member / "worst" / first["sound"]
    drawn = [(shape.one if answer["space"] == "shape" else sound.course)(name, answer) for _, answer, _ in answers]
    title = ", ".join(f"{_ordinal(rank)} for {answer['output']}" for rank, answer, _ in answers)
    card = Worst(title, id, f"{whole['seconds']:.4g} s", [_words(a) for _, a, _ in answers], [p for p in drawn if p])
    if _hidden(told):
        return card
    try:
        waveform, rate = soundfile.read(path, dtype="int16", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{path}: cannot be read ({error}); evaluate the run again") from error
    encoded = io.BytesIO()
    soundfile.write(encoded, waveform, rate, format="FLAC", subtype="PCM_16")
    clip = len(waveform) / rate
    start = f", from {whole['start']:.4g} s on" if whole["start"] else ""
    seconds = whole["seconds"]
    heard = f"{clip:.4g} s{start}" if clip >= seconds - 1e-3 else f"the first {clip:.4g} of {seconds:.4g} s"
    return replace(
        card,
        heard=heard,
        sound="data:audio/flac;base64," + base64.b64encode(encoded.getvalue()).decode(),
        file=f"../{path.relative_to(folder).as_posix()}",
        spectrogram=sound.spectrogram(name, waveform.mean(1) / 32768, int(rate)),
    )


def _hidden(told: Mapping[str, Any]) -> bool:
    return told.get("hidden", False)  # runs evaluated before ids were hidden say nothing of it


def _ordinal(rank: int) -> str:
    ending = {2: "nd", 3: "rd"}.get(rank, "th")
    return "Worst" if rank == 1 else f"{rank}{ending} worst"


def _words(answer: Mapping[str, Any]) -> str:
    """`diameter: true 0.3120 m, answered 0.2014 m, off by 0.1106 m`."""
    output, space, unit = answer["output"], answer["space"], f" {answer['unit']}" if answer["unit"] else ""
    error, known = answer["error"], answer["known"]
    if answer["time"][0] is not None:
        mean = numerals(error)[0]
        what = {"real": f"off by {mean}{unit} on average", "binary": f"off by {mean} in probability on average"}
        what["class"] = f"the true class was given a probability of {1 - error:.2f} on average"
        return f"{output}: {what[space]} over {known:,} known frames"
    truth, said = answer["truth"][0], answer["prediction"][0]
    if space == "shape":
        return f"{output}: {1 - error:.1%} of the area covered is in common"
    if space == "real":
        _, true, answered, off = numerals(max(abs(truth), abs(said)), truth, said, abs(said - truth))
        sign = "too high" if said > truth else "too low"
        return f"{output}: true {true}{unit}, answered {answered}{unit}, {off}{unit} {sign}"
    if space == "binary":
        return f"{output}: truly {'present' if truth == 1 else 'absent'}, answered with a probability of {said:.3f}"
    right = answer["truth_label"][0], 1 - error
    return (
        f"{output}: truly {right[0]}, which was given {right[1]:.3f}; answered {answer['label'][0]} with a probability "
        f"of {answer['probability'][0]:.3f}"
    )
