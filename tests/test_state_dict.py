"""Files that hold no weights are refused in a sentence, whatever their bytes are, and no code in them is run."""

import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tympan import state_dict
from tympan.models.timm import Timm
from tympan.signals import Signal

WEIGHTS = {"a": torch.arange(3.0)}


class Code:
    """What runs a command where it is unpickled by someone who trusts it."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return os.system, (f"touch {self.file}",)


def _zip(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("a", "b")


@pytest.mark.parametrize(
    ("name", "write", "says"),
    [
        ("code.pth", lambda f: torch.save({"a": Code(f.with_name("ran"))}, f), "asks for code to be run, which is not"),
        ("bare.pth", lambda f: f.write_bytes(pickle.dumps(Code(f.with_name("ran")))), "cannot be read as weights"),
        ("module.pth", lambda f: torch.save(torch.nn.Linear(2, 2), f), "asks for code to be run, which is not"),
        ("text.pth", lambda f: f.write_text("hello weights\n"), "cannot be read as weights: it is damaged, or of"),
        ("sound.pth", lambda f: f.write_bytes(b"RIFF....WAVE"), "cannot be read as weights: it is damaged, or of"),
        ("zip.pth", _zip, "cannot be read as weights: it is damaged, or of"),
        ("text.safetensors", lambda f: f.write_text("hello weights\n"), "cannot be read as weights: it is damaged"),
        ("empty.safetensors", Path.touch, "is empty"),
        ("empty.pth", Path.touch, "is empty"),
        ("none.pth", lambda f: torch.save({}, f), "holds no weights by name, but nothing"),
        ("list.pth", lambda f: torch.save([1, 2], f), "holds no weights by name, but a list"),
        (
            "epoch.pth",
            lambda f: torch.save({"epoch": 3, "net": WEIGHTS}, f),
            "holds no weights by name, but epoch, net",
        ),
    ],
)
def test_what_holds_no_weights_is_refused_and_nothing_runs(name: str, write, says: str, tmp_path: Path) -> None:
    file = tmp_path / name
    write(file)
    with pytest.raises(ValueError, match=rf"^--weights: {name} {says}.*; give a state dictionary"):
        state_dict.read(file, f"--weights: {name}")
    assert not (tmp_path / "ran").exists()


def test_weights_are_read_also_out_of_a_checkpoint(tmp_path: Path) -> None:
    torch.save(WEIGHTS, tmp_path / "a.pth")
    torch.save({"epoch": 3, "state_dict": WEIGHTS}, tmp_path / "b.pth")
    save_file(WEIGHTS, tmp_path / "c.safetensors")
    for name in ("a.pth", "b.pth", "c.safetensors"):
        assert torch.equal(state_dict.read(tmp_path / name, name)["a"], WEIGHTS["a"])
    with pytest.raises(OSError, match="nowhere"):
        state_dict.read(tmp_path / "nowhere.pth", "--weights")


def test_a_network_of_timm_says_which_field_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("hello weights\n")
    image = Signal(tuple(f"band_{i}" for i in range(64)), 100.0, 1.0)
    with pytest.raises(ValueError, match=r"^model\.weights: .*text\.pth cannot be read as weights"):
        Timm(name="test_resnet", weights=str(tmp_path / "text.pth")).build(image, Signal(("a",), 1.0, 1.0))
