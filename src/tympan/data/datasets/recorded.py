"""What `tympan generate` wrote: sounds of any source, with the values that made them."""

import hashlib
import io
from functools import cached_property
from typing import Any

import numpy as np
from pyarrow import parquet

from .. import storage
from ..generate import GROUP, METADATA, OWN, read_about
from ..recordings import Recording, Recordings


class Recorded(Recordings):
    """A folder of samples with `metadata.parquet` and `dataset.yaml`.

    Values are as the source gave them; waveforms as the samples' bits hold them, resampled where `sample_rate` is not
    the folder's own.
    """

    root: str
    """Path or URI of the folder."""

    @property
    def group(self) -> str | None:
        return self.about["group"]

    @property
    def units(self) -> dict[str, str]:
        return self.about["units"]

    @property
    def rates(self) -> dict[str, float]:
        return self.about.get("rates", {})

    @property
    def clusters(self) -> tuple[str, ...]:
        return tuple(self.about["clusters"]) if "clusters" in self.about else super().clusters

    @property
    def place(self) -> str:
        return self.root

    @cached_property
    def about(self) -> dict[str, Any]:
        """What dataset.yaml says: the source's configuration, seed, units, sample rate."""
        return read_about(self.root)

    def recordings(self) -> list[Recording]:
        if "metadata_sha256" not in self.about:
            raise ValueError(f"{self.root} is not complete: run the same `tympan generate` again, it will go on")
        name = storage.join(self.root, METADATA)
        data = storage.read_bytes(name)
        if hashlib.sha256(data).hexdigest() != self.about["metadata_sha256"]:
            raise ValueError(f"{name} is not the one that was generated (sha256 differs): generate it again")
        return [self._recording(row) for row in parquet.read_table(io.BytesIO(data)).to_pylist()]

    def _recording(self, row: dict[str, Any]) -> Recording:
        known = {name: cell for name, cell in row.items() if cell is not None}
        groups = {name.removeprefix(GROUP): cell for name, cell in known.items() if name.startswith(GROUP)}
        values = {
            name: np.asarray(cell) if isinstance(cell, list) else cell
            for name, cell in known.items()
            if name not in OWN and not name.startswith(GROUP)
        }
        uri = storage.join(self.root, row["file"])
        return Recording(uri, row["id"], groups, None, values, row["duration"])
