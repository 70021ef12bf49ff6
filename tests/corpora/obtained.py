"""A folder that was generated for want of another: six strikes of two drums."""

from pathlib import Path

from . import recorded


def fabricate(root: str | Path) -> dict:
    """Write it below `root`; return the configuration of a source on it."""
    return {**recorded.fabricate(root), "type": "obtained", "otherwise": recorded.DRUMS}
