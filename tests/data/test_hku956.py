"""HKU956: listeners' files at any depth, the part that was heard, sound from a folder or a link, other signals too."""

import socket

import numpy as np
import pytest

from corpora import hku956
from corpora.hku956 import HEARD, signal
from corpora.songs import ids, listed
from data.test_download import loopback, send, server  # noqa: F401
from tympan.data import storage
from tympan.data.datasets.hku956 import HKU956
from tympan.data.split import Split, split
from tympan.electrodermal import Processing

RAW = {"normalize": "none", "lowpass": False}


@pytest.fixture
def config(tmp_path):
    return hku956.fabricate(str(tmp_path))


def quiet(config, **fields):
    return listed(HKU956, config, **fields)


def test_every_file_is_a_recording_of_one_listener_to_one_song(config):
    source, said = quiet(config, processing=RAW)
    assert ids(source) == [f"{who}_{n}_{song}" for who, heard in HEARD.items() for n, (song, _) in enumerate(heard)]
    assert not said and not source.left_out()
    assert source.describe(9).groups == {"listener": "hku1931", "song": "1119018"}  # whose folder lies deeper
    assert source.group == "listener" and source.clusters == ("listener", "song")
    assert source.rates == {"eda": 4.0} and source.units == {"eda": "µS"}
    np.testing.assert_allclose(source.values(4)["eda"], signal("EDA", 8, 1, 1), atol=1e-5)
    parts = split(source, Split(ratios=(0.5, 0.25, 0.25)), 0)
    groups = [{source.describe(i).groups["listener"] for i in p} for p in (parts.train, parts.validation, parts.test)]
    assert sorted(map(len, groups)) == [1, 1, 2] and len(set().union(*groups)) == 4


def test_the_recording_ends_where_the_listener_went_on(config):
    source, _ = quiet(config)
    for i, seconds in enumerate(s for heard in HEARD.values() for _, s in heard):
        assert source.describe(i).duration == seconds < hku956.LENGTH
        assert source[i].waveform.shape[1] == seconds * source.sample_rate
        assert len(source.values(i)["eda"]) == seconds * 4


@pytest.mark.parametrize(
    ("name", "rate", "unit"), [("bvp", 64, None), ("hr", 1, "1/min"), ("temp", 4, "°C"), ("eda", 4, "µS")]
)
def test_any_signal_of_the_tree_may_be_the_values(name, rate, unit, config):
    source, said = quiet(config, modalities=[name, "audio"], processing=RAW)
    assert not said and len(source) == 12  # a steady temperature is no electrode that is off
    assert source.rates == {name: rate} and source.units == ({name: unit} if unit else {})
    np.testing.assert_allclose(source.values(1)[name], signal(name.upper(), 7, 1, 0), atol=1e-4)


def test_several_signals_are_read_together_and_each_is_normalised(config, tmp_path):
    (tmp_path / hku956.FOLDER / "hku1903" / "HR" / "1_370177.csv").unlink()
    source, _ = quiet(config, modalities=["eda", "hr"], processing={"lowpass": 0.4})
    assert source.rates == {"eda": 4.0, "hr": 1.0} and source.units == {"eda": "z", "hr": "z"}
    assert set(source.values(0)) == {"eda", "hr"} and set(source.values(1)) == {"eda"}
    for x in source.values(0).values():
        assert x.mean() == pytest.approx(0, abs=1e-5) and x.std() == pytest.approx(1, abs=1e-5)


def test_a_signal_of_ones_own_is_named_with_its_rate(config, tmp_path):
    storage.write_text(tmp_path / "resp" / "p1" / "RESP" / "0_262957.txt", "\n".join(map(str, range(80))))
    said = {
        "modalities": ["resp"],
        "data_directories": {"resp": "resp", "audio": "songs"},
        "file_format": {"resp": ".txt"},
        "signal_rates": {"resp": 10},
        "signal_units": {"resp": "mm"},
    }
    with pytest.raises(ValueError, match="signal_folders says nothing of 'resp'"):
        len(HKU956.model_validate({**config, **said}))
    source, _ = quiet(config, **said, signal_folders={"resp": "RESP"}, metadata_paths=[], processing=RAW)
    assert source.describe(0).duration == 8.0 and source.units == {"resp": "mm"}
    np.testing.assert_array_equal(source.values(0)["resp"], np.arange(80))


def test_every_trap_is_handled_and_told_once(config, tmp_path):
    hku956.spoil(str(tmp_path))
    source, said = quiet(config, processing=RAW)
    mine = {id.split("_")[1]: i for i, id in enumerate(ids(source)) if id.startswith("hku1999")}
    assert list(mine) == ["0", "5", "6", "7", "10"] and len(source) == 12 + len(mine)
    out = source.left_out()
    why = {what.rpartition("hku1999")[2]: text for what, text in out.items()}
    assert why["/EDA/1_262957.csv"].startswith("files that cannot be read")
    assert why["_2_262957"].startswith("less than 80% of the signal is valid: eda 0.0% valid (no change for more than")
    assert "zero (electrode off)" in why["_3_262957"]
    assert "it looks like nS" in why["_4_262957"]
    assert "line 1 has 'EDA' where numbers are expected" in why["/EDA/8_262957.csv"]
    assert why["/EDA/9_262957.csv"] == "files with other than one column: 2"
    assert why["_11_999999"] == "the song has no sound in songs"
    assert why["_12_262957"] == "nothing was heard, as play_duration says"
    assert "gaps" in why["_13_262957"]
    told = " | ".join(said)
    assert "play_duration is not known, and the signal's own length was taken for it (1): hku1999_0_262957" in told
    assert "were not stretched (1): hku1999_10_262957 (eda 16 s, heard 8 s)" in told
    assert "tells of recordings that are not there (1): hku1999_14_262957" in told
    assert "commas were taken as decimal ones" in told
    assert len(said) == len(set(said)) == len(source.remarks())
    x = signal("EDA", 8, 0, 0)
    for number in ("0", "5", "6"):
        np.testing.assert_allclose(source.values(mine[number])["eda"], x, atol=1e-5)
    assert np.flatnonzero(np.isnan(source.values(mine["7"])["eda"])).tolist() == [9]
    assert source[mine["10"]].waveform.shape[1] == 8 * source.sample_rate
    assert len(source.values(mine["10"])["eda"]) == 64


@pytest.mark.parametrize("name", ["262957.csv", "x_262957.csv", "deeper/0_262957.csv"])
def test_another_name_is_an_error_with_an_example(name, config, tmp_path):
    storage.write_text(tmp_path / hku956.FOLDER / "hku1903" / "EDA" / name, "1\n")
    with pytest.raises(ValueError, match=r"is not called as a signal's file must be, like hku1903/EDA/0_262957\.csv"):
        len(HKU956.model_validate(config))


def test_another_layout_is_an_error_with_an_example(config, tmp_path):
    with pytest.raises(ValueError, match=r"no file is called as one of eda must be, like hku1903/ED/0_262957\.csv"):
        len(HKU956.model_validate({**config, "signal_folders": {"eda": "ED"}}))
    (tmp_path / hku956.FOLDER).rename(tmp_path / "1. physiological signals")
    with pytest.raises(ValueError, match=r"no folder .*1\. physiological_signals, where eda is expected as hku1903"):
        len(HKU956.model_validate(config))
    places = {"eda": "1. physiological signals", "audio": "songs"}
    assert len(HKU956.model_validate({**config, "data_directories": places})) == 12


def test_without_ratings_the_signals_length_is_taken_and_told(config, tmp_path):
    (tmp_path / "3. AV_ratings.csv").unlink()
    source, said = quiet(config)
    assert source.describe(0).duration == 8.0
    assert any("play_duration is not known" in each and "(12)" in each for each in said)


def test_a_wrong_rating_is_refused(config, tmp_path):
    table = tmp_path / "3. AV_ratings.csv"
    table.write_text(table.read_text().replace(",8\n", ",long\n", 1))
    with pytest.raises(ValueError, match=r"AV_ratings\.csv: play_duration is '.*', no number of seconds"):
        len(HKU956.model_validate(config))


@pytest.fixture
def linked(config, tmp_path, monkeypatch):
    """The configuration without a folder of songs, and the songs by name, whose links are to be written."""
    monkeypatch.setenv("TYMPAN_CACHE", str(tmp_path / "cache"))
    songs = {p.name: p.read_bytes() for p in (tmp_path / "songs").iterdir()}
    return {k: v for k, v in config.items() if k != "data_directories"}, songs


def link(tmp_path, address):
    songs = {song for heard in HEARD.values() for song, _ in heard}
    lines = ["song_id,link", *(f"{song},{address}/{song}.mp3" for song in sorted(songs))]
    storage.write_text(tmp_path / "2. original_song_audio.csv", "\n".join(lines))


def test_a_song_is_fetched_from_its_link_once(config, linked, tmp_path, loopback):  # noqa: F811
    here, _ = quiet(config)
    with server({f"/{name}": send(200, data) for name, data in linked[1].items()}) as running:
        link(tmp_path, f"http://127.0.0.1:{running.server_port}")
        source, said = quiet(linked[0])
        assert not said and not running.asked  # until its sound is wanted
        for i in (0, 3, 8):  # all of one song
            np.testing.assert_array_equal(source[i].waveform, here[i].waveform)
            np.testing.assert_array_equal(source.clip(i, 0, 0).waveform, here.clip(i, 0, 0).waveform)
        assert len(running.asked) == 1
        assert source.seconds(0) == 8.0


def test_a_link_that_leads_nowhere_or_inside_names_the_song_and_what_to_do(linked, tmp_path, monkeypatch):
    link(tmp_path, "http://169.254.169.254/latest")
    source, _ = quiet(linked[0])
    monkeypatch.setattr(socket, "create_connection", lambda *_: pytest.fail("it was asked"))
    for read in (lambda: source[0], lambda: source.clip(0, 0, 0)):
        with pytest.raises(
            ValueError,
            match=r"song 262957: http://169\.254\.169\.254/latest/262957\.mp3 leads to .*Save it as 262957\.mp3 in",
        ):
            read()


def test_a_song_without_a_link_is_left_out(linked, tmp_path):
    storage.write_text(tmp_path / "2. original_song_audio.csv", "song_id,link\n262957,http://music.example/x.mp3\n")
    source, said = quiet(linked[0])
    assert {source.describe(i).groups["song"] for i in range(len(source))} == {"262957"}
    assert any("8 left out, the song has no sound in 2. original_song_audio.csv" in each for each in said)


def test_the_real_listeners_are_read(shared_data):
    root = shared_data / "hku956"
    if not root.is_dir():
        pytest.skip(f"{root} is not here")
    source, said = quiet({"root": str(root), "sample_rate": 16000, "duration": 10.0}, modalities=["eda"])
    assert len(source) + len(source.left_out()) == 764 and len(source) > 600
    assert len({source.describe(i).groups["listener"] for i in range(len(source))}) > 18
    assert len(said) == 1 and "less than 80% of the signal is valid" in said[0]
    processing = Processing(lowpass=1.5)
    source = source.model_copy(update={"processing": processing})
    for i in range(0, len(source), 20):
        x = source.values(i)["eda"]
        assert len(x) / 4 == source.describe(i).duration
        assert np.nanmean(x) == pytest.approx(0, abs=1e-5) and np.nanstd(x) == pytest.approx(1, abs=1e-4)


def test_two_files_of_one_recording_are_refused_by_their_names(config, tmp_path):
    (first,) = tmp_path.glob("*/hku1903/EDA/0_*.csv")
    other = first.parents[3] / first.parents[2].name / "later" / "hku1903" / "EDA"
    other.mkdir(parents=True)
    (other / first.name).write_bytes(first.read_bytes())
    with pytest.raises(ValueError, match="are of one recording; take one of them away"):
        quiet(config)


@pytest.mark.parametrize("pattern", ["{participant}/{folder}/{number}_{song}", "{listener}/{folder}/{song}"])
def test_a_pattern_that_names_other_things_is_refused(config, pattern):
    with pytest.raises(ValueError, match=r"must name each of {listener}, {number}, {song}, {folder} once"):
        quiet(config, signal_pattern=pattern)


@pytest.mark.parametrize("field", [{"signal_rates": {"eda": 0}}, {"split_ratios": [0.8, 0.1, 0.2]}])
def test_a_rate_of_nothing_and_shares_that_are_more_than_all_are_refused(config, field):
    with pytest.raises(ValueError, match=next(iter(field))):
        HKU956.model_validate({**config, **field})
