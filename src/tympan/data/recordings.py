"""Recordings in files, one row each: decode whole or only the clip that is wanted, and keep what was decoded."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
from jaxtyping import Float

from ..addresses import shown
from ..component import assume
from ..signals import check_channels
from . import Description, Example, audio, cache, crop, storage
from .datasets import Dataset
from .decoders import Decoder
from .table import some


@dataclass(frozen=True, slots=True)
class Recording:
    """Where one recording is, and what is known of it."""

    uri: str
    id: str
    groups: Mapping[str, str] = field(default_factory=dict)
    part: str | None = None
    """train, validation or test, where the corpus itself says so."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """What is known by name; a name with nothing known is left out."""
    duration: float | None = None
    """Seconds, where it is known without opening the file; only told, never used to cut."""
    start: float = 0.0
    """Where the recording begins in its file (seconds)."""
    stop: float | None = None
    """Where the recording ends in its file (seconds); the end of the file by default."""


class Recordings(Dataset):
    """A dataset whose examples are audio files, or stretches of them.

    A corpus writes one method, `recordings`. It holds no open file, so it can be sent to any worker.
    """

    cache: bool = True
    """Keep decoded sound on disk, at this sample rate, so that a file is decoded once; without it a clip is decoded
    anew every time, alone where it need not be searched for. A file that is too long to be held is not kept."""

    decoder: Decoder = "auto"
    """What decodes: soundfile, and PyAV what that cannot; or one of them alone, `soundfile` or `pyav`. They differ in
    compressed sound by less than is heard. `librosa` stands for soundfile, by which it decodes, if it is installed."""

    @abstractmethod
    def recordings(self) -> list[Recording]:
        """Every recording of the corpus, in an order that does not change; no sound is read.

        Raises:
            ValueError: a file of the corpus is not what it must be, with its name.
        """

    def locate(self, recording: Recording) -> str:
        """Path or URI of the recording's sound; a corpus overrides it where that takes a look into another file."""
        return recording.uri

    def known(self, recording: Recording) -> Mapping[str, Any]:
        """What is known of a recording; a corpus overrides it where that takes work, left until it is asked."""
        return recording.values

    def missing(self, recording: Recording) -> str:
        """What to say where the recording's file does not exist."""
        slashes = " (folders are separated by /, not by \\)" if "\\" in recording.uri else ""
        return f"recording {recording.id}: {shown(recording.uri)} does not exist; add it, or correct its path{slashes}"

    @property
    def place(self) -> str:
        """What messages about the corpus name: its table, or its folder."""
        return self.type or type(self).__name__

    def info(self, recording: Recording, uri: str) -> audio.Info:
        """The header of the recording's file, read before its sound; a corpus may check it here."""
        return audio.info(uri, self.decoder)

    @cached_property
    def rows(self) -> list[Recording]:
        """The recordings, listed once.

        Raises:
            ValueError: two recordings have one id, or there are none.
        """
        rows = self.recordings()
        if not rows:
            raise ValueError(f"{self.place} has no recordings; add one")
        twice = [id for id, n in Counter(row.id for row in rows).items() if n > 1]
        if twice:
            raise ValueError(
                f"{self.place}: {len(twice)} ids are not unique: {some(twice)}; give each recording its own"
            )
        return rows

    def row(self, index: int) -> Recording:
        """Recording `index`; IndexError outside of the source."""
        if not 0 <= index < len(self.rows):
            raise IndexError(f"{self.type} has {len(self.rows)} recordings, none at {index}")
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Example:
        row = self.row(index)
        with self._missing(row):
            example = self._example(row, self._whole(row))
        if not example.waveform.any():
            assume(
                f"{shown(row.uri)} is silent: all its samples are 0; it is kept, take its row out if it should not be"
            )
        return example

    def clip(self, index: int, epoch: int, seed: int) -> Example:
        row = self.row(index)
        with self._missing(row):
            if self.cache or self._searched:
                try:
                    whole = self._whole(row)
                except audio.TooLong:
                    if self._searched:
                        raise
                else:
                    cut, sound = crop.trimmed(whole, self.sample_rate, self.trim)
                    begin = crop.first(sound, self, index, epoch, seed)
                    return self._example(row, sound[:, begin : begin + self.audio.frames], cut + begin)
            uri = self.locate(row)
            first, last = self._stretch(row, self._length(row, uri))
            begin = crop.start(self, last - first, index, epoch, seed)
            duration = min(self.audio.frames, last - first - begin) / self.sample_rate
            start = (first + begin) / self.sample_rate
            return self._example(row, self._read(uri, start, duration), begin)

    def values(self, index: int) -> Mapping[str, Any]:
        return self.known(self.row(index))

    def describe(self, index: int) -> Description:
        row = self.row(index)
        duration = row.duration if row.stop is None else row.stop - row.start
        return Description(row.id, dict(row.groups), duration, row.part)

    def seconds(self, index: int) -> float | None:
        row = self.row(index)
        known = self.describe(index).duration
        if known is not None or storage.is_remote(row.uri):
            return known
        try:
            return audio.info(self.locate(row), self.decoder).duration - row.start
        except (OSError, ValueError):  # which is told where its sound is wanted
            return None

    def file_facts(self, index: int) -> dict[str, str]:
        return audio.file_facts(self.locate(self.row(index)))

    def files(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for index, row in enumerate(self.rows):
            found.setdefault(row.uri, []).append(index)
        return found

    def fetch(self, index: int) -> bool:
        row, new = self.row(index), False

        def decode() -> Float[np.ndarray, "channels samples"]:
            nonlocal new
            new = True
            return self._decode(row, uri)

        with self._missing(row):
            uri = self.locate(row)
            if not self.cache:
                new = not cache.held(uri)
                cache.local(uri)
                return new
            try:
                sound = cache.decoded(uri, self.sample_rate, self._kept, decode)
            except audio.TooLong:
                if self._searched:
                    raise
            else:
                check_channels(len(sound), self.audio, shown(row.uri))
        return new

    @property
    def _searched(self) -> bool:
        """Whether a clip has to be looked for in the whole recording."""
        return self.crop == "onset" or self.trim is not None

    @contextmanager
    def _missing(self, row: Recording) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise ValueError(self.missing(row)) from error

    def _whole(self, row: Recording) -> Float[np.ndarray, "channels samples"]:
        uri = self.locate(row)
        if not self.cache:
            first, last = self._stretch(row, self._length(row, uri))
            duration = None if row.stop is None else (last - first) / self.sample_rate
            return self._read(uri, first / self.sample_rate, duration)
        # The whole file is kept, so that its stretches share it; a slice of the memory map reads only itself.
        sound = cache.decoded(uri, self.sample_rate, self._kept, partial(self._decode, row, uri))
        first, last = self._stretch(row, sound.shape[1])
        return sound[:, first:last]

    def _decode(self, row: Recording, uri: str) -> Float[np.ndarray, "channels samples"]:
        self.info(row, uri)
        return self._read(uri)

    def _read(
        self, uri: str, start: float = 0.0, duration: float | None = None
    ) -> Float[np.ndarray, "channels samples"]:
        return audio.read(uri, self.sample_rate, self.channels, start, duration, self.decoder)

    @property
    def _kept(self) -> str:
        """What of the decoding, besides the rate, names an entry of the cache."""
        return self.channels if self.decoder == "auto" else f"{self.channels}-{self.decoder}"

    def _length(self, row: Recording, uri: str) -> int:
        """Samples of the whole file, as its header says; a very short one has one."""
        return max(round(self.info(row, uri).duration * self.sample_rate), 1)

    def _stretch(self, row: Recording, length: int) -> tuple[int, int]:
        """The recording's samples, of the `length` that its file has."""
        first = round(row.start * self.sample_rate)
        last = length if row.stop is None else min(round(row.stop * self.sample_rate), length)
        if last <= first:
            raise ValueError(
                f"recording {row.id}: {shown(row.uri)} ends before {row.start} s, where the recording would begin"
            )
        return first, last

    def _example(self, row: Recording, waveform: Float[np.ndarray, "channels samples"], begin: int = 0) -> Example:
        check_channels(len(waveform), self.audio, shown(row.uri))
        # A copy: the memory map is read-only.
        return Example(np.array(waveform), self.known(row), row.id, dict(row.groups), begin / self.sample_rate)
