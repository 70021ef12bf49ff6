"""Speech folders: the clinical layout, its parts and labels, and what is said when something is wrong in it."""

import json
import warnings

import numpy as np
import pytest

from corpora import put_sound, speech_folder, tone
from tympan.component import AssumptionWarning
from tympan.data import audio, storage
from tympan.data.datasets.speech_folder import SpeechFolder
from tympan.data.split import Split, folds, split


@pytest.fixture
def config(tmp_path):
    return speech_folder.fabricate(str(tmp_path))


def test_parts_groups_and_values_are_those_of_the_tables(config):
    source = SpeechFolder(**config)
    assert len(source) == 12 and source.group == "subject"
    told = [source.describe(i) for i in range(12)]
    assert [d.part for d in told] == ["train"] * 8 + ["test"] * 4
    assert (told[0].id, told[0].groups, told[0].duration) == ("clinic-ann-0", {"subject": "ann"}, None)
    assert source.values(0) == {"age": 50, "dysarthria": 0, "rating": 2.5}
    assert source.values(1) == {"age": 50, "dysarthria": 0}  # an empty cell is unknown
    parts = split(source, Split(), 0)
    assert [len(parts.train), len(parts.validation), len(parts.test)] == [6, 2, 4]


@pytest.mark.parametrize("name", ["val.csv", "validation.csv"])
def test_val_csv_is_the_validation_part(name, config, tmp_path):
    rows = (tmp_path / "train.csv").read_text().splitlines()
    (tmp_path / "train.csv").write_text("\n".join(rows[:7]))
    (tmp_path / name).write_text("\n".join([rows[0], *rows[7:]]))
    source = SpeechFolder(**config)
    assert [source.describe(i).part for i in split(source, Split(), 0).validation] == ["validation"] * 2
    for other in ("val.csv", "validation.csv"):
        (tmp_path / other).write_text("\n".join([rows[0], *rows[7:]]))
    with pytest.raises(ValueError, match=r"holds val\.csv and validation\.csv, which are one part; delete one"):
        len(SpeechFolder(**config))


def test_a_label_file_chooses_what_is_predicted(config, tmp_path):
    file = tmp_path / "labels.txt"
    source = SpeechFolder(**config, label_file=str(file))
    assert source.values(0) == {"age": 50, "dysarthria": 0, "rating": 2.5}  # the age is known, and not predicted
    assert source.label_groups == (("dysarthria",), ("rating",))
    file.write_bytes(b"\xef\xbb\xbfage, dysarthria\r\n\r\nrating\r\n")  # one classifier answers two
    assert SpeechFolder(**config, label_file="labels.txt").label_groups == (("age", "dysarthria"), ("rating",))


@pytest.mark.parametrize(
    ("text", "fields", "says"),
    [
        ("rating\ndysartria\n", {}, r"train\.csv has no column 'dysartria', which .*labels\.txt lists.*'dysarthria'\?"),
        ("\n", {}, r"labels\.txt lists no labels"),
        ("rating\nrating", {}, r"labels\.txt lists 'rating' twice"),
        ("../x", {}, r"labels\.txt: '\.\./x' is no name of a label"),
        ("rating", {"positive_above": {"ratin": 1}}, r"positive_above: 'ratin' is not in .*did you mean 'rating'"),
        ("rating", {"derived": {"old": '"aeg" > 50'}}, r"no column 'aeg', which derived label 'old' names.*'age'\?"),
        ("rating", {"derived": {"age": '"rating" > 1'}}, r"has a column 'age' already, which `derived` would make"),
        ("uid", {"positive_above": 1}, r"no column 'uid', which .*labels\.txt lists"),
    ],
)
def test_what_is_wrong_with_labels_is_named(text, fields, says, config, tmp_path):
    (tmp_path / "labels.txt").write_text(text)
    with pytest.raises(ValueError, match=says):
        len(SpeechFolder(**config, label_file="labels.txt", **fields))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"derived": {"x": '"rating" >'}}, "the formula .* has its end where"),
        ({"derived": {"x": '"x" > 1'}}, "'x' is made of a column of its own name"),
        ({"derived": {"x": "1 > 2"}}, "'x' names no column"),
        ({"derived": {"a/b": '"rating" > 1'}}, "'a/b' is no name of a label"),
        ({"positive_above": 1}, "positive_above: is for the labels of a `label_file`"),
        ({"unknown": [-1]}, "unknown: is for labels; name them"),
        ({"study": "../other"}, r"id '\.\./other' may hold"),
    ],
)
def test_what_cannot_be_meant_of_labels_is_refused_unread(fields, says, config):
    with pytest.raises(ValueError, match=says):
        SpeechFolder(**config, **fields)


def test_a_word_among_codes_leaves_the_rest_of_a_column_numbers(config, tmp_path):
    lines = (tmp_path / "train.csv").read_text().splitlines()
    cells = ["-1", "1", "refused", "2.5", "6.0", "", "3", "Refused"]
    rows = [f"{line},{own}" for line, own in zip(lines[1:], cells, strict=True)]
    (tmp_path / "train.csv").write_text("\n".join([f"{lines[0]},hoarse", *rows]))
    (tmp_path / "test.csv").unlink()
    (tmp_path / "labels.txt").write_text("hoarse\n")
    for above, expected in ((None, [1, 2.5, 3]), (2, [0, 1, 1])):
        words = SpeechFolder(
            **config, label_file="labels.txt", unknown=(-1, 6, "refused", "Refused"), positive_above=above
        )
        told = [words.values(i).get("hoarse") for i in range(8)]
        assert [v for v in told if v is not None] == expected
        assert [i for i, v in enumerate(told) if v is None] == [0, 2, 4, 5, 7]


def test_codes_are_unknown_thresholds_make_labels_and_labels_are_made_of_ratings(config, tmp_path):
    lines = (tmp_path / "train.csv").read_text().splitlines()
    cells = ["1,3", "6,0", "-1,0", "0,0", ",2", "2,", "6,6", "0,1"]  # consonants and vowels, 0 to 5
    rows = [f"{line},{own}" for line, own in zip(lines[1:], cells, strict=True)]
    (tmp_path / "train.csv").write_text("\n".join([f"{lines[0]},distorted Cs,distorted V", *rows]))
    (tmp_path / "test.csv").unlink()
    (tmp_path / "labels.txt").write_text("distorted Cs\ndistortions\n")
    source = SpeechFolder(
        **config,
        label_file="labels.txt",
        derived={"distortions": 'any_above(["distorted Cs", "distorted V"], 0)'},
        unknown=(-1, 6),
        positive_above=1,
    )
    assert source.label_groups == (("distorted Cs",), ("distortions",))
    told = [source.values(i) for i in range(8)]
    assert [v.get("distorted Cs") for v in told] == [0, None, None, 0, None, 1, None, 0]
    assert [v.get("distortions") for v in told] == [1, None, None, 0, 1, 1, None, 1]
    assert [v.get("distorted V") for v in told] == [3, 0, 0, 0, 2, None, None, 1]  # as it is, but for the codes


def test_parts_are_alike_in_the_labels_that_are_listed(config, tmp_path):
    rows = [f"u{i},s{i // 2},{int(i // 2 < 8)},{i % 7 + 0.5}" for i in range(80)]  # 8 of 40 speakers
    (tmp_path / "all.csv").write_text("\n".join(["uid,subject,hoarse,rating", *rows]))
    (tmp_path / "recordings").rename(tmp_path / "sounds")
    (tmp_path / "labels.txt").write_text("hoarse\nrating\n")  # a rating has no shares
    fields = {**config, "splits": str(tmp_path / "all.csv"), "label_file": "labels.txt", "folder": "sounds"}
    source = SpeechFolder(**fields)

    def hoarse(stratify, seed):
        parts = split(source, Split(ratios=(0.5, 0.25, 0.25), stratify=stratify), seed)
        return [sum(source.values(i)["hoarse"] for i in own) for own in (parts.train, parts.validation, parts.test)]

    assert [hoarse(None, seed) for seed in range(5)] == [[8, 4, 4]] * 5
    assert [hoarse(("hoarse",), seed) for seed in range(5)] == [[8, 4, 4]] * 5
    assert [hoarse((), seed) for seed in range(5)] != [[8, 4, 4]] * 5


def test_a_study_is_a_folder_below_the_root(config, tmp_path):
    study = tmp_path / "study A"
    study.mkdir()
    for name in ("recordings", "train.csv", "test.csv", "labels.txt"):
        (tmp_path / name).rename(study / name)
    source = SpeechFolder(**config, study="study A", label_file="labels.txt")
    assert source[0].waveform.any() and source.label_groups and source.place.endswith("study A")


def test_tables_may_be_elsewhere_and_folders_below_the_root(config, tmp_path):
    splits = tmp_path / "elsewhere"
    splits.mkdir()
    for name in ("train.csv", "test.csv"):
        (tmp_path / name).rename(splits / name)
    root = str(tmp_path / "recordings")
    source = SpeechFolder(**{**config, "root": root}, folder="", splits=str(splits))
    assert source[11].waveform.any()
    source = SpeechFolder(**{**config, "root": root}, folder="", splits=str(splits / "test.csv"))
    assert [source.describe(i).part for i in range(len(source))] == [None] * 4
    (splits / "test.csv").rename(splits / "Up.CSV")
    assert len(SpeechFolder(**{**config, "root": root}, folder="", splits=str(splits / "Up.CSV"))) == 4
    with pytest.raises(ValueError, match=r"recordings/recordings; clinic-ann-0 is directly below .*write `folder: ''`"):
        len(SpeechFolder(**{**config, "root": root}, splits=str(splits)))
    with pytest.raises(ValueError, match=r"no folder .*utterances; `root` and `folder` name"):
        len(SpeechFolder(**config, folder="utterances", splits=str(splits)))
    with pytest.raises(ValueError, match=r"holds none of train\.csv, val\.csv, validation\.csv, test\.csv"):
        len(SpeechFolder(**config))


@pytest.mark.parametrize("encoding", ["WAV", "FLAC", "OGG", "MP3", "wav"])
def test_the_encoding_names_the_file(encoding, config, tmp_path):
    folder = tmp_path / "recordings" / "clinic-ann-0"
    (folder / "waveform.wav").unlink()
    put_sound(str(folder / f"waveform.{encoding.lower()}"), tone(440, 1, 16000), 16000)
    (folder / "metadata.json").write_text(json.dumps({"encoding": encoding, "sample_rate_hz": 16000}))
    waveform = SpeechFolder(**config)[0].waveform[0]
    peak = np.abs(np.fft.rfft(waveform)).argmax() * 8000 / len(waveform)
    assert peak == pytest.approx(440, abs=2)


@pytest.mark.parametrize("keep", [True, False])
def test_a_wrong_sample_rate_is_said_once_and_the_file_believed(keep, config, tmp_path):
    for take in ("ann-0", "bob-0"):
        file = tmp_path / "recordings" / f"clinic-{take}" / "metadata.json"
        file.write_text(json.dumps({"encoding": "WAV", "sample_rate_hz": 44100}))
    source = SpeechFolder(**config, cache=keep)
    with pytest.warns(AssumptionWarning, match=r"metadata\.json says sample_rate_hz: 44100, but .* has 16000 Hz"):
        assert source[0].waveform.shape == (1, 4000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert source[2].waveform.shape == (1, 4800)


def spoil(folder, how):
    if how == "folder":
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    elif how == "metadata":
        (folder / "metadata.json").unlink()
    elif how == "file":
        (folder / "metadata.json").write_text('{"encoding": "FLAC", "sample_rate_hz": 16000}')
    else:
        (folder / "metadata.json").write_text(how)


@pytest.mark.parametrize("crop", ["start", "onset"])
@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("folder", r"metadata\.json does not exist, though 'clinic-ann-0' is in a table; there is no folder"),
        ("metadata", r"metadata\.json does not exist, though 'clinic-ann-0' is in a table; add it"),
        ("file", r"waveform\.flac does not exist, though .*metadata\.json names.*holds: metadata\.json, waveform\.wav"),
        ('{"encoding": ', r"clinic-ann-0/metadata\.json cannot be read as JSON"),
        ("[]", r"clinic-ann-0/metadata\.json holds no JSON object; it must be one"),
        ("{}", r"clinic-ann-0/metadata\.json: `encoding` must name the type of waveform\.<type>.*not None"),
        ('{"encoding": "../x"}', r"clinic-ann-0/metadata\.json: `encoding` must name"),
    ],
)
def test_what_is_wrong_with_a_recording_is_named(how, says, keep, crop, config, tmp_path):
    spoil(tmp_path / "recordings" / "clinic-ann-0", how)
    source = SpeechFolder(**config, cache=keep, crop=crop)
    assert source.describe(0).id == "clinic-ann-0"
    for read in (lambda: source[0], lambda: source.clip(0, 0, 0)):
        with pytest.raises(ValueError, match=says):
            read()
    assert source[1].waveform.any()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("uid,", "id,", r"train\.csv has no column 'uid'.*id, subject, age.*did you mean 'id'"),
        ("subject,", "person,", r"train\.csv has no column 'subject'"),
        ("clinic-ann-1,", "clinic-ann-0,", "1 ids are not unique: clinic-ann-0"),
        ("clinic-ann-1,", "clinic-eve-0,", "1 ids are not unique: clinic-eve-0"),
        ("clinic-ann-1,", "../ann,", r"train\.csv, column 'uid': id '\.\./ann'"),
        ("clinic-ann-1,ann", "clinic-ann-1,", r"train\.csv: column 'subject' is empty in the row clinic-ann-1"),
        ("clinic-ann-1,ann", ",ann", r"train\.csv: column 'uid' is empty in the row None, ann, 50"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(old, new, says, config, tmp_path):
    table = tmp_path / "train.csv"
    table.write_text(table.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=says):
        len(SpeechFolder(**config))


def test_a_speaker_in_train_and_in_test_is_refused(config, tmp_path):
    table = tmp_path / "test.csv"
    table.write_text(table.read_text().replace(",eve,", ",ann,"))
    with pytest.raises(ValueError, match="subject ann: 1 in all, both in train and in test"):
        split(SpeechFolder(**config), Split(), 0)


def test_listing_looks_into_no_recording(tmp_path, monkeypatch):
    """A hundred thousand utterances in a bucket are listed by a handful of requests."""
    names = [f"u{i:05d}" for i in range(3000)]
    storage.write_text(tmp_path / "train.csv", "uid,subject,x\n" + "\n".join(f"{n},s{n[:3]},1" for n in names))
    (tmp_path / "recordings").mkdir()
    asked = []
    call = storage.call
    monkeypatch.setattr(storage, "call", lambda uri, action: asked.append(uri) or call(uri, action))
    source = SpeechFolder(root=str(tmp_path), sample_rate=8000, duration=1)
    assert [source.describe(i).id for i in range(len(source))] == names
    assert 0 < len(asked) < 10


def test_clips_of_a_long_recording_are_decoded_alone(config, monkeypatch):
    source = SpeechFolder(**config, cache=False, crop="random")
    asked = []
    read = audio.read
    monkeypatch.setattr(audio, "read", lambda *a: asked.append(a[3:]) or read(*a))
    assert source.clip(0, 0, 0).waveform.shape == (1, 2000)
    assert asked[0][1] == 0.25


@pytest.mark.parametrize(("name", "train", "test"), [("digits", (1000, 4), (500, 2)), ("als", (96, 48), (32, 16))])
def test_real_corpora_load(name, train, test, shared_data):
    root = shared_data / name
    source = SpeechFolder(root=str(root), label_file=str(root / "labels.txt"), sample_rate=8000, duration=1.0)
    assert len(source) == train[0] + test[0]
    labels = {label for group in source.label_groups for label in group}
    parts = split(source, Split(), 0)
    speakers = [{source.describe(i).groups["subject"] for i in p} for p in (parts.train, parts.validation, parts.test)]
    assert len(parts.train) + len(parts.validation) == train[0] and len(speakers[0] | speakers[1]) == train[1]
    assert len(parts.test) == test[0] and len(speakers[2]) == test[1]
    for part in folds(source, Split(folds=3, stratify=tuple(labels)[:2]), 0):
        assert len(part.test) == pytest.approx(len(source) / 3, rel=0.2)
    for i in range(0, len(source), len(source) // 20):
        clip = source.clip(i, 0, 0)
        assert clip.waveform.shape[1] <= 8000 and np.isfinite(clip.waveform).all() and clip.waveform.any()
        assert all(value in (0, 1) for name, value in clip.values.items() if name in labels) and labels
