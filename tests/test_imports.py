"""Imports go one way, and what need not be imported is not."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src" / "tympan"
FLOORS = [
    {"addresses", "component", "device", "frames", "kernel", "memory", "signals", "state_dict", "acoustics"},
    {"columns", "skin_conductance", "electrodermal"},
    {"data", "features", "models", "objectives"},
    {"head", "representation", "feedback", "mixing", "output", "pipeline"},
    {"serving"},
    {"reports"},
    {"runs", "machine"},
    {"cli", "__main__"},
]
IN_ORDER = {
    "addresses": 0,
    "component": 1,
    "kernel": 0,
    "acoustics": 1,
    "signals": 0,
    "frames": 1,
    "columns": 0,
    "skin_conductance": 0,
    "electrodermal": 1,
    "head": 0,
    "representation": 1,
    "feedback": 2,
    "mixing": 2,
    "output": 1,
    "pipeline": 3,
    "cli": 0,
    "__main__": 1,
}


def imported(path: Path) -> set[str]:
    """The parts of tympan that a file imports anywhere, also inside of functions."""
    package = ["tympan", *path.relative_to(SRC).parts[:-1]]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("tympan.")}
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *(node.module or "").split(".")] if node.module else base
            names = [[*module, a.name] for a in node.names]
            found |= {name[1] for name in names if name[0] == "tympan" and len(name) > 1}
    return found


@pytest.mark.parametrize("path", sorted(SRC.rglob("*.py")), ids=lambda p: str(p.relative_to(SRC)))
def test_imports_go_one_way(path: Path) -> None:
    part = path.relative_to(SRC).parts[0].removesuffix(".py")
    if part == "__init__":
        assert not imported(path)
        return
    floor = next(i for i, parts in enumerate(FLOORS) if part in parts)
    allowed = set().union(*FLOORS[:floor], {part, "__version__"})
    allowed |= {other for other in FLOORS[floor] if IN_ORDER.get(other, 9) < IN_ORDER.get(part, -1)}
    assert imported(path) <= allowed


def test_every_file_begins_by_saying_what_it_is() -> None:
    silent = [p for p in SRC.rglob("*.py") if not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))]
    assert not silent


def test_no_file_is_too_long() -> None:
    long = {p.name: n for p in SRC.rglob("*.py") if (n := len(p.read_text(encoding="utf-8").splitlines())) > 250}
    assert not long


def loaded_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(' '.join(m for m in sys.modules))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(out.stdout.splitlines()[-1].split())


def test_listing_components_imports_none_of_them() -> None:
    code = """
from tympan.data import Source
from tympan.data.augmentations import Augmentation
from tympan.features import Feature
from tympan.models import Model
from tympan.objectives import Loss, Metric, Target
for kind in (Source, Augmentation, Feature, Model, Loss, Metric, Target):
    assert kind.names() and all(kind.summaries().values()), kind
"""
    loaded = loaded_after(code)
    assert not loaded & {"torch", "scipy", "transformers", "soundfile", "matplotlib", "tympan.models.cnn"}


def test_a_command_line_that_is_asked_for_help_does_not_import_torch() -> None:
    loaded = loaded_after("import tympan.cli")
    assert not loaded & {"torch", "numpy", "transformers", "rich.console", "tympan.runs"}


PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
CODE = {"eval", "exec", "compile", "__import__"}
SHELLS = {
    "os.system",
    "os.popen",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "asyncio.create_subprocess_shell",
}


def dangers(code: str) -> list[str]:
    """What of a file's text could run what data say."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {a.name for a in node.names} | {getattr(node, "module", "") or ""}
            found += [f"imports {name}" for name in names if name.split(".")[0] in PICKLES]
        if isinstance(node, ast.Name) and node.id in CODE:  # called or handed on; `module.eval()` is no Name
            found.append(node.id)
        if not isinstance(node, ast.Call):
            continue
        called, given = ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}
        if called in SHELLS or "shell" in given:
            found.append(f"{called} with a shell")
        if called.rpartition(".")[2] == "load" and "torch" in called and given.get("weights_only") != "True":
            found.append(f"{called} without weights_only=True")
        if given.get("allow_pickle", "False") != "False":
            found.append(f"{called} with pickles")
        if called.endswith(("read_pickle", "unsafe_load", "full_load")) or given.get("typ") == "'unsafe'":
            found.append(called)
    return found


@pytest.mark.parametrize("path", sorted(SRC.rglob("*.py")), ids=lambda p: str(p.relative_to(SRC)))
def test_nothing_runs_what_data_say(path: Path) -> None:
    assert dangers(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("import pickle", 1),
        ("from pickle import loads", 1),
        ("import joblib.numpy_pickle", 1),
        ("eval(x)", 1),
        ("list(map(exec, x))", 1),
        ("__import__('x')", 1),
        ("torch.load(x)", 1),
        ("torch.load(x, weights_only=False)", 1),
        ("np.load(x, allow_pickle=True)", 1),
        ("np.load(x, allow_pickle=trusted)", 1),
        ("subprocess.run(x, shell=True)", 1),
        ("os.system(x)", 1),
        ("YAML(typ='unsafe')", 1),
        ("module.eval(); re.compile(x); torch.load(x, weights_only=True); np.load(x, allow_pickle=False)", 0),
    ],
)
def test_what_is_dangerous_is_seen(code: str, count: int) -> None:
    assert len(dangers(code)) == count
