"""Corpora, one per file."""

from typing import ClassVar

from .. import Source


class Dataset(Source):
    """A source of recordings."""

    packages: ClassVar[tuple[str, ...]] = ("tympan.data.datasets",)

    @classmethod
    def words(cls) -> list[str]:
        return []
