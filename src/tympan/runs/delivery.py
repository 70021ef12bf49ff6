"""Runs between here and a bucket: one that ended is sent where it is told to go, one that is there is taken up."""

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from ..data import exchange, storage
from .run import Run


def reachable(run: Run) -> None:
    """See, before anything is trained, that a run may be sent where it is to go, as far as asking can tell.

    Raises:
        OSError: the bucket may not be accessed, or cannot be reached.
        ValueError: a package is missing.
    """
    for uri in filter(None, (run.output, run.upload)):
        storage.exists(uri)


def deliver(run: Run, folder: Path) -> str:
    """Send a run that ended where `upload` and `output` say, and nowhere else; returns where it is now.

    With `output` the folder is deleted here once all of it is there.

    Raises:
        OSError: it could not be sent; it is here then, whole.
    """
    if run.upload:
        upload(folder, run.upload)
    if run.output is None:
        return str(folder)
    there = upload(folder, run.output)
    shutil.rmtree(folder)
    return there


def upload(folder: str | Path, prefix: str) -> str:
    """Send a run's folder into a bucket, below a prefix, under its own name: what is missing there, or different.

    Returns: the run's URI.

    Raises:
        FileNotFoundError: there is no run.
        OSError: it could not be sent; what to do is said.
    """
    folder = Path(folder).expanduser().resolve()
    if not (folder / "run.yaml").is_file():
        raise FileNotFoundError(f"{folder}: holds no run (run.yaml)")
    there = storage.join(exchange.check_bucket(prefix), folder.name)
    try:
        exchange.send(folder, there)
    except OSError as error:
        again = shlex.join(["tympan", "upload", str(folder), prefix])
        raise OSError(f"{error}. The run is whole in {folder}; `{again}` sends what is missing of it") from error
    return there


def here(folder: str | Path) -> Path:
    """A run's folder on this machine, to write in: a local one as it is; one in a bucket is copied to `runs`.

    Raises:
        FileNotFoundError: there is none.
        ValueError: `runs` has one of that name already, or the run names code outside tympan.
    """
    if not storage.elsewhere(folder):
        return Path(folder)
    place = Path("runs") / str(folder).rstrip("/").rpartition("/")[2]
    if place.exists():
        raise ValueError(f"{folder} would be copied to {place}, which is there already; name that, or move it away")
    found = exchange.bring(folder)
    plain = found / "run.yaml"
    if plain.is_file():
        check_code(YAML(typ="safe", pure=True).load(plain.read_text(encoding="utf-8")), folder)
    place.parent.mkdir(exist_ok=True)
    shutil.copytree(found, place)
    return place


def check_code(told: Any, folder: str | Path) -> None:
    """Refuse a run from elsewhere that names code outside tympan.

    Raises:
        ValueError: it names some.
    """
    if named := list(outside(told)):
        raise ValueError(
            f"{folder}: names code outside tympan, {', '.join(named)}, which a run from a bucket may not; copy it here "
            "yourself if you trust who sent it"
        )


def outside(told: Any) -> Iterator[str]:
    """The dotted paths of components outside tympan that a configuration names."""
    if isinstance(told, dict) and "." in str(told.get("type", "")):
        yield told["type"]
    for inside in told.values() if isinstance(told, dict) else told if isinstance(told, list) else ():
        yield from outside(inside)
