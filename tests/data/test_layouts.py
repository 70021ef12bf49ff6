"""A source of songs and listeners is written in the tree of a published corpus, and what is there is kept."""

import csv
import json

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from tympan.cli import app
from tympan.data.layouts import write
from tympan.data.synthesizers import Synthesizer

MUSIC = {"type": "skin_response", "size": 6, "listeners": 3, "listeners_per_song": 2, "duration": 16.0}
FITS = {"pmemo2019": {"eda_rate": 50.0}, "hku956": {"normalize": "none"}}


def source(layout, **changes):
    return Synthesizer.model_validate({**MUSIC, "sample_rate": 8000, **FITS[layout], **changes})


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def rows(path):
    return list(csv.reader(path.read_text().splitlines()))


def test_pmemo2019_has_a_table_and_a_sound_for_each_song(tmp_path):
    music = source("pmemo2019")
    write(music, tmp_path, "pmemo2019")
    tables = {f"EDA/{s}_EDA.csv" for s in range(3)} | {f"chorus/{s}.mp3" for s in range(3)}
    assert set(contents(tmp_path)) == {*tables, "metadata.csv", "dataset.yaml"}
    for i in range(6):
        header, *body = rows(tmp_path / "EDA" / f"{i // 2}_EDA.csv")
        column = header.index(music.groups(i)["listener"])
        table = np.array(body, float)
        assert header[0] == "time(s)" and np.allclose(table[:, 0], np.arange(800) / 50)
        assert np.abs(table[:, column] - music.values(i)["eda"]).max() < 1e-6
        sound, rate = soundfile.read(tmp_path / "chorus" / f"{i // 2}.mp3")
        assert rate == 8000 and np.corrcoef(sound[:128000], music[i].waveform[0])[0, 1] > 0.9
    assert rows(tmp_path / "metadata.csv") == [["musicId", "fileName"], *([str(s), f"{s}.mp3"] for s in range(3))]


def test_hku956_has_a_file_for_each_recording_and_how_long_was_played(tmp_path):
    music = source("hku956")
    write(music, tmp_path, "hku956")
    header, *ratings = rows(tmp_path / "3. AV_ratings.csv")
    assert len(ratings) == 6
    for i, row in enumerate(ratings):
        told = dict(zip(header, row, strict=True))
        name = f"{told['song_no']}_{told['song_id']}.csv"
        eda = np.loadtxt(tmp_path / "1. physiological_signals" / told["participant_id"] / "EDA" / name)
        assert told["participant_id"] == f"hku{music.groups(i)['listener']}" and told["song_id"] == str(i // 2)
        assert np.abs(eda - music.values(i)["eda"]).max() < 1e-6 and float(told["play_duration"]) == 16
        assert (tmp_path / "songs" / f"{i // 2}.mp3").exists()
    assert [row[0] for row in rows(tmp_path / "2. original_song_audio.csv")] == ["song_id", "0", "1", "2"]


@pytest.mark.parametrize("layout", FITS)
def test_what_was_interrupted_goes_on_and_nothing_is_written_twice(layout, tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    music = source(layout)
    with pytest.raises(KeyboardInterrupt):
        write(music, tmp_path, layout, progress=stop)
    kept = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.mp3")}
    write(music, tmp_path, layout)
    assert len(kept) == 1 and all(p.stat().st_mtime_ns == time for p, time in kept.items())
    whole = contents(tmp_path)
    with pytest.raises(ValueError, match=r"another configuration.*seed"):
        write(source(layout, seed=1), tmp_path, layout)
    assert contents(tmp_path) == whole


def test_other_files_are_left_alone(tmp_path):
    (tmp_path / "mine.csv").write_text("mine")
    with pytest.raises(ValueError, match="holds other files"):
        write(source("hku956"), tmp_path, "hku956")
    assert contents(tmp_path) == {"mine.csv": b"mine"}


@pytest.mark.parametrize(
    ("layout", "changes", "message"),
    [
        ("pmemo2019", {"eda_rate": 4.0}, "set eda_rate: 50"),
        ("hku956", {"normalize": "recording"}, "normalize: none"),
        ("hku956", {"sample_rate": 9000}, "no 9000 Hz"),
    ],
)
def test_a_source_that_the_layout_cannot_hold_is_refused(layout, changes, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        write(source(layout, **changes), tmp_path / "new", layout)
    assert not (tmp_path / "new").exists()


def test_a_source_without_listeners_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no signal `eda`"):
        write(Synthesizer.model_validate({"type": "tone"}), tmp_path, "pmemo2019")


def test_the_command_line_writes_a_layout(tmp_path):
    config = tmp_path / "music.json"
    config.write_text(json.dumps({"data": source("hku956").model_dump(mode="json")}))
    asked = ["generate", str(config), str(tmp_path / "new"), "--layout", "hku956"]
    assert CliRunner().invoke(app, asked).output.endswith(f"{tmp_path / 'new'}\n")
    assert (tmp_path / "new" / "3. AV_ratings.csv").exists()
    refused = CliRunner().invoke(app, [*asked, "--subtype", "FLOAT"])
    assert isinstance(refused.exception, ValueError) and "mp3" in str(refused.exception)
