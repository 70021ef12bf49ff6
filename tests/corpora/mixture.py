"""Two tables of strokes as one."""

from typing import Any

from tympan.data import storage

from . import manifest


def fabricate(root: str) -> dict[str, Any]:
    """Write it below a path or URI; the configuration of a source on it."""
    shared = ("sample_rate", "duration")
    own = {name: manifest.fabricate(storage.join(root, name)) for name in ("first", "second")}
    sources = {
        name: {"type": "manifest", **{k: v for k, v in one.items() if k not in shared}} for name, one in own.items()
    }
    return {"sources": sources, **{name: own["first"][name] for name in shared}}
