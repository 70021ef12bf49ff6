"""Every test runs with the shapes in annotations checked, and with its own cache folder."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import checked

SRC = Path(__file__).parents[1] / "src"

# Packages' __init__ files name tensors in quotes, without importing torch; their modules are checked.
_left = ("__init__.py", "component.py")  # which is made of pydantic's own protocols
checked.install([".".join(p.relative_to(SRC).with_suffix("").parts) for p in SRC.rglob("*.py") if p.name not in _left])

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["WANDB_MODE"] = "offline"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first, so that no process waits for one of them at the end."""
    longest = ("test_readme.py", "test_notebook.py", "test_own_instrument.py", "test_large_bucket.py")
    items.sort(key=lambda item: item.path.name not in longest)


@pytest.fixture(autouse=True, scope="module")
def _no_ink(request: pytest.FixtureRequest) -> Iterator[None]:
    """Plots are painted and not drawn, except where a test looks at them: that is half of a small run's time."""
    path = request.path
    if path.parent.name in ("reports", "docs") or "svg" in path.read_text(encoding="utf-8"):
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        drawing = "matplotlib.backends.backend_svg.FigureCanvasSVG.print_svg"
        patch.setattr(drawing, lambda self, out, **options: out.write("<svg ></svg>"))
        yield


@pytest.fixture(autouse=True, scope="module")
def _little_garbage() -> None:
    """What is imported is not looked through for garbage again: every training asks for that, a quarter of a second."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _checked_anew() -> None:
    checked.begin()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TYMPAN_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def shared_data() -> Path:
    """Real recordings, where the machine has them."""
    folder = Path(os.environ.get("TYMPAN_TEST_DATA", SRC.parents[1] / "shared" / "data")).resolve()
    if not folder.is_dir():
        pytest.skip("real recordings are not here: set TYMPAN_TEST_DATA to their folder")
    return folder
