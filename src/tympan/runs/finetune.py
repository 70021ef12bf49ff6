"""Begin with the weights of an artifact, a run or a checkpoint: what fits is taken, what does not is listed."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

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


def take(pipeline: nn.Module, source: str | Path, configuration: dict[str, object]) -> Taken:
    """Put the weights that agree in name and shape into a pipeline.

    Args:
        source: the folder of an artifact, of a run that ended, or of a checkpoint.
        configuration: what config.json would hold, to tell what differs.

    Raises:
        FileNotFoundError: there are no weights.
        ValueError: they cannot be read, or none of them fits.
    """
    folder = Path(source).expanduser()
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
    pipeline.load_state_dict({name: tensor if name in fresh else theirs[name] for name, tensor in mine.items()})
    config = found[0].with_name("config.json")
    told = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    differences = [line for part in _TOLD if part in told for line in _differ(part, told[part], configuration[part])]
    return Taken(
        str(found[0]),
        tuple(name for name in mine if name not in fresh),
        fresh,
        tuple(name for name in theirs if name not in mine),
        tuple(differences),
    )


def _like(name: str, names: Iterable[str]) -> str:
    """A head that has another name there: the names of targets are the user's own."""
    if not name.startswith("heads."):
        return ""
    rest = name.split(".", 2)[2]
    return next((n for n in names if n.startswith("heads.") and n.split(".", 2)[2] == rest), "")


def _differ(name: str, theirs: object, mine: object) -> list[str]:
    if isinstance(theirs, dict) and isinstance(mine, dict):
        keys = dict.fromkeys([*theirs, *mine])
        return [line for key in keys for line in _differ(f"{name}.{key}", theirs.get(key), mine.get(key))]
    return [] if theirs == mine else [f"{name} was {theirs}, here {mine}"]
