"""Which libraries are here, which of them tympan's requirements do not allow, and which cannot be loaded."""

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

PATIENCE = 120.0
"""Seconds that an import may take."""
_CHILD = """
import importlib, importlib.util, json, sys
print(getattr(importlib.util.find_spec(sys.argv[1]), "origin", None) or "")
import torch
cuda = torch.cuda.is_available()
facts = {"torch": torch.__version__, "built for": f"cuda {torch.version.cuda}" if torch.version.cuda else "cpu"}
facts["mps"] = "yes" if torch.backends.mps.is_available() else "no"
facts["cuda"] = "yes" if cuda else "no"
for i in range(torch.cuda.device_count() if cuda else 0):
    own = torch.cuda.get_device_properties(i)
    bf16 = "with" if torch.cuda.is_bf16_supported(including_emulation=False) else "without"
    facts[f"cuda:{i}"] = f"{own.name}, {own.total_memory / 2**30:.1f} GiB, {bf16} bf16"
print(json.dumps(facts), flush=True)
importlib.import_module(sys.argv[1])
"""


@dataclass(frozen=True)
class Loaded:
    """What came of importing torch and then a library that is built against it, in a process of its own."""

    torch: dict[str, str]
    """What torch says of itself and of its devices; empty where it could not be imported."""
    why: str
    """Why the import failed; empty where it did not."""
    hidden_by: Path | None
    """The folder from which it was taken, where that is not where it is installed."""


def load(name: str) -> Loaded:
    """Import torch and then `name` in a child process, as a broken library may end the process that loads it."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _CHILD, name], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        slow = isinstance(error, subprocess.TimeoutExpired)
        return Loaded({}, f"no answer within {PATIENCE:.0f} s" if slow else str(error), None)
    origin, *rest = done.stdout.splitlines() or [""]
    facts = next((line for line in rest if line.startswith("{")), "{}")
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    why = said[-1] if said else f"its process ended with status {done.returncode}"
    return Loaded(json.loads(facts), why if done.returncode else "", _elsewhere(name, origin))


def version(name: str) -> str | None:
    """The version of a package that is installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def unmet() -> Iterator[tuple[str, str | None]]:
    """The requirements of tympan that are not met, each with the version that is installed; an extra's only if it is.

    Raises:
        ImportError: `packaging`, which reads requirements, is missing.
    """
    from packaging.requirements import Requirement

    try:
        told = metadata.requires("tympan") or []
    except metadata.PackageNotFoundError:  # run from its sources
        return
    for requirement in map(Requirement, told):
        installed, marker = version(requirement.name), requirement.marker
        optional = marker is not None and "extra" in str(marker)
        here = marker is None or marker.evaluate({"extra": ""}) or (optional and installed is not None)
        if here and (installed is None or not requirement.specifier.contains(installed, prereleases=True)):
            yield f"{requirement.name}{requirement.specifier}", installed


def install(*requirements: str, again: bool = False) -> str:
    """The line that installs; uv's where there is no pip, as in the environments that uv makes."""
    python, named = shlex.quote(sys.executable), " ".join(shlex.quote(r) for r in requirements)
    if shutil.which("uv") or not util.find_spec("pip"):
        return f"uv pip install --python {python} {'--reinstall ' * again}{named}"
    return f"{python} -m pip install {'--force-reinstall ' * again}{named}"


def driver() -> str:
    """What NVIDIA's driver says of itself and its GPUs; empty where there is none."""
    query = ["nvidia-smi", "--query-gpu=driver_version,name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "" if done.returncode else "; ".join(done.stdout.splitlines())


def _elsewhere(name: str, origin: str) -> Path | None:
    try:
        home = Path(str(metadata.distribution(name).locate_file(""))).resolve()
    except metadata.PackageNotFoundError:
        return None
    return None if not origin or Path(origin).resolve().is_relative_to(home) else Path(origin).parent
