"""Listeners who hear songs while a signal of their body is recorded: what the corpora of such share."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from ..component import assume, did_you_mean
from ..electrodermal import MICROSIEMENS, Processing, check
from . import storage
from .recordings import Recording, Recordings
from .survey import Survey, pattern

Hertz = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A rate."""
AUDIO = "audio"
"""The modality that is heard; every other one is a signal."""


class Listeners(Recordings):
    """Recordings of a signal, each of one listener to one song.

    A corpus writes `survey`, which reads every signal and no sound. What it leaves out, and what it had to assume, is
    warned of once for all recordings that it is true of, and `tympan check` lists it.
    """

    root: str
    """Path or URI of the corpus' folder."""
    modalities: tuple[str, ...] = ("eda", AUDIO)
    """What is read: `audio`, and the signals that become values of these names. Without `audio` there is nothing to
    train on, but the signals can be checked and read."""
    file_format: dict[str, str]
    """The suffix of each modality's files. What is not said of a modality, here and in the fields below, stays as
    published."""
    data_directories: dict[str, str]
    """Where each modality's files are: a path below the root, an absolute one, or a URI."""
    metadata_paths: tuple[str, ...]
    """The tables with what is known of songs or recordings: a path below the root, an absolute one, or a URI."""
    signal_rates: dict[str, Hertz]
    """Values per second (Hz) of each signal, as it was recorded."""
    audio_pattern: str = "{song}"
    """The name of a song's sound in a folder of such, without its suffix."""
    signal_units: dict[str, str]
    """The unit of each signal. In µS, or in `z` (already normalised), it is checked to be skin conductance."""
    processing: Processing = Processing()
    """What is done to the signals before they are values; of one that is no skin conductance, only filters and
    normalisation are meant."""
    shortest: float = Field(default=0.0, ge=0)
    """Seconds; a recording whose signals are shorter is left out."""
    split_ratios: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """The shares of training, validation and test, where `split` does not say."""
    seed: int = Field(default=42, ge=0)
    """Decides the split, where `split` does not."""

    @model_validator(mode="before")
    @classmethod
    def _as_published(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        usual = {name: field.default for name, field in cls.model_fields.items() if isinstance(field.default, dict)}
        return given | {k: {**usual[k], **v} for k, v in given.items() if k in usual and isinstance(v, dict)}

    @model_validator(mode="after")
    def _modalities_are_known(self) -> "Listeners":
        if min(self.split_ratios) < 0 or abs(sum(self.split_ratios) - 1) > 1e-6:
            raise ValueError(f"split_ratios are three shares that add up to 1, not {self.split_ratios}")
        for name in self.modalities:
            if name != AUDIO and name not in self.signal_rates:
                known = [*self.signal_rates, AUDIO]
                raise ValueError(
                    f"modalities: {name!r} is none of {', '.join(known)}{did_you_mean(name, known)}; a signal of your "
                    "own needs an entry in file_format, data_directories, signal_rates and signal_units"
                )
            for of in ("file_format", "data_directories", *(("signal_units",) if name != AUDIO else ())):
                if name not in getattr(self, of):
                    raise ValueError(f"{of} says nothing of {name!r}, which modalities names; add it")
        if not self.signals:
            raise ValueError("modalities names no signal, so there is nothing to learn; add one, such as eda")
        return self

    @property
    def signals(self) -> tuple[str, ...]:
        """The modalities that are values."""
        return tuple(name for name in dict.fromkeys(self.modalities) if name != AUDIO)

    @property
    def sounding(self) -> bool:
        return AUDIO in self.modalities

    @property
    def clusters(self) -> tuple[str, ...]:
        return ("listener", "song")

    @property
    def own_ratios(self) -> tuple[float, float, float]:
        return self.split_ratios

    @property
    def own_seed(self) -> int:
        return self.seed

    @property
    def units(self) -> dict[str, str]:
        each = [self.processing.units(self.signal_units[name], name) for name in self.signals]
        return {value: unit for units in each for value, unit in units.items() if unit}

    @property
    def rates(self) -> dict[str, float]:
        return {v: self.processing.rate(self.signal_rates[n]) for n in self.signals for v in self.processing.names(n)}

    @property
    def place(self) -> str:
        return self.root

    @abstractmethod
    def survey(self) -> Survey:
        """Everything in the corpus, each recording with its raw signals as values.

        Raises:
            ValueError: the folders or tables are not laid out as they must be, with an example.
        """

    @cached_property
    def surveyed(self) -> Survey:
        """What was found, looked for once.

        Raises:
            ValueError: nothing can be used.
        """
        found = self.survey()
        if not found.rows:
            raise ValueError(f"{self.root}: nothing in it can be used. {' '.join(found.told()) or 'It is empty.'}")
        return found

    def recordings(self) -> list[Recording]:
        for told in self.remarks():
            assume(f"{self.root}: {told}")
        return self.surveyed.rows

    def remarks(self) -> list[str]:
        told = self.surveyed.told()
        if self.processing.normalize == "listener":
            told.append(
                "normalize: listener takes the mean and deviation of all of a listener's recordings here, those of "
                "the test part among them; with normalize: recording each is by itself"
            )
        return told

    def left_out(self) -> dict[str, str]:
        each = {}
        for why, found in self.surveyed.left_out.items():
            each |= {what: f"{why}: {detail}" if detail else why for what, detail in found.items()}
        return each

    def locate(self, recording: Recording) -> str:
        if not self.sounding:
            raise ValueError(f"recording {recording.id} has no sound: add audio to `modalities` to read it")
        return super().locate(recording)

    def known(self, recording: Recording) -> Mapping[str, Any]:
        if recording.id not in self.processed:
            values: dict[str, Any] = {}
            for name, x in recording.values.items():
                level = self._level(recording.groups["listener"], name)
                applied = self.processing.apply(
                    x.astype(float), self.signal_rates[name], name, level, self._checked(name)
                )
                values |= {value: y.astype(np.float32) for value, y in applied.items()}
            self.processed[recording.id] = values
        return self.processed[recording.id]

    @cached_property
    def processed(self) -> dict[str, dict[str, Any]]:
        """The values of each recording that was asked for, by id."""
        return {}

    @cached_property
    def levels(self) -> dict[tuple[str, str], tuple[float, float]]:
        """Mean and standard deviation of each listener's signal over all recordings, by (listener, signal)."""
        return {}

    def _level(self, listener: str, name: str) -> tuple[float, float] | None:
        if self.processing.normalize != "listener":
            return None
        if (listener, name) not in self.levels:
            own = [r.values[name] for r in self.rows if r.groups["listener"] == listener and name in r.values]
            each = (x.astype(float) for x in own)
            self.levels[listener, name] = self.processing.level(each, self.signal_rates[name], self._checked(name))
        return self.levels[listener, name]

    def _checked(self, name: str) -> str | None:
        """The unit in which a signal is checked; None for one that is no skin conductance."""
        unit = self.signal_units[name]
        return unit if unit in (*MICROSIEMENS, "z") else None

    def _at(self, path: str) -> str:
        """Where a path of the configuration leads."""
        elsewhere = storage.is_remote(path) or "://" in path or Path(path).expanduser().is_absolute()
        return path if elsewhere else storage.join(self.root, path)

    def _below(self, modality: str, example: str) -> list[str]:
        """The files of a modality, as paths below its folder, hidden ones left out."""
        folder = self._at(self.data_directories[modality])
        try:
            found = storage.listing(folder)
        except FileNotFoundError as error:
            raise ValueError(
                f"there is no folder {folder}, where {modality} is expected as {example}; correct `root` or "
                f"`data_directories`{'' if modality != AUDIO else ', or leave audio out of `modalities`'}"
            ) from error
        below = [uri.removeprefix(folder.rstrip("/")).lstrip("/") for uri in found]
        suffix = self.file_format[modality]
        return [name for name in below if name.endswith(suffix) and not name.rpartition("/")[2].startswith(".")]

    def _sound_files(self, example: str) -> dict[str, str]:
        """The file of each song, in the folder of the sounds."""
        named = pattern(self.audio_pattern, self.file_format[AUDIO], ("song",))
        folder = self._at(self.data_directories[AUDIO])
        found = {file: named.fullmatch(file) for file in self._below(AUDIO, f"{example}{self.file_format[AUDIO]}")}
        return {match["song"]: storage.join(folder, file) for file, match in found.items() if match}

    def _keep(self, survey: Survey, recording: Recording) -> None:
        """Add a recording with what of its signals is usable, or say why it is left out."""
        usable, poor = {}, {}
        for name, x in recording.values.items():
            unit = self._checked(name)
            verdict = None if unit is None else check(x, self.signal_rates[name], unit)
            share = float((~np.isnan(x)).mean()) if verdict is None else verdict.valid_share
            if len(x) and share >= self.processing.valid_share and share > 0:
                usable[name] = x.astype(np.float32)
            else:
                poor[name] = f"{name} {share:.1%} valid ({'; '.join(verdict.problems) if verdict else 'gaps'})"
        length = max((len(x) / self.signal_rates[name] for name, x in usable.items()), default=0.0)
        least = f"{self.processing.valid_share:.0%}"
        if not usable:
            survey.leave_out(f"less than {least} of the signal is valid", recording.id, ", ".join(poor.values()))
        elif length < self.shortest:
            survey.leave_out(f"shorter than {self.shortest:g} s", recording.id, f"{length:.4g} s")
        else:
            if poor:
                survey.note(f"of some signals less than {least} is valid, and they are unknown", recording.id)
            duration = None if self.sounding else length
            survey.rows.append(replace(recording, values=usable, duration=duration))
