"""What is wrong with a machine is named with the line that mends it, also where torch itself cannot be imported."""

import os
import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from tympan.machine import codecs, doctor, installed
from tympan.machine.doctor import Diagnosis, diagnose, show

TORCH = """
from types import SimpleNamespace as Some
__version__ = "2.14.1"
version = Some(cuda={cuda!r})
cuda = Some(is_available=lambda: {devices} > 0, device_count=lambda: {devices},
            get_device_properties=lambda i: Some(name="Fake GPU", total_memory=80 * 2**30),
            is_bf16_supported=lambda including_emulation: True)
backends = Some(mps=Some(is_available=lambda: False))
"""
NMS = 'raise RuntimeError("operator torchvision::nms does not exist")'


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Puts libraries that load in no time before the real ones, in child processes; returns their folder."""
    folder = tmp_path / "fake"

    def put(
        torchvision: str = "", torchaudio: str = "", torch: str = "", cuda: str | None = "13.0", devices: int = 0
    ) -> Path:
        code = {"torch": torch or TORCH.format(cuda=cuda, devices=devices), "torchvision": torchvision}
        for name, text in (code | {"torchaudio": torchaudio}).items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            (folder / name / "__init__.py").write_text(text)
        monkeypatch.setenv("PYTHONPATH", str(folder))
        return folder

    return put


@pytest.fixture
def in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the faked libraries were those that are installed."""
    monkeypatch.setattr(installed, "_elsewhere", lambda name, origin: None)
    versions = {"torch": "2.13.0+cpu", "torchvision": "0.29.2", "torchaudio": "2.11.0"}
    real = installed.version
    monkeypatch.setattr(doctor, "version", lambda name: versions.get(name) or real(name))


def told(found: Diagnosis) -> str:
    console = Console(record=True, width=200, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    with console.file:
        show(found, console)
        return console.export_text()


def test_a_machine_where_all_can_be_loaded_has_no_such_problem(library: Callable[..., Path]) -> None:
    library(devices=1)
    found = diagnose()
    assert not [p for p in found.problems if "loaded" in p.what or "imported" in p.what or "decoded" in p.what]
    assert not [p for p in found.problems if "cache" in p.what]
    assert found.facts["devices"]["cuda:0"] == "Fake GPU, 80.0 GiB, with bf16"
    assert found.facts["sound"]["decodes"] == "wav, flac, mp3, ogg, m4a, aac"
    assert set(found.facts) == {"machine", "versions", "sound", "storage", "devices"}
    assert found.facts["versions"]["tympan"] != "not installed"


def test_a_torchvision_that_cannot_be_loaded_is_named_with_what_fits(
    library: Callable[..., Path], in_place: None
) -> None:
    library(torchvision=NMS)
    (problem,) = [p for p in diagnose().problems if "loaded" in p.what]
    assert problem.what.startswith(
        "torchvision 0.29.2 cannot be loaded beside torch 2.13.0+cpu: RuntimeError: operator"
    )
    assert "torch 2.13 needs torchvision 0.28" in problem.what
    assert all(part in problem.mend for part in ("pip install", sys.executable, "torch==2.13.*", "torchvision==0.28.*"))


def test_a_build_for_cpu_beside_one_for_cuda_is_said(library: Callable[..., Path], in_place: None) -> None:
    library(torchaudio='raise OSError("libcudart.so.13: cannot open shared object file")', cuda=None)
    (problem,) = [p for p in diagnose().problems if "loaded" in p.what]
    assert "torchaudio 2.11.0" in problem.what
    assert "this torch is a build for cpu" in problem.what
    assert "torchaudio==2.11.*" in problem.mend


def test_the_command_names_a_folder_that_hides_a_library_and_ends_with_one(library: Callable[..., Path]) -> None:
    folder = library(torchvision=NMS)
    command = [sys.executable, "-m", "tympan", "doctor"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "operator torchvision::nms does not exist" in done.stdout
    assert f"mend: mv {folder}/torchvision {folder}/torchvision.away" in done.stdout
    assert "Traceback" not in done.stderr


def test_it_runs_where_torch_cannot_be_imported_and_blames_it_alone(library: Callable[..., Path]) -> None:
    library(torch='raise OSError("libtorch_cpu.so: cannot open shared object file")')
    found = diagnose()
    (problem,) = [p for p in found.problems if "torch" in p.what]
    assert "cannot be imported: OSError: libtorch_cpu.so" in problem.what
    assert "devices" not in found.facts
    assert f"problem: {problem.what}" in told(found)


def test_a_library_that_ends_its_process_does_not_end_the_doctor(library: Callable[..., Path]) -> None:
    library(torchaudio="import os; os._exit(3)")
    assert any("torchaudio" in p.what and "ended with status 3" in p.what for p in diagnose().problems)


def test_a_gpu_that_torch_does_not_see_is_a_problem(
    library: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library(cuda=None)
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho '580.1, Fake GPU, 80000 MiB'\n")
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    (problem,) = [p for p in diagnose().problems if "GPU" in p.what]
    assert "580.1, Fake GPU" in problem.what
    assert "a build for cpu" in problem.what
    library(cuda="13.0", devices=1)
    assert not [p for p in diagnose().problems if "GPU" in p.what]


def test_requirements_that_are_not_met_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["numpy>=1", "numpy<1", "no-such-library>=2", 'no-such-extra>=2; extra == "x"', 'numpy>=999; extra == "y"']
    monkeypatch.setattr(installed.metadata, "requires", lambda name: [*wanted, 'numpy>=998; python_version < "3"'])
    found = {wanted: installed is not None for wanted, installed in installed.unmet()}
    assert found == {"numpy<1": True, "no-such-library>=2": False, "numpy>=999": True}


def test_a_cache_that_cannot_be_written_is_a_problem(
    library: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TYMPAN_CACHE", str(tmp_path / "file" / "cache"))
    (problem,) = [p for p in diagnose().problems if "cache" in p.what]
    assert str(tmp_path / "file") in problem.what
    assert problem.mend.startswith("export TYMPAN_CACHE=")


def test_a_full_disk_is_a_problem(library: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    library()
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1 << 40, 1 << 40, 5 << 20))
    full = [p.what for p in diagnose().problems if "5 MiB free" in p.what]
    assert [what.partition(",")[0] for what in full] == ["the cache folder", "the current folder"]


def test_a_codec_that_fails_is_named_and_the_others_are_tried(
    library: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    library()
    real = codecs.audio.read

    def read(path: Path, rate: int) -> object:
        if path.suffix == ".mp3":
            raise ValueError(f"{path} is no sound that is known here")
        return real(path, rate) * (0 if path.suffix == ".ogg" else 1)

    monkeypatch.setattr(codecs.audio, "read", read)
    found = diagnose()
    assert found.facts["sound"]["decodes"] == "wav, flac, m4a, aac"
    failed = {p.what.partition(" ")[0]: p for p in found.problems if "decoded" in p.what}
    assert failed["mp3"].what == "mp3 files cannot be decoded: tone.mp3 is no sound that is known here"
    assert "came back as one of 0 Hz" in failed["ogg"].what
    assert "soundfile" in failed["mp3"].mend


@pytest.mark.slow
def test_what_is_really_installed_can_be_loaded() -> None:
    assert not [p for p in diagnose().problems if "loaded" in p.what or "imported" in p.what]
