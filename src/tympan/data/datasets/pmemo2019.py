"""PMEmo2019: the skin conductance of listeners to the choruses of 794 pop songs, 50 Hz (Zhang et al. 2018)."""

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from jaxtyping import Float
from pydantic import Field

from ...electrodermal import check_time
from .. import storage, table
from ..listeners import AUDIO, Hertz, Listeners
from ..recordings import Recording
from ..survey import Survey, pattern, tables


class PMEmo2019(Listeners):
    """A table for each song with a column for each of its listeners, ten or more, and one recording for each column.

        root/EDA/<musicId>_EDA.csv      time(s),100083,100085,...
        root/chorus/<musicId>.mp3
        root/metadata.csv               musicId,fileName,title,...

    Signal and sound begin together; each frame lies where its own time says. What is known to be amiss in the
    published files is a field here: songs that are there twice are one song for a split, and choruses too short to have
    been rated are left out. The signals were low-passed at 0.6 Hz and normalised before they were published (Zhang et
    al. 2018, doi 10.1145/3206025.3206037), so their unit is `z` and no range of microsiemens holds for them.
    """

    file_format: dict[str, str] = {"eda": ".csv", AUDIO: ".mp3"}
    """The suffix of each modality's files. What is not said of a modality, here and below, stays as published."""
    data_directories: dict[str, str] = {"eda": "EDA", AUDIO: "chorus"}
    """Where each modality's files are: a path below the root, an absolute one, or a URI."""
    metadata_paths: tuple[str, ...] = ("metadata.csv",)
    """The tables that list the songs."""
    signal_rates: dict[str, Hertz] = {"eda": 50.0}
    """Values per second (Hz) of each signal, as it was recorded."""
    signal_units: dict[str, str] = {"eda": "z"}
    """The unit of each signal: `z`, as published, or µS, in which its range is checked."""
    signal_patterns: dict[str, str] = {"eda": "{song}_EDA"}
    """The name of a song's table of each signal, without its suffix."""
    time_column: str = "time(s)"
    """The column with each frame's time, in seconds from where the song begins; every other one is a listener."""
    song_column: str = "musicId"
    """The column of the metadata that names the song."""
    shortest: float = Field(default=15.5, ge=0)
    """Seconds; a shorter recording is left out."""
    same_songs: tuple[tuple[str, ...], ...] = (("90", "92"), ("996", "997"))
    """Songs that are there under several names: the first is the name of the group `song` for all of them."""
    published_lowpass: float | None = 0.6
    """Hz; what was published holds nothing above it."""

    @property
    def group(self) -> str:
        return "song"

    @cached_property
    def one_name(self) -> Mapping[str, str]:
        """The one name of each song that has several."""
        return {name: same[0] for same in self.same_songs for name in same}

    def survey(self) -> Survey:
        survey = Survey()
        sounds = self._sound_files("123") if self.sounding else {}
        listed = {name: self._tables(name) for name in self.signals}
        found: dict[tuple[str, str], dict[str, Float[np.ndarray, " frames"]]] = {}
        for name, songs in listed.items():
            of = {uri: song for song, uri in songs.items()}
            for uri, columns in tables(list(of), survey, header=True):
                for listener, x in self._placed(columns, name, uri, survey).items():
                    found.setdefault((of[uri], listener), {})[name] = x
        for (song, listener), values in sorted(found.items(), key=lambda item: (_number(item[0][0]), item[0])):
            groups = {"listener": listener, "song": self.one_name.get(song, song)}
            recording = Recording(sounds.get(song, ""), f"{song}_{listener}", groups, values=values)
            if self.sounding and song not in sounds:
                survey.leave_out(f"the song has no sound in {self.data_directories[AUDIO]}", recording.id)
            else:
                self._keep(survey, recording)
        self._note_what_is_known(survey, {song for songs in listed.values() for song in songs}, set(sounds))
        return survey

    def _tables(self, name: str) -> dict[str, str]:
        """The table of each song; one that is called otherwise is refused."""
        suffix, folder = self.file_format[name], self._at(self.data_directories[name])
        if name not in self.signal_patterns:
            raise ValueError(f"signal_patterns says nothing of {name!r}, which modalities names; add it")
        example = self.signal_patterns[name].replace("{song}", "123") + suffix
        named = pattern(self.signal_patterns[name], suffix, ("song",))
        files = self._below(name, example)
        other = next((file for file in files if not named.fullmatch(file)), None)
        if other is not None or not files:
            what = f"{other} is" if other else f"nothing that ends in {suffix} is there, and so nothing is"
            raise ValueError(
                f"{folder}: {what} called as the table of a song must be, like {example}, one for each song with a "
                f"column for each listener; rename it, take it away, or correct `signal_patterns` or `data_directories`"
            )
        return {match["song"]: storage.join(folder, file) for file in files if (match := named.fullmatch(file))}

    def _placed(
        self, columns: dict[str, Float[np.ndarray, " frames"]], name: str, uri: str, survey: Survey
    ) -> dict[str, Float[np.ndarray, " placed"]]:
        """Each listener's signal from second 0 on, every frame at its own time; NaN where there is none."""
        if self.time_column not in columns:
            survey.leave_out(f"files without the column {self.time_column!r} (`time_column`)", uri, ", ".join(columns))
            return {}
        rate, times = self.signal_rates[name], columns[self.time_column]
        problems = check_time(times, rate, uri.rpartition("/")[2])
        frames = np.rint(times * rate) if np.isfinite(times).all() else np.empty(0)
        usable = (
            len(frames) and frames[0] >= 0 and (np.diff(frames) > 0).all() and frames[-1] < 2 * len(frames) + 60 * rate
        )
        if not usable or any(" times tell of " in problem for problem in problems):
            survey.leave_out(
                "files whose times cannot be used", uri, "; ".join(problems) or "they are negative, or leap"
            )
            return {}
        if problems:
            survey.note("frames are where their times say, though the times are not uniform from 0 on", *problems)
        placed = np.full((len(columns) - 1, int(frames[-1]) + 1), np.nan, np.float32)
        listeners = [column for column in columns if column != self.time_column]
        placed[:, frames.astype(int)] = [columns[listener] for listener in listeners]
        return dict(zip(listeners, placed, strict=True))

    def _note_what_is_known(self, survey: Survey, signals: set[str], sounds: set[str]) -> None:
        twice = [" = ".join(same) for same in self.same_songs if len(signals & set(same)) > 1]
        if twice:
            survey.note("songs that are there twice are kept in one part of a split", *twice)
        if self.sounding and sounds - signals:
            survey.note("songs with sound and no signal are not used", *sorted(sounds - signals, key=_number))
        listed = self._listed(survey)
        absent = sorted(listed - signals - sounds, key=_number)
        if absent:
            survey.note("songs of the metadata are not there", *absent)
        unit = {name: self.signal_units[name] for name in self.signals if self.signal_units[name] == "z"}
        if unit and self.published_lowpass:
            survey.note(
                f"{', '.join(unit)} was published normalised and low-passed at {self.published_lowpass:g} Hz: nothing "
                "above that is in it, whatever `processing` keeps, and no range of µS was checked"
            )

    def _listed(self, survey: Survey) -> set[str]:
        listed: set[str] = set()
        for path in self.metadata_paths:
            uri = self._at(path)
            if not storage.exists(uri):
                survey.note("a table of metadata is not there, and no song is missed", uri)
                continue
            rows = table.read(uri)
            table.require(rows, [self.song_column], uri)
            listed |= {str(row[self.song_column]) for row in rows if row[self.song_column] is not None}
        return listed


def _number(song: str) -> tuple[int, str]:
    """By which songs are in order: 2 before 10."""
    return (int(song), "") if song.isdecimal() else (1 << 62, song)
