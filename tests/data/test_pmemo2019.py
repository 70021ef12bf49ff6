"""PMEmo2019: one recording for each song and listener, and every known trap of it handled and told."""

import time

import numpy as np
import pytest

from corpora import pmemo2019
from corpora.pmemo2019 import LISTENERS, RATE, SECONDS, put_table, signal, table, usual
from corpora.songs import ids, listed
from tympan.data import recordings, storage
from tympan.data.datasets.pmemo2019 import PMEmo2019
from tympan.data.split import Split, split
from tympan.electrodermal import Processing, lowpass, zscore

RAW = {"normalize": "none", "lowpass": False}


@pytest.fixture
def config(tmp_path):
    return pmemo2019.fabricate(str(tmp_path))


def quiet(config, **fields):
    return listed(PMEmo2019, config, **fields)


def test_every_column_is_a_recording_of_one_listener_to_one_song(config):
    source, _ = quiet(config, processing=RAW)
    assert ids(source) == [f"{song}_{who}" for song in pmemo2019.SONGS for who in LISTENERS]
    assert source.describe(4).groups == {"song": "10", "listener": "100085"}
    assert source.group == "song" and source.clusters == ("listener", "song")
    assert source.rates == {"eda": RATE} and source.units == {"eda": "z"}
    values = source.values(4)
    assert list(values) == ["eda"] and values["eda"].dtype == np.float32
    np.testing.assert_allclose(values["eda"], signal(10, 1), atol=1e-5)


def test_the_sound_of_a_song_is_decoded_once(config, monkeypatch):
    asked = []
    read = recordings.audio.read
    monkeypatch.setattr(recordings.audio, "read", lambda uri, *a: asked.append(uri) or read(uri, *a))
    source, _ = quiet(config)
    for i in range(len(source)):
        assert source[i].waveform.shape[1] == pytest.approx(SECONDS * source.sample_rate, abs=1)
    assert len(asked) == len(pmemo2019.SONGS)


def test_a_table_is_parsed_once(config, monkeypatch):
    from tympan.data import survey

    asked = []
    read = survey.read
    monkeypatch.setattr(survey, "read", lambda data, uri, **k: asked.append(uri) or read(data, uri, **k))
    source, _ = quiet(config)
    for _ in range(2):
        [source.values(i) for i in range(len(source))]
    assert len(asked) == len(pmemo2019.SONGS)


def test_a_song_that_is_there_twice_is_in_one_part(config):
    source, said = quiet(config)
    assert {source.describe(i).groups["song"] for i in range(len(source))} == {"2", "10", "996"}
    for seed in range(5):
        parts = split(source, Split(ratios=(0.4, 0.3, 0.3)), seed)
        for part in (parts.train, parts.validation, parts.test):
            assert sum(source.describe(i).id.startswith(("996_", "997_")) for i in part) in (0, 2 * len(LISTENERS))
    assert any("songs that are there twice are kept in one part of a split (1): 996 = 997" in each for each in said)
    alone, said = quiet(config, same_songs=())
    assert alone.describe(len(alone) - 1).groups["song"] == "997" and not any("twice" in each for each in said)


def test_processing_is_what_the_values_went_through(config):
    source, _ = quiet(config)
    x = signal(2, 0).astype(np.float32).astype(float)
    np.testing.assert_allclose(source.values(0)["eda"], zscore(lowpass(x, float(RATE))), atol=1e-3)
    windows = {"window": 4.0, "hop": 2.0}
    source, _ = quiet(config, processing=windows)
    assert source.rates == dict.fromkeys(Processing(**windows).names("eda"), 0.5)
    assert source.values(0).keys() == source.rates.keys() and len(source.values(0)["eda_mean"]) == SECONDS / 2


def test_a_listeners_level_is_that_of_all_of_the_listeners_recordings(config):
    source, said = quiet(config, processing={"normalize": "listener", "lowpass": False})
    own = [source.values(i)["eda"] for i in range(len(source)) if source.describe(i).groups["listener"] == LISTENERS[1]]
    whole = np.concatenate(own)
    assert len(own) == len(pmemo2019.SONGS)
    assert whole.mean() == pytest.approx(0, abs=1e-5) and whole.std() == pytest.approx(1, abs=1e-5)
    assert any("those of the test part among them" in each for each in said)


def test_every_trap_is_handled_and_told_once(config, tmp_path):
    pmemo2019.spoil(str(tmp_path))
    source, said = quiet(config, processing=RAW)
    usable = {*pmemo2019.SONGS, "semicolons", "late", "gaps", "crlf", "ünïcode", "broken"}
    assert {id.rpartition("_")[0] for id in ids(source)} == usable | {"cells"}
    assert [id for id in ids(source) if id.startswith("cells")] == ["cells_100083"]
    out = source.left_out()
    assert out["cells_100085"].startswith(
        "less than 80% of the signal is valid: eda 0.0% valid (no change for more than"
    )
    assert "eda 0.0% valid (gaps" in out["cells_200440"]
    assert out["short_100083"] == "shorter than 15.5 s: 10 s"
    assert out["silent_100083"] == "the song has no sound in chorus"
    by_file = {what.rpartition("/")[2]: why for what, why in out.items()}
    assert by_file["text_EDA.csv"] == (
        "files that cannot be read: line 3: 'high' is no number; correct it, or leave the cell empty"
    )
    assert "times tell of 25 Hz, not of 50 Hz" in by_file["rate_EDA.csv"]
    assert "is earlier than the one before" in by_file["order_EDA.csv"]
    assert by_file["time_EDA.csv"].startswith("files without the column 'time(s)' (`time_column`): seconds, 100083")
    told = " | ".join(said)
    assert "commas were taken as decimal ones; write points to be sure (1): " in told
    assert "songs with sound and no signal are not used (1): unheard" in told
    assert "songs of the metadata are not there (1): absent" in told
    assert "published normalised and low-passed at 0.6 Hz" in told
    assert "frames are where their times say" in told
    assert len(said) == len(set(said)) == len(source.remarks())
    values = {id: source.values(i)["eda"] for i, id in enumerate(ids(source))}
    whole = signal(4, 0)
    for name in ("semicolons", "crlf", "ünïcode"):
        np.testing.assert_allclose(values[f"{name}_100083"], whole, atol=1e-4)
    late, gaps, cells = (values[f"{name}_100083"] for name in ("late", "gaps", "cells"))
    assert np.isnan(late[:20]).all() and not np.isnan(late[20:]).any()
    np.testing.assert_allclose(late[20:], whole[20:], atol=1e-4)
    assert np.array_equal(np.isnan(gaps[:790]), np.arange(790) % 10 == 3)
    np.testing.assert_allclose(gaps[~np.isnan(gaps)], whole[: len(gaps)][~np.isnan(gaps)], atol=1e-4)
    assert np.isnan(cells[151:200]).all() and not np.isnan(cells[:150]).any()
    with pytest.raises(ValueError, match=r"broken\.mp3"):
        source[ids(source).index("broken_100083")]


def test_the_signals_are_read_where_there_is_no_sound(config, tmp_path):
    for sound in (tmp_path / "chorus").iterdir():
        sound.unlink()
    (tmp_path / "chorus").rmdir()
    source, _ = quiet(config, modalities=["eda"])
    assert not source.sounding and len(source) == len(pmemo2019.SONGS) * len(LISTENERS)
    assert source.describe(0).duration == source.seconds(0) == SECONDS
    assert len(source.values(0)["eda"]) == SECONDS * RATE
    for read in (lambda: source[0], lambda: source.clip(0, 0, 0)):
        with pytest.raises(ValueError, match="2_100083 has no sound: add audio to `modalities`"):
            read()
    with pytest.raises(
        ValueError, match=r"no folder .*chorus, where audio is expected as 123\.mp3.*leave audio out of"
    ):
        len(PMEmo2019.model_validate(config))


def test_every_name_of_the_layout_is_a_field(tmp_path):
    root = str(tmp_path)
    for name in ("7", "8"):
        text = table(*usual(int(name)), time="t").replace(",", ";")
        storage.write_text(storage.join(root, "skin", f"song-{name}.txt"), text)
        storage.write_bytes(storage.join(root, "sounds", f"s{name}.wav"), b"")
    storage.write_text(storage.join(root, "list.csv"), "song\n7\n8\n9\n")
    source, said = quiet(
        {"root": root, "sample_rate": 1000, "duration": 1.0},
        file_format={"eda": ".txt", "audio": ".wav"},
        data_directories={"eda": "skin", "audio": f"{root}/sounds"},
        metadata_paths=["list.csv"],
        signal_patterns={"eda": "song-{song}"},
        audio_pattern="s{song}",
        time_column="t",
        song_column="song",
        signal_units={"eda": ""},
        shortest=0,
    )
    assert ids(source) == [f"{song}_{who}" for song in ("7", "8") for who in LISTENERS]
    assert any("songs of the metadata are not there (1): 9" in each for each in said)
    assert source.row(0).uri == f"{root}/sounds/s7.wav"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"modalities": ["audio"]}, "names no signal"),
        ({"modalities": ["edda", "audio"]}, "'edda' is none of eda, audio; did you mean 'eda'?"),
        ({"modalities": ["eda"], "signal_rates": {"hr": 1}}, None),
        ({"modalities": ["hr"], "signal_rates": {"hr": 1}}, "file_format says nothing of 'hr'"),
    ],
)
def test_modalities_are_validated(fields, says, config):
    if says is None:
        PMEmo2019.model_validate({**config, **fields})
        return
    with pytest.raises(ValueError, match=says.replace("?", r"\?")):
        PMEmo2019.model_validate({**config, **fields})


@pytest.mark.parametrize("name", ["EDA_2.csv", "Arousal/2_100083_A.csv"])
def test_another_name_is_an_error_with_an_example(name, config, tmp_path):
    storage.write_text(tmp_path / "EDA" / name, "x")
    with pytest.raises(ValueError, match=rf"EDA: {name} is called as .* must be, like 123_EDA\.csv, one for each song"):
        len(PMEmo2019.model_validate(config))


def test_a_corpus_with_nothing_usable_says_why(config, tmp_path):
    with pytest.raises(ValueError, match=r"nothing in it can be used.*without the column 'time'.*2_EDA\.csv"):
        len(PMEmo2019.model_validate({**config, "time_column": "time"}))
    for file in (tmp_path / "EDA").iterdir():
        file.unlink()
    with pytest.raises(ValueError, match=r"EDA: nothing that ends in \.csv is there, .*like 123_EDA\.csv"):
        len(PMEmo2019.model_validate(config))
    (tmp_path / "EDA").rmdir()
    with pytest.raises(ValueError, match=r"no folder .*EDA, where eda is expected as 123_EDA\.csv"):
        len(PMEmo2019.model_validate(config))


def test_without_metadata_no_song_is_missed(config, tmp_path):
    (tmp_path / "metadata.csv").unlink()
    _, said = quiet(config)
    assert any("a table of metadata is not there, and no song is missed (1): " in each for each in said)


@pytest.mark.slow
def test_as_many_columns_as_the_real_corpus_has_are_read_in_seconds(tmp_path):
    root = str(tmp_path)
    times = np.arange(1900) / RATE
    text = table(times, {str(100000 + i): signal(4, i, 38.0) for i in range(10)})
    for song in range(794):
        put_table(root, str(song), text)
    begin = time.process_time()
    source, _ = quiet({"root": root, "sample_rate": 16000, "duration": 10.0}, modalities=["eda"])
    assert len(source) == 7940 and time.process_time() - begin < 30


def test_a_signal_of_ones_own_needs_a_pattern(config):
    own = {"file_format": {"bvp": ".csv"}, "data_directories": {"bvp": "BVP"}, "signal_rates": {"bvp": 64}}
    with pytest.raises(ValueError, match="signal_patterns says nothing of 'bvp'"):
        quiet(config, modalities=["eda", "bvp", "audio"], signal_units={"bvp": ""}, **own)
