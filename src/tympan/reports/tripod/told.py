"""The files of a run, as the items of TRIPOD+AI are filled from them, and how they are put into words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...data import yaml_file
from ..facts import PARTS, json_of, text
from ..table import Scores


@dataclass(frozen=True)
class Told:
    """The files of a run's folder."""

    configuration: Mapping[str, Any]
    summary: Mapping[str, Any]
    metrics: Mapping[str, Scores]
    judged: Mapping[str, Any]
    """What clinical.json holds."""
    members: Sequence[Path]
    """The folders of its trainings; its own where there is one."""

    @classmethod
    def of(cls, folder: Path) -> "Told":
        """Read them.

        Raises:
            ValueError: one is no JSON.
        """
        summary, metrics, judged = (json_of(folder / f"{n}.json") for n in ("summary", "metrics", "clinical"))
        configuration = yaml_file.read(text(folder / "run.yaml"), str(folder / "run.yaml"))[0] or {}
        members = [folder / name for name in summary.get("members", [])] or [folder]
        return cls(configuration, summary, metrics, judged, members)

    @property
    def group(self) -> str:
        """What a group is called: subject."""
        return self.summary.get("group", "group")

    @property
    def elsewhere(self) -> str:
        """What is said of a run that was trained elsewhere, whose folder is two above this one; else nothing."""
        return self.summary.get("elsewhere", "")

    @property
    def several(self) -> str:
        """Of which training the counts of parts are, where there are several."""
        n = len(self.members)
        return f" of {self.members[0].name}, the first of {n} trainings" if n > 1 else ""

    @property
    def outputs(self) -> list[Mapping[str, Any]]:
        """The sections of each thing predicted: target, head, loss."""
        return list((self.configuration.get("targets") or {}).values()) or [self.configuration]

    @property
    def targets(self) -> list[Mapping[str, Any]]:
        """What is predicted."""
        return [output["target"] for output in self.outputs]

    @property
    def parts(self) -> dict[str, Mapping[str, Any]]:
        """What each part holds, by its name in words."""
        return {PARTS[part]: own for part, own in self.summary["data"].items()}


def section(fields: Mapping[str, Any], names: Sequence[str] = ()) -> str:
    """The fields of a section of the configuration that say something, or those that are named."""
    said = {name: fields[name] for name in names or fields}
    return ", ".join(f"{name} {_value(value)}" for name, value in said.items() if value not in (None, [], {}))


def _value(value: Any) -> str:
    if isinstance(value, list):
        return "/".join(map(str, value))
    return f"`{value}`" if isinstance(value, str) else str(value)
