"""Twelve strokes on three drums, and a table that names them."""

from typing import Any

from tympan.data import storage

from . import put_sound, tone


def fabricate(root: str) -> dict[str, Any]:
    """Write it below a path or URI; the configuration of a source on it."""
    lines = ["path,drum,diameter_m,position,split"]
    for n in range(12):
        kind = ("wav", "flac", "ogg")[n % 3]
        path = f"kit {n // 4}/stroke-{n}.{kind}"
        put_sound(storage.join(root, path), tone(150 + 40 * n, 0.4, 16000), 16000)
        lines.append(f"{path},d{n // 4},{0.3 + 0.05 * (n // 4):.2f},{('centre', 'edge')[n % 2]},")
    storage.write_text(storage.join(root, "index.csv"), "\n".join(lines) + "\n")
    return {
        "path": storage.join(root, "index.csv"),
        "group_column": "drum",
        "part_column": "split",
        "value_units": {"diameter_m": "m"},
        "sample_rate": 8000,
        "duration": 0.25,
    }
