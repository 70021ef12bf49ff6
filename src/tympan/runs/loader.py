"""The section of a run's configuration on how examples are read: by how many processes, and what if one is bad."""

import os
from typing import Literal

from pydantic import Field

from ..component import Section


class Loader(Section):
    """How examples are read."""

    num_workers: int = Field(default=4, ge=0)
    """Processes that read and decode, at most one for each core; 0 reads in the training process."""
    prefetch_size: int = Field(default=2, ge=1)
    """Batches that each worker reads ahead; without workers, whose files are fetched ahead from a bucket."""
    bad_samples: Literal["fail", "skip"] = "fail"
    """What becomes of a recording that cannot be read, decoded or used: it ends the run, or other clips are heard in
    its place, in training and validation, and bad_samples.csv in the run's folder lists it. One of the test part is
    always an error."""
    bad_sample_budget: float = Field(default=0.01, ge=0, lt=1)
    """The largest share of the training part that may be skipped; with more bad recordings the run ends."""

    @property
    def workers(self) -> int:
        """How many processes read on this machine."""
        return min(self.num_workers, os.cpu_count() or 1)

    def most_bad(self, train: int) -> int | None:
        """How many recordings may be bad, with so many in the training part; `None` where the first ends the run."""
        return int(self.bad_sample_budget * train + 1e-9) if self.bad_samples == "skip" else None
