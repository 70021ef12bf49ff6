"""What `tympan generate` wrote, or kac_drumset did: sounds of any source, with the values that made them."""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from .. import cache, kac_drumset, storage, table
from ..dataset_folder import GROUP, METADATA, OWN, read_about
from ..recordings import Recording, Recordings
from ..synthesizers import Synthesizer


class Recorded(Recordings):
    """A folder of samples with `metadata.parquet` and `dataset.yaml`, or with the `metadata.json` of kac_drumset.

    Values are as the source gave them; waveforms as the samples' bits hold them, resampled where `sample_rate` is not
    the folder's own. A sample that changed since it was written is refused.

    Of kac_drumset's labels, one number keeps its name (`drum_size`), several are numbered (`strike_location_0`), and
    `vertices` are an array. They mean what they meant there: a `drum_size` is the length that its sampler calls L, in
    metres, by which its Bessel drums sound pi times as high as drums of that diameter, and its Poisson drums twice.
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
    def of_people(self) -> bool:
        made = self.about.get("source", {}).get("type") in Synthesizer.names()
        return not made and super().of_people

    @property
    def own_features(self) -> Mapping[str, Any] | None:
        return self.about.get("features")

    @property
    def place(self) -> str:
        return self.root

    @cached_property
    def about(self) -> dict[str, Any]:
        """What dataset.yaml says: the source's configuration, seed, units, sample rate, features."""
        return kac_drumset.about(self._theirs) if self._theirs else read_about(self.root)

    def ready(self) -> None:
        """See to it that the folder is there; called before it is looked into."""

    @property
    def folder(self) -> str:
        """Where the samples are: the root, or `data` in it, as kac_drumset's archives have it."""
        return self._theirs or self.root

    def recordings(self) -> list[Recording]:
        return kac_drumset.recordings(self._theirs) if self._theirs else self._table[0]

    @cached_property
    def _theirs(self) -> str:
        """The folder of kac_drumset's files; empty where they are ours."""
        self.ready()
        try:
            ours = "configuration_sha256" in read_about(self.root)
        except FileNotFoundError:
            ours = False
        found = None if ours else kac_drumset.find(self.root)
        if not ours and found is None:
            raise ValueError(
                f"{self.root} holds neither dataset.yaml, which `tympan generate` writes, nor kac_drumset's "
                f"{kac_drumset.METADATA}; name such a folder"
            )
        return found or ""

    @cached_property
    def _table(self) -> tuple[list[Recording], dict[str, str]]:
        """The recordings, and the sha256 of each file."""
        if "metadata_sha256" not in self.about:
            raise ValueError(f"{self.root} is not complete: run the same `tympan generate` again, it will go on")
        name = storage.join(self.root, METADATA)
        data = storage.read_bytes(name)
        if hashlib.sha256(data).hexdigest() != self.about["metadata_sha256"]:
            raise ValueError(f"{name} is not the one that was generated (sha256 differs): generate it again")
        rows = table.of_parquet(data, name)
        found = [self._recording(row) for row in rows]
        return found, {r.uri: row["sha256"] for r, row in zip(found, rows, strict=True) if "sha256" in row}

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

    def _decode(self, row: Recording, uri: str) -> Float[np.ndarray, "channels samples"]:
        said = None if self._theirs else self._table[1].get(row.uri)
        if said and hashlib.sha256(cache.local(uri).read_bytes()).hexdigest() != said:
            raise ValueError(
                f"{uri} is not as it was generated (sha256 differs): run the same `tympan generate` again, which makes "
                "it anew"
            )
        return super()._decode(row, uri)
