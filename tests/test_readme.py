"""What the README says works as it says it."""

import json
import re
import shlex
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from jsonschema.validators import validator_for
from ruamel.yaml import YAML
from typer.main import get_command
from typer.testing import CliRunner

from tympan.cli import app
from tympan.data import audio
from tympan.runs.configuration import load

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.S) for line in block.splitlines() if line]
# What makes a training short enough for a test.
SHORT = {
    "percussion_pitch": ["data.size=12", "logging.worst_examples=0"],
    "drum_dimensions": ["data.size=40", "training.max_steps=2", "training.batch_size=8"],
    "drum_strike": ["data.size=40", "training.max_steps=2", "training.batch_size=8"],
    "drum_shape": ["training.max_steps=2", "training.batch_size=8"],
    "drum_pitch": ["data.size=40", "training.max_steps=2", "training.batch_size=8"],
    "drum_diameter": ["data.size=40", "training.max_steps=2", "training.batch_size=8"],
    "tom_pitch": ["data.size=40", "training.max_steps=2", "training.batch_size=8"],
    "als": ["training.max_steps=1", "training.batch_size=8", "split.folds=2"],
    "speech_digits": ["training.max_steps=1", "training.batch_size=8"],
    "skin_response": ["data.size=36", "data.listeners=6", "training.max_steps=1", "loader.num_workers=0"],
    "pmemo2019_transformer": ["training.max_steps=1", "training.batch_size=4", "loader.num_workers=0"],
    "tempo": ["training.max_steps=2", "training.batch_size=4"],
}


def corpora(root: Path) -> None:
    """What the README's examples name: a clinic, spoken digits, songs."""
    rng = np.random.default_rng(0)
    for name, header, cell in (
        ("clinic", "als,bulbar", lambda n: f"{n % 2},{'' if n == 3 else n % 2}"),
        ("hospital", "als,bulbar", lambda n: f"{n % 2},{n % 2}"),
        ("digits", "digit", lambda n: str(n % 10)),
    ):
        for part, speakers in (("train", range(12)), ("test", range(12, 16))):
            lines = [f"uid,subject,{header}"]
            for n in speakers:
                for take in range(3):
                    uid = f"{name}-{n}-{take}"
                    lines.append(f"{uid},{name}-{n},{cell(n + take if name == 'digits' else n)}")
                    folder = root / name / "recordings" / uid
                    folder.mkdir(parents=True)
                    audio.write(folder / "waveform.wav", rng.normal(0, 0.1, 4000), 8000)
                    (folder / "metadata.json").write_text('{"encoding": "WAV", "sample_rate_hz": 8000}')
            (root / name / f"{part}.csv").write_text("\n".join(lines) + "\n")
        (root / name / "labels.txt").write_text(header.replace(",", "\n") + "\n")
    lines = ["path,song,tempo"]
    for n in range(24):
        audio.write(root / f"song-{n}.wav", rng.normal(0, 0.1, 8000), 8000)
        lines.append(f"song-{n}.wav,s{n // 2},{60 + 5 * n}")
    (root / "songs.csv").write_text("\n".join(lines) + "\n")


def words_of(command: str, run: str = "") -> list[str]:
    """A command's words, with what makes it short, and a run's folder in the place of RUN."""
    words = [re.sub(r"\bRUN\b", run, word) for word in shlex.split(command)[1:]]
    if words[0] in ("train", "check", "generate"):
        given = {word.partition("=")[0] for word in words}
        short = SHORT[Path(words[1]).stem] if words[0] != "generate" else []
        words += [word for word in short if word.partition("=")[0] not in given]
    if words[0] == "sweep":  # the last of an option given twice counts
        words += [*SHORT[Path(words[1]).stem], "model.capacity=tiny", "--trials", "2"]
    return words


def test_every_command_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    corpora(tmp_path)
    for line in COMMANDS:
        name, *words = words_of(line, "run")
        program: Any = get_command(app)
        program.commands[name].make_context(name, list(words))  # which it empties
        if name in ("train", "check"):
            load(words[0], [word for word in words if "=" in word])
    assert len(COMMANDS) > 10


@pytest.mark.slow
def test_every_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    corpora(tmp_path)
    run = ""
    for command in COMMANDS:
        words = words_of(command, run)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = CliRunner().invoke(app, words, catch_exceptions=False)
        assert result.exit_code == 0, f"{command}\n{result.output}"
        if words[0] == "train" and "run_dir" not in command:
            run = result.stdout.splitlines()[-1]
            if (Path(run) / "seed-0").is_dir():
                run += "/seed-0"
            if (Path(run) / "fold-0").is_dir():
                run += "/fold-0"


def test_the_python_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    code = code.replace('"data.size=200"', '"data.size=60"')
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(code, {"__name__": "__main__"})
    assert "diameter [m]" in capsys.readouterr().out


def test_the_configuration_of_a_clinician_is_one(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(re.findall(r"```yaml\n(.*?)```", README, re.S)[0])
    run = load(tmp_path / "run.yaml")
    assert run.clinical and run.hides_ids


def test_the_tree_is_the_tree() -> None:
    block = README.split("```\nsrc/tympan/\n")[1].split("```")[0]
    told = set(re.findall(r"── (\S+)", block))
    there = {p.name + "/" * p.is_dir() for p in (ROOT / "src" / "tympan").iterdir() if not p.name.startswith("__")}
    assert told == there - {"py.typed"}


def test_every_link_and_target_exists() -> None:
    for link in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / link).exists(), link
    makefile = (ROOT / "Makefile").read_text()
    for target in ("demo", "test", "check", "bench"):
        assert re.search(rf"^{target}:", makefile, re.M)
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_the_schema_is_up_to_date_and_the_configurations_follow_it() -> None:
    out = CliRunner().invoke(app, ["schema"], catch_exceptions=False).stdout
    assert out == (ROOT / "configs" / "run.schema.json").read_text(), "run: tympan schema > configs/run.schema.json"
    schema = json.loads(out)
    kind = validator_for(schema)
    kind.check_schema(schema)  # once, which is most of the work
    validator = kind(schema)
    for path in (ROOT / "configs").glob("*.yaml"):
        text = path.read_text()
        assert text.startswith("# yaml-language-server: $schema=run.schema.json\n")
        validator.validate(YAML(typ="safe", pure=True).load(text))
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({"data": {"type": "tone", "sise": 3}, "features": "mel", "model": "cnn"})


def test_nothing_private_is_in_the_repository() -> None:
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    for name in filter(None, files):
        path = ROOT / name
        if not path.is_file():
            continue
        assert path.stat().st_size < 1_000_000, name
        if path.suffix in (".py", ".md", ".txt", ".toml", ".yaml", "") and path != Path(__file__):
            text = path.read_text(encoding="utf-8", errors="ignore")
            assert not re.search(r"/root/|/home/\w|pypi\.org|npmjs\.org|pythonhosted", text), name
