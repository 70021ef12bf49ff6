"""What `tympan check` says of corpora: what they leave out and why, what is odd, signals as long as their sound."""

import re
import warnings
from io import StringIO

import pytest
import soundfile
from rich.console import Console
from typer.testing import CliRunner

from corpora import hku956, pmemo2019, speech_folder, voice
from runs_helpers import write
from tympan.cli import app
from tympan.component import AssumptionWarning
from tympan.data.split import Split
from tympan.runs.check import check, show
from tympan.runs.configuration import load
from tympan.runs.parts import LabelCount

EDA = {"type": "continuous", "quantities": {"eda": "z"}, "rate": 4}
FEATURES = {"type": "mel", "n_mels": 4, "window": 0.128, "hop": 0.05}


def run(tmp_path, corpus, name, **fields):
    """A run on a fabricated corpus with every fault."""
    root = str(tmp_path / "corpus")
    data = {"type": name, **corpus.fabricate(root), **fields}
    corpus.spoil(root)
    return write(tmp_path / "run.yaml", data=data, target=EDA, features=FEATURES)


def _text(found):
    file = StringIO()
    show(found, Console(width=250, file=file))
    return file.getvalue()


def test_what_a_corpus_leaves_out_is_listed_with_its_share_and_no_failure(tmp_path):
    file = run(tmp_path, hku956, "hku956")
    with warnings.catch_warnings():
        warnings.simplefilter("error", AssumptionWarning)  # what is told below is not warned of too
        warnings.filterwarnings("ignore", r".*commas were taken as decimal ones; write points", AssumptionWarning)
        found = check(load(file))
    assert found.sound and found.recordings == 17 and len(found.left_out) == 9
    text = _text(found)
    assert "17 of 17 recordings are usable" in text and "left out" in text and "not usable" not in text
    assert "less than 80% of the signal is valid: eda 0.0% valid (no change for more than 5 s (electrode off)" in text
    assert "note: signals are more than 1 s longer or shorter than play_duration" in text
    assert any(
        "1 recordings have sound more than 1 s longer or shorter than a signal: hku1999_10_262957 (sound 8 s, eda 16 s)"
        in remark
        for remark in found.remarks
    )


def test_a_corpus_without_sound_is_checked_by_its_values(tmp_path):
    file = run(tmp_path, hku956, "hku956", modalities=["eda"])
    found = check(load(file))
    assert found.sound and found.seconds == 0 and found.recordings == 18  # the song that is not there is not missed
    assert "18 of 18 recordings are usable, no sound" in _text(found)
    assert "z, mean" in found.outputs["eda"]["train"]


@pytest.mark.filterwarnings("ignore::tympan.component.AssumptionWarning")
def test_unusable_sound_is_still_a_failure(tmp_path):
    file = run(tmp_path, pmemo2019, "pmemo2019")
    result = CliRunner().invoke(app, ["check", str(file)])
    assert result.exit_code == 1
    assert "broken_100083" in result.output and "note: " in result.output and "996 = 997" in result.output


@pytest.fixture
def clinic(tmp_path):
    """A clinic in which one sound is under two ids, encoded anew: a run on it, and the two recordings."""
    data = {"type": "speech_folder", **speech_folder.fabricate(str(tmp_path / "clinic"))}
    features = {"type": "mel", "n_mels": 8, "window": 0.064, "hop": 0.02}
    file = write(
        tmp_path / "run.yaml", data=data, target={"type": "binary", "labels": ["dysarthria"]}, features=features
    )
    sound = voice(3)
    for uid, samples in (("bob-0", sound), ("eve-0", 0.5 * sound[300:])):
        soundfile.write(tmp_path / "clinic" / "recordings" / f"clinic-{uid}" / "waveform.wav", samples, 16000)
    return load(file)


def test_recordings_and_speakers_are_counted_by_label_and_a_sound_under_two_ids_is_refused(clinic):
    found = check(clinic)
    assert found.labels["dysarthria"]["test"] == LabelCount(3, 2, 2, 1, 0)
    assert list(found.refused) == ["clinic-eve-0"] and not found.sound
    assert "sounds like a copy (encoded anew, or cut) of clinic-bob-0, in test and in train" in _text(found)
    assert "groups with one" in _text(found)


def test_the_parts_of_one_sound_under_two_ids_are_those_that_were_drawn(clinic):
    clinic = clinic.model_copy(update={"split": Split(folds=6, validation="none")})
    assert re.search(r"of clinic-bob-0, in fold \d and in fold \d; take", check(clinic).refused["clinic-eve-0"])


def test_a_listed_label_that_is_nowhere_known_is_refused_by_name(tmp_path):
    data = {"type": "speech_folder", **speech_folder.fabricate(str(tmp_path / "clinic")), "label_file": "labels.txt"}
    for part in ("train", "test"):
        file = tmp_path / "clinic" / f"{part}.csv"
        header, *rows = file.read_text().splitlines()
        file.write_text("\n".join([f"{header},slow", *(f"{row}," for row in rows)]))
    (tmp_path / "clinic" / "labels.txt").write_text("dysarthria\nslow\n")
    features = {"type": "mel", "n_mels": 8, "window": 0.064, "hop": 0.02}
    run = load(write(tmp_path / "run.yaml", data=data, target={"type": "binary"}, features=features))
    with pytest.raises(ValueError, match="label 'slow' is unknown in every training example; check its name, or leave"):
        check(run)


def test_labels_that_are_not_named_are_those_of_the_label_file_and_the_rest_is_known(tmp_path):
    data = {"type": "speech_folder", **speech_folder.fabricate(str(tmp_path / "clinic")), "label_file": "labels.txt"}
    (tmp_path / "clinic" / "labels.txt").write_text("dysarthria, mild\nfluent\n")
    data["derived"] = {"mild": '"rating" < 4', "fluent": 'not "dysarthria" and "age" > 0'}
    features = {"type": "mel", "n_mels": 8, "window": 0.064, "hop": 0.02}
    found = check(load(write(tmp_path / "run.yaml", data=data, target={"type": "binary"}, features=features)))
    assert list(found.labels) == ["dysarthria", "mild", "fluent"]
    assert found.labels["mild"]["test"] == LabelCount(2, 2, 2, 2, 2)  # a rating that is missing makes no label
