"""What this machine has, what is wrong with it, and the line that mends it; nothing heavy is imported here."""

import os
import platform
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING

from .installed import Loaded, driver, install, load, unmet, version

if TYPE_CHECKING:
    from rich.console import Console

VISION = {"2.11": "0.26", "2.12": "0.27", "2.13": "0.28", "2.14": "0.29"}
"""The torchvision that fits each torch; torches that are older or newer are refused."""
AUDIO = "2.11"
"""The torchaudio that fits all of them, and no newer one."""
LEAST = 1 << 30
"""Free bytes on a disk below which a run or a cache soon fails."""
_FAULTS = (ImportError, OSError, RuntimeError, AttributeError, ValueError)
"""What imports and codecs raise when something is wrong with their libraries."""
_LISTED = (
    *("tympan", "torch", "torchvision", "torchaudio", "torchcodec", "transformers", "accelerate", "timm", "numpy"),
    *("soundfile", "av", "soxr", "fsspec", "s3fs", "gcsfs", "wandb", "tensorboard"),
)


@dataclass(frozen=True)
class Problem:
    """Something that is wrong."""

    what: str
    mend: str
    """A line that can be typed."""


@dataclass
class Diagnosis:
    """What was found."""

    facts: dict[str, dict[str, str]] = field(default_factory=dict)
    """By section, then by name."""
    problems: list[Problem] = field(default_factory=list)

    def note(self, section: str, facts: Mapping[str, str]) -> None:
        """Add facts to a section."""
        self.facts.setdefault(section, {}).update(facts)

    def blame(self, what: str, mend: str) -> None:
        """Add a problem."""
        self.problems.append(Problem(what, mend))


def diagnose() -> Diagnosis:
    """Look at versions, imports, devices, codecs, disks and the clients of remote storage; never raises for a fault."""
    found = Diagnosis()
    with ThreadPoolExecutor(2) as pool:  # each import takes seconds
        beside = {name: pool.submit(load, name) for name in ("torchvision", "torchaudio")}
        _machine(found)
        _versions(found)
        _sound(found)
        _storage(found)
        _devices(found, {name: child.result() for name, child in beside.items()})
    return found


def show(found: Diagnosis, console: "Console") -> None:
    """Print the facts, then each problem with its mend."""
    from rich.text import Text

    width = max(len(name) for facts in found.facts.values() for name in facts) + 2
    for section, facts in found.facts.items():
        for i, (name, value) in enumerate(facts.items()):
            line = Text.assemble((f"{section if i == 0 else '':<10}", "bold"), f"{name:<{width}}{value}")
            console.print(line, soft_wrap=True)
    for problem in found.problems:
        console.print(Text(f"\nproblem: {problem.what}", style="bold red"), soft_wrap=True)
        console.print(Text(f"   mend: {problem.mend}"), soft_wrap=True)
    if not found.problems:
        console.print("\nNothing is wrong here.")


def _machine(found: Diagnosis) -> None:
    name, told = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if told.is_file():
        models = [line.partition(":")[2].strip() for line in told.read_text().splitlines() if "model name" in line]
        name = models[0] if models else name
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found.note("machine", {"system": platform.platform(), "processor": name, "cores": f"{cores} of {os.cpu_count()}"})
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        found.note("machine", {"memory": f"{memory / 2**30:.1f} GiB"})


def _versions(found: Diagnosis) -> None:
    found.note("versions", {"python": platform.python_version()})
    found.note("versions", {name: version(name) or "not installed" for name in _LISTED})
    try:
        for wanted, installed in unmet():
            has = f"{installed} is installed" if installed else "it is not installed"
            found.blame(f"tympan asks for {wanted}, and {has}", install(wanted))
    except ImportError as error:
        found.blame(f"tympan's requirements cannot be read: {error}", install("packaging"))


def _sound(found: Diagnosis) -> None:
    """Which sound files can be decoded."""
    mend = install("soundfile", "av", "soxr", again=True)
    try:
        from . import codecs

        found.note("sound", codecs.versions())
        failed = codecs.attempt()
    except _FAULTS as error:
        found.blame(f"sound cannot be read: {error}", mend)
        return
    found.note("sound", {"decodes": ", ".join(name for name, why in failed.items() if not why) or "nothing"})
    for name, why in failed.items():
        if why:
            found.blame(f"{name} files cannot be decoded: {why}", mend)


def _storage(found: Diagnosis) -> None:
    """Room, the cache, and the clients of remote storage."""
    mend, home = "export TYMPAN_CACHE=/a/folder/on/another/disk", f"cd {shlex.quote(str(Path.home()))}"
    try:
        from ..data import cache

        folder = cache.folder()
        found.note("storage", {"cache folder": str(folder)})
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"1")
        _room(found, "the cache folder", folder, mend)
    except _FAULTS as error:
        found.blame(f"the cache folder cannot be written: {error}", mend)
    try:
        _room(found, "the current folder", Path.cwd(), f"{home}  # or another folder on a disk with room")
    except OSError as error:
        found.blame(f"the current folder cannot be used: {error}", home)
    for protocol, client, extra in (("s3://", "s3fs", "s3"), ("gs://", "gcsfs", "gcs")):
        there = util.find_spec(client) is not None
        found.note("storage", {protocol: f"{client} {version(client)}" if there else install(f"tympan[{extra}]")})


def _room(found: Diagnosis, what: str, folder: Path, mend: str) -> None:
    free = shutil.disk_usage(folder).free
    found.note("storage", {f"free in {what}": f"{free / 2**30:.1f} GiB"})
    if free < LEAST:
        found.blame(f"{what}, {folder}, has {free / 2**20:.0f} MiB free, less than {LEAST >> 20}", mend)


def _devices(found: Diagnosis, beside: Mapping[str, Loaded]) -> None:
    """What torch computes on, and whether torchvision and torchaudio can be loaded beside it."""
    torch = version("torch") or "(not installed)"
    fitting = ".".join(torch.split(".")[:2])
    if fitting not in VISION:
        fitting = list(VISION)[-1]
    trio = (f"torch=={fitting}.*", f"torchvision=={VISION[fitting]}.*", f"torchaudio=={AUDIO}.*")
    mend = install(*trio, again=True)
    facts = next((loaded.torch for loaded in beside.values() if loaded.torch), None)
    if facts is None:
        found.blame(f"torch {torch} cannot be imported: {beside['torchvision'].why}", mend)
        return  # nothing can be loaded beside it then
    found.note("devices", facts)
    gpu = driver()
    if gpu:
        found.note("devices", {"nvidia driver": gpu})
        if facts["cuda"] == "no":
            why = "it is a build for cpu" if facts["built for"] == "cpu" else "the driver may be too old for it"
            what = f"torch {facts['torch']} ({facts['built for']}) does not see the GPU of this machine ({gpu}): {why}"
            found.blame(what, mend)
    for name, loaded in beside.items():
        if loaded.why:
            fits = f"torchvision {VISION[fitting]}" if name == "torchvision" else f"torchaudio {AUDIO}"
            what = f"{name} {version(name) or '(not installed)'} cannot be loaded beside torch {torch}: {loaded.why}. "
            what += f"torch {fitting} needs {fits}"
            if facts["built for"] == "cpu":
                what += f"; this torch is a build for cpu, and {name} must be one too"
            place = shlex.quote(str(loaded.hidden_by))
            away = f"mv {place} {place}.away  # it hides the {name} that is installed"
            found.blame(what, away if loaded.hidden_by else mend)
