"""Begin with the weights of an artifact, a run or a checkpoint: what fits is taken, what does not is listed."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from ..data import copies, storage, yaml_file
from ..data.synthesizers import Synthesizer
from .run import Run

_NOTE = "begun_with.txt"
_TOLD = ("audio", "features", "model")


@dataclass(frozen=True)
class Taken:
    """What came of the weights of another training."""

    source: str
    """The file that they are from."""
    taken: tuple[str, ...]
    """The weights that begin with the file's values."""
    fresh: dict[str, str]
    """The weights that begin at random, and why."""
    unused: tuple[str, ...]
    """What the file has besides."""
    differences: tuple[str, ...]
    """What was different when the file's weights were trained, field by field."""

    def __str__(self) -> str:
        lines = [f"{len(self.taken)} of {len(self.taken) + len(self.fresh)} weights begin with those of {self.source}"]
        lines += [f"  not taken: {name}, {why}" for name, why in self.fresh.items()]
        lines += [f"  left over: {name}" for name in self.unused]
        lines += [f"  different: {line}" for line in self.differences]
        return "\n".join(lines)

    def note(self, folder: Path) -> None:
        """Write it into a run's folder, for a training that is gone on with later."""
        storage.write_text(folder / _NOTE, str(self))


def noted(folder: Path) -> str | None:
    """What came of the weights that the training in a folder began with, if it began with any."""
    return (folder / _NOTE).read_text(encoding="utf-8") if (folder / _NOTE).is_file() else None


def take(pipeline: nn.Module, source: str | Path, configuration: dict[str, object], strict: bool = False) -> Taken:
    """Put the weights that agree in name and shape into a pipeline.

    Args:
        source: the folder of an artifact, of a run that ended, or of a checkpoint: a path or URI.
        configuration: what config.json would hold, to tell what differs.
        strict: whether every weight has to match.

    Raises:
        FileNotFoundError: there are no weights.
        ValueError: they cannot be read, none of them fits, or one does not that has to.
    """
    folder = copies.here(source)
    found = [f for f in (folder / "model.safetensors", folder / "model" / "model.safetensors") if f.is_file()]
    where = f"checkpoint.load_from_checkpoint: {source}"
    if not found:
        raise FileNotFoundError(f"{where} holds no model.safetensors; name an artifact, a run or a checkpoint")
    try:
        theirs = load_file(found[0])
    except SafetensorError as error:
        raise ValueError(f"{where}: {found[0].name} cannot be read ({error}); copy the folder again") from error
    mine = pipeline.state_dict()
    fresh = {
        name: f"it is not there{f' (there is {near})' if (near := _like(name, theirs)) else ''}"
        if name not in theirs
        else f"its shape is {tuple(theirs[name].shape)}, here {tuple(tensor.shape)}"
        for name, tensor in mine.items()
        if name not in theirs or theirs[name].shape != tensor.shape
    }
    if len(fresh) == len(mine):
        raise ValueError(f"{where}: none of its {len(theirs)} weights fits this model; is it of another architecture?")
    unused = tuple(name for name in theirs if name not in mine)
    if strict and (fresh or unused):
        wrong = [f"{name}, {why}" for name, why in fresh.items()] + [f"{name} is not here" for name in unused]
        raise ValueError(
            f"{where}: {len(wrong)} weights do not match: {'; '.join(wrong)}; name one of the same network, or "
            "set checkpoint.weights_only: matching to begin with those that do"
        )
    pipeline.load_state_dict({name: tensor if name in fresh else theirs[name] for name, tensor in mine.items()})
    config = found[0].with_name("config.json")
    told = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    differences = [line for part in _TOLD if part in told for line in differ(part, told[part], configuration[part])]
    return Taken(
        str(found[0]),
        tuple(name for name in mine if name not in fresh),
        fresh,
        unused,
        tuple(differences),
    )


def judged(source: str | Path | None, run: Run, split: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Whether the weights to begin with have heard what the run is judged on.

    Args:
        source: what `take` is given, if anything; the split of the run that it is from lies beside or above it.
        run: the run that begins with it.
        split: what split.json of that run holds.

    Returns:
        Why its figures are not fair, and why they may not be: sentences, none where nothing is wrong.
    """
    parts = {part: (set(split[part]["ids"]), set(split[part]["group_names"])) for part in ("validation", "test")}
    both: dict[str, tuple[set[str], set[str]]] = {part: (set(), set()) for part in parts}
    doubts, sure = [], True
    if source and not storage.exists(source):  # which `take` refuses
        source = None
    while source:  # the weights may themselves have begun with others
        folders = [f for f in copies.above(source) if storage.exists(storage.join(f, "split.json"))]
        if not folders:
            name = Path(copies.above(source)[0]).name
            doubts.append(
                f"Which recordings the weights of {name}, with which it began, have heard is not known here (no "
                "split.json): some of those that it is judged on may be among them."
            )
            break
        heard = json.loads(storage.read_text(storage.join(folders[0], "split.json")))["train"]
        name = storage.join(folders[0], "run.yaml")
        their_run, _ = yaml_file.read(storage.read_text(name), name)
        same = _same_sounds(their_run["data"], run)
        if same is not None:
            sure &= same
            for part, (ids, groups) in parts.items():
                both[part][0].update(ids & set(heard["ids"]))
                both[part][1].update(groups & set(heard["group_names"]))
        source = their_run["checkpoint"]["load_from_checkpoint"]
    way = "Give both runs one split." if sure else "That is by their names; it may be another corpus."
    found = [
        f"The weights that it began with were trained on {len(ids):,} of the {len(parts[part][0]):,} {part} recordings "
        f"and {len(groups):,} of their {len(parts[part][1]):,} groups, so its figures flatter it. {way}"
        for part, (ids, groups) in both.items()
        if ids or groups
    ]
    return (found, doubts) if sure else ([], [*found, *doubts])


def _same_sounds(theirs: Mapping[str, Any], run: Run) -> bool | None:
    """Whether recordings of one name are the same; `None` where they cannot be."""
    mine = run.data.model_dump(mode="json")
    if isinstance(run.data, Synthesizer) or theirs["type"] in Synthesizer.names():
        return True if {**theirs, "size": 0} == {**mine, "size": 0} else None
    return all(theirs.get(name) == mine.get(name) for name in ("type", "root", "path"))


def _like(name: str, names: Iterable[str]) -> str:
    """A head that has another name there: the names of targets are the user's own."""
    if not name.startswith("heads."):
        return ""
    rest = name.split(".", 2)[2]
    return next((n for n in names if n.startswith("heads.") and n.split(".", 2)[2] == rest), "")


def differ(name: str, theirs: object, mine: object) -> list[str]:
    """Each field in which two configurations differ, and how: sentences that begin with its name."""
    if isinstance(theirs, dict) and isinstance(mine, dict):
        keys = dict.fromkeys([*theirs, *mine])
        return [line for key in keys for line in differ(f"{name}.{key}", theirs.get(key), mine.get(key))]
    return [] if theirs == mine else [f"{name} was {theirs}, here {mine}"]
