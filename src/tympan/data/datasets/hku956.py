"""HKU956: skin conductance, pulse and temperature of 30 listeners to 592 songs, by a wristband (Hu et al. 2022)."""

import re
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from .. import download, storage, table
from ..listeners import AUDIO, Hertz, Listeners
from ..recordings import Recording
from ..survey import Survey, pattern, tables

_DIRECTORY = "1. physiological_signals"
_EXAMPLE = {"listener": "hku1903", "number": "0", "song": "262957"}

Key = tuple[str, str, str]


class HKU956(Listeners):
    """A folder for each listener, in it one for each signal, in it a file for each song heard: numbers, no header.

        root/1. physiological_signals/<participant>/EDA/<song_no>_<song_id>.csv
        root/2. original_song_audio.csv     song_id,link
        root/3. AV_ratings.csv              participant_id,song_no,song_id,...,play_duration

    Participants' folders may lie at any depth. A signal begins with its song and ends when the listener went on to the
    next: `play_duration` says when, and sound beyond it was never heard and is no part of the recording. A song's sound
    is fetched from its link, or read from a folder of `<song_id>.mp3` that `data_directories: {audio: …}` names. Hu, Li
    and Liu 2022, doi 10.3390/app12189354.
    """

    file_format: dict[str, str] = {"eda": ".csv", "bvp": ".csv", "hr": ".csv", "temp": ".csv", AUDIO: ".mp3"}
    """The suffix of each modality's files. What is not said of a modality, here and below, stays as published."""
    data_directories: dict[str, str] = {
        "eda": _DIRECTORY,
        "bvp": _DIRECTORY,
        "hr": _DIRECTORY,
        "temp": _DIRECTORY,
        AUDIO: "2. original_song_audio.csv",
    }
    """Where each modality's files are: a path below the root, an absolute one, or a URI; of `audio` a folder of songs,
    or a table of links."""
    metadata_paths: tuple[str, ...] = ("3. AV_ratings.csv",)
    """The tables of ratings, which say how long each song was heard."""
    signal_rates: dict[str, Hertz] = {"eda": 4.0, "bvp": 64.0, "hr": 1.0, "temp": 4.0}
    """Values per second (Hz) of each signal, as it was recorded."""
    signal_units: dict[str, str] = {"eda": "µS", "bvp": "", "hr": "1/min", "temp": "°C"}
    """The unit of each signal; one in µS is checked to be skin conductance."""
    signal_folders: dict[str, str] = {"eda": "EDA", "bvp": "BVP", "hr": "HR", "temp": "TEMP"}
    """The folder of each signal below a listener's: `{folder}` in `signal_pattern`."""
    signal_pattern: str = "{listener}/{folder}/{number}_{song}"
    """The end of the path of a signal's file, without its suffix."""
    link_song_column: str = "song_id"
    """The column of the table of links that names the song."""
    link_column: str = "link"
    """The column with the address of the song's sound: http or https, or a path below the root."""
    listener_column: str = "participant_id"
    """The column of the ratings that names the listener."""
    number_column: str = "song_no"
    """The column of the ratings with the song's place in what the listener heard."""
    song_column: str = "song_id"
    """The column of the ratings that names the song."""
    played_column: str = "play_duration"
    """The column of the ratings with the seconds of the song that were heard."""

    @property
    def group(self) -> str:
        return "listener"

    @cached_property
    def linked(self) -> bool:
        """Whether sounds are fetched from the links of a table."""
        return self.data_directories[AUDIO].lower().endswith(table.TABLES)

    def survey(self) -> Survey:
        survey = Survey()
        sounds = self._sounds() if self.sounding else {}
        played = self._played(survey)
        found: dict[Key, dict[str, Float[np.ndarray, " frames"]]] = {}
        absent = set(played)
        for name in self.signals:
            of = self._signal_files(name)
            absent -= set(of.values())
            for uri, columns in tables(list(of), survey, header=False):
                if len(columns) == 1:
                    found.setdefault(of[uri], {})[name] = columns["0"]
                else:
                    survey.leave_out("files with other than one column", uri, f"{len(columns)}")
        for key, values in sorted(found.items(), key=lambda item: (item[0][0], _number(item[0][1]), item[0])):
            self._recording(survey, key, values, played, sounds)
        without = sorted(f"{listener}_{number}_{song}" for listener, number, song in absent)
        if without:
            survey.note(f"{self.metadata_paths[0]} tells of recordings that are not there", *without)
        return survey

    def _recording(
        self,
        survey: Survey,
        key: Key,
        values: dict[str, Float[np.ndarray, " frames"]],
        played: dict[Key, float],
        sounds: dict[str, str],
    ) -> None:
        listener, number, song = key
        id = f"{listener}_{number}_{song}"
        lengths = {name: len(x) / self.signal_rates[name] for name, x in values.items()}
        heard = played.get(key)
        if heard is None:
            heard = max(lengths.values())
            if self.metadata_paths:
                survey.note(f"{self.played_column} is not known, and the signal's own length was taken for it", id)
        elif heard <= 0:
            survey.leave_out(f"nothing was heard, as {self.played_column} says", id)
            return
        off = [f"{id} ({name} {s:g} s, heard {heard:g} s)" for name, s in lengths.items() if abs(s - heard) > 1]
        if off:
            survey.note(
                f"signals are more than 1 s longer or shorter than {self.played_column}; they begin with the song and "
                "were not stretched",
                *off,
            )
        if self.sounding and song not in sounds:
            survey.leave_out(f"the song has no sound in {self.data_directories[AUDIO]}", id)
            return
        groups = {"listener": listener, "song": song}
        self._keep(survey, Recording(sounds.get(song, ""), id, groups, values=values, stop=heard))

    def locate(self, recording: Recording) -> str:
        place = super().locate(recording)
        if not self.linked or recording.uri.startswith(f"{self.root.rstrip('/')}/"):
            return place
        try:
            return str(download.sound(place))
        except ValueError as error:
            song = recording.groups["song"]
            raise ValueError(
                f"song {song}: {error}. Save it as {song}{self.file_format[AUDIO]} in a folder with the others, and "
                "name the folder in `data_directories: {audio: …}`"
            ) from error

    def _sounds(self) -> dict[str, str]:
        """Where each song's sound is: its link, or its file."""
        if self.linked:
            uri = self._at(self.data_directories[AUDIO])
            rows = table.read(uri)
            table.require(rows, [self.link_song_column, self.link_column], uri)
            links = {str(r[self.link_song_column]): str(r[self.link_column]) for r in rows if r[self.link_column]}
            return {song: link if _away(link) else storage.join(self.root, link) for song, link in links.items()}
        return self._sound_files("262957")

    def _signal_files(self, name: str) -> dict[str, Key]:
        """The files of a signal; one in its folder that is called otherwise is refused."""
        suffix, place = self.file_format[name], self._at(self.data_directories[name])
        folder = self.signal_folders.get(name)
        if folder is None:
            raise ValueError(f"signal_folders says nothing of {name!r}, which modalities names; add it")
        named = pattern(self.signal_pattern, suffix, tuple(_EXAMPLE), folder=folder)
        example = self.signal_pattern.format(**_EXAMPLE, folder=folder) + suffix
        found: dict[str, Key] = {}
        of: dict[Key, str] = {}
        every = self._below(name, example)
        for file in every:
            match = named.fullmatch(file)
            if match:
                key = match["listener"], match["number"], match["song"]
                if key in of:
                    raise ValueError(f"{place}: {of[key]} and {file} are of one recording; take one of them away")
                found[storage.join(place, file)], of[key] = key, file
            elif folder in file.split("/")[:-1]:
                raise ValueError(
                    f"{place}: {file} is not called as a signal's file must be, like {example} (listener, signal, "
                    "place in what was heard, song); rename it, take it away, or correct `signal_pattern`"
                )
        if not found:
            there = f"it holds {table.some(every, 2)}" if every else f"no file in it ends in {suffix}"
            raise ValueError(
                f"{place}: no file is called as one of {name} must be, like {example}; {there}; correct `root`, "
                "`data_directories`, `signal_folders` or `signal_pattern`"
            )
        return found

    def _played(self, survey: Survey) -> dict[Key, float]:
        """The seconds that were heard, where they are known."""
        played: dict[Key, float] = {}
        for path in self.metadata_paths:
            uri = self._at(path)
            if not storage.exists(uri):
                survey.note("a table of ratings is not there", uri)
                continue
            rows = table.read(uri)
            columns = [self.listener_column, self.number_column, self.song_column, self.played_column]
            table.require(rows, columns, uri)
            heard: list[Any] = table.numbers(
                [row[self.played_column] for row in rows], f"{self.played_column} of {uri}"
            )
            for row, seconds in zip(rows, heard, strict=True):
                if isinstance(seconds, str):
                    raise ValueError(f"{uri}: {self.played_column} is {seconds!r}, no number of seconds; correct it")
                if seconds is not None:
                    listener, number, song = (str(row[column]) for column in columns[:3])
                    played[listener, number, song] = float(seconds)
        return played


def _away(link: str) -> bool:
    """Whether a link is an address, and no path below the root."""
    return "://" in link or link.startswith("/")


def _number(text: str) -> int:
    return int(re.sub(r"\D", "", text) or 0)
