"""Artifacts and configurations that attack are refused at once, with little memory, and nothing of theirs is run."""

import json
import os
import resource
import struct
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tympan.data import yaml_file
from tympan.runs.configuration import ConfigurationError, load
from tympan.serving.artifact import Artifact, Config

RUNS = b"cposix\nsystem\n(S'touch %s'\ntR."
"""A pickle that makes a file when it is read."""


@pytest.fixture
def folder(tmp_path) -> Path:
    config = Config.model_validate(
        {
            "audio": {"sample_rate": 8000, "samples": 4000, "channels": "mean", "crop": "all", "padding": "left"},
            "features": {"type": "mel", "n_mels": 8, "window": 0.032, "hop": 0.016},
            "model": {"type": "cnn", "width": 4, "layers": 2},
            "outputs": {"size": {"target": {"type": "continuous", "quantities": {"diameter": "m"}}}},
        }
    )
    Artifact(config, config.build()).save(tmp_path / "model")
    return tmp_path / "model"


def test_pickles_in_an_artifacts_folder_are_never_read(folder, tmp_path):
    pickled = RUNS % os.fsencode(tmp_path / "ran")
    for name in ("training_args.bin", "pytorch_model.bin", "args.pkl", "model.pt", "optimizer.pt"):
        (folder / name).write_bytes(pickled)
    before = str(Artifact.load(folder))
    (folder / "model.safetensors").write_bytes(pickled)
    with pytest.raises(ValueError, match=r"model\.safetensors: does not fit config\.json"):
        Artifact.load(folder)
    assert "cnn" in before and not (tmp_path / "ran").exists()


def changed(folder: Path, *keys: str, to: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    at = config
    for key in keys[:-1]:
        at = at[key]
    at[keys[-1]] = to
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    "keys", [("features",), ("model",), ("outputs", "size", "target"), ("outputs", "size", "loss")]
)
@pytest.mark.parametrize("type", ["evil", "evil.Evil", "os", "os.path", "subprocess.Popen", "../evil", "..evil"])
def test_a_dotted_path_in_an_artifact_is_not_imported(keys, type, folder, tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    changed(folder, *keys, to={"type": type})
    with pytest.raises(ValueError, match=r"config\.json: .*(unknown|is code outside tympan|no dotted path)"):
        Artifact.load(folder)
    assert not (tmp_path / "ran").exists()


def described(folder: Path, header: bytes, size: int | None = None, data: bytes = b"") -> None:
    """Weights with such a header, which may lie about its own length."""
    length = struct.pack("<Q", len(header) if size is None else size)
    (folder / "model.safetensors").write_bytes(length + header + data)


WEIGHTS = {
    "another shape": lambda f, w: save_file({**w, min(w): np.zeros((3, 3), np.float32)}, f / "model.safetensors"),
    "one missing": lambda f, w: save_file({k: w[k] for k in sorted(w)[1:]}, f / "model.safetensors"),
    "one too many": lambda f, w: save_file({**w, "more": np.zeros(3, np.float32)}, f / "model.safetensors"),
    "a header longer than the file": lambda f, w: described(f, b"{}", 1 << 62),
    "a header of 200 MB": lambda f, w: described(f, b" " * (200 << 20)),
    "one name twice": lambda f, w: described(
        f, b'{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}',
        data=bytes(4),
    ),
    "values outside of the file": lambda f, w: described(
        f, b'{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}'
    ),
    "a size that overflows": lambda f, w: described(
        f, b'{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}'
    ),
    "values that overlap": lambda f, w: described(
        f,
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        data=bytes(4),
    ),
    "no header": lambda f, w: described(f, b"\xff" * 40),
}  # fmt: skip


@pytest.mark.parametrize("attack", WEIGHTS)
def test_weights_that_lie_are_refused(attack, folder):
    WEIGHTS[attack](folder, load_file(folder / "model.safetensors"))
    with pytest.raises(ValueError, match=r"model\.safetensors: does not fit config\.json"):
        Artifact.load(folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [("layers", 10**9), ("width", 60_000), ("width", 10**18), ("stride", 10**40)],
)
def test_an_artifact_is_built_no_larger_than_its_weights(field, value, folder):
    changed(folder, "model", field, to=value)
    begin, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=r"config\.json: no pipeline can be built .*(larger|fewer weights)"):
        Artifact.load(folder)
    assert time.process_time() - begin < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 200 << 10


BOMBS = {
    "aliases": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(9 * [f'*{chr(97 + i)}'])}]\n" for i in range(20)),
    "an alias within itself": "a: &a [*a]\n",
    "merge keys": "a: &a {x: 1}\n" + "".join(f"k{i}: {{<<: *a}}\n" for i in range(9000)),
    "merged aliases": "a: &a {x: 1}\n"
    + "".join(f"{chr(98 + i)}: &{chr(98 + i)} {{<<: [{','.join(9 * [f'*{chr(97 + i)}'])}]}}\n" for i in range(20)),
    "lists in lists": "a: " + "[" * 100_000,
    "mappings in mappings": "a: " + "{a: " * 50_000,
    "lines in lines": "".join(" " * i + "a:\n" for i in range(600)),
    "many values": "a: [" + "x," * 100_000 + "]\n",
    "many keys": "".join(f"k{i}: {i}\n" for i in range(20_000)),
    "many anchors": "".join(f"k{i}: &a{i} 1\n" for i in range(15_000)),
    "keys that are lists": "? [a]\n: 1\n",
    "keys that are mappings": "{{a: b}: 1}\n",
    "a key twice": "a: 1\nb: 2\na: 3\n",
    "tabs": "a:\n\tb: 1\n",
    "an unclosed list": "a: [1, 2\n",
    "a character that no text has": "a: 1\nb: \x01\n",
    "two documents": "a: 1\n---\nb: 2\n",
    "python's objects": "a: !!python/object/apply:os.system ['touch ran']\n",
    "python's names": "a: !!python/name:os.system\n",
    "a tag on a key": "!!python/object:x a: 1\n",
    "hydra's objects": "a: !new:os.system [touch ran]\n",
    "an unknown alias": "a: *b\n",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_hostile_yaml_is_refused_within_two_seconds_with_its_place(bomb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = BOMBS[bomb]
    Path("run.yaml").write_text(text[: 1 << 18])
    begin, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ConfigurationError, match=r"^run\.yaml:\d+:\d+: "):
        load("run.yaml")
    assert time.process_time() - begin < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 100 << 10
    assert not Path("ran").exists()


def test_bytes_that_are_no_text_have_a_place(tmp_path):
    (tmp_path / "run.yaml").write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(ConfigurationError, match=r"run\.yaml:2:4: is not UTF-8"):
        load(tmp_path / "run.yaml")


def test_what_yaml_has_for_people_is_read():
    text = "a: &a {x: 1, y: [2, 3]}\nb: {<<: *a, y: 5}\nc: *a\n'1': yes\nd: |\n  two\n  lines\ne: 010\nf: 1e-4\ng:\n"
    value, places = yaml_file.read(text, "x.yaml")
    a = {"x": 1, "y": [2, 3]}
    wanted = {"a": a, "b": {"x": 1, "y": 5}, "c": a, "1": "yes", "d": "two\nlines\n", "e": 10, "f": 1e-4, "g": None}
    assert value == wanted and value["c"] is not value["a"]
    assert places[("a", "y", 1)] == "x.yaml:1:21" and places[("d",)] == "x.yaml:5:1"
