"""The worst answers can be heard, seen and read; they are the worst of all trainings, and leave no trace when off."""

import base64
import html
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from conftest import enrich, worst
from tympan.reports import examples, page
from tympan.reports.plots import sound

Invented = Callable[..., Path]
KINDS = [("real", ()), ("binary", ()), ("class", ()), ("class", ("fold-0", "fold-1"))]


def text_of(page: Path) -> str:
    """What a reader sees."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8"))).split())


@pytest.mark.parametrize(("space", "members"), KINDS, ids=["real", "binary", "class", "folds"])
def test_a_whole_run_has_a_whole_page(invented: Invented, space: str, members: tuple[str, ...]) -> None:
    folder = invented(space, members)
    enrich(folder, space)
    written = page.write(folder)
    text, raw = text_of(written), written.read_text(encoding="utf-8")
    for words in (
        "prepare 3.1 s, train 2 min 5 s, evaluate 1 min 1 s",
        "1 h 2 min",
        "4,210",
        "some, 7 unknown",
        "the first 0.5 of 30 s",
        "logging.worst_examples: 0",
        "Worst for ",
        "2nd worst for ",
        "on the training and the validation part",
        f"Worst answers on the {'out-of-fold' if members else 'test'} part",
    ):
        assert words in text, words
    assert ("step 320, is the checkpoint that was exported" in text) == (not members)
    assert "person-" not in raw, "groups are named nowhere"
    ids = re.findall(r' id="([^"]+)"', raw)
    assert len(ids) == len(set(ids)), "an id is there twice"
    links = re.findall(r'<a href="([^"]+)"', raw)
    assert links and all((folder / "report" / link).is_file() for link in links), "a link leads nowhere"
    made = {p.name for p in (folder / "report").glob("*.csv")}
    assert made <= set(links)
    assert {"real": "data-diameter.csv", "binary": "data-labels.csv", "class": "data-word.csv"}[space] in made


def test_what_is_played_is_what_was_kept(invented: Invented) -> None:
    folder = invented("class")
    enrich(folder, "class")
    raw = page.write(folder).read_text(encoding="utf-8")
    played = re.findall(r'<audio [^>]*src="data:audio/flac;base64,([^"]+)"', raw)
    assert len(played) == 2
    for number, encoded in enumerate(played, 1):
        heard, rate = soundfile.read(io.BytesIO(base64.b64decode(encoded)), dtype="int16")
        kept, _ = soundfile.read(folder / "worst" / f"{number}.wav", dtype="int16")
        assert rate == 8000 and np.array_equal(heard, kept)


def test_without_worst_answers_there_is_no_sound_and_no_name(invented: Invented) -> None:
    folder = invented("class")
    enrich(folder, "class")
    page.write(folder)
    shutil.rmtree(folder / "worst")
    raw = page.write(folder).read_text(encoding="utf-8")
    assert "<audio" not in raw and "secret-" not in raw and "Worst answers" not in raw


def test_truth_and_answer_are_told_in_words_and_units() -> None:
    base = {"time": [None], "unit": "", "known": 1, "truth_label": [None], "label": [None]}
    size = {
        "output": "diameter",
        "space": "real",
        "unit": "m",
        "truth": [0.312],
        "prediction": [0.2014],
        "error": 0.1106,
    }
    assert examples._words(base | size) == "diameter: true 0.3120 m, answered 0.2014 m, 0.1106 m too low"
    zero = {"output": "offset", "space": "real", "truth": [0.0], "prediction": [1.5], "error": 1.5}
    assert examples._words(base | zero) == "offset: true 0.000, answered 1.500, 1.500 too high"
    yes = {"output": "breathy", "space": "binary", "truth": [1.0], "prediction": [0.02], "error": 0.98}
    assert examples._words(base | yes) == "breathy: truly present, answered with a probability of 0.020"
    word = {"output": "word", "space": "class", "truth": [2.0], "prediction": [0.0], "error": 0.75}
    word |= {"truth_label": ["two"], "label": ["zero"], "probability": [0.5]}
    said = "word: truly two, which was given 0.250; answered zero with a probability of 0.500"
    assert examples._words(base | word) == said
    frames = {"output": "eda", "space": "real", "unit": "µS", "time": [0.0, 0.25], "error": 0.12345, "known": 2}
    assert examples._words(base | frames) == "eda: off by 0.1235 µS on average over 2 known frames"


def test_the_worst_of_several_trainings_are_shown_once_each(tmp_path: Path) -> None:
    members = [tmp_path / "seed-1", tmp_path / "seed-2"]
    for number, member in enumerate(members):
        member.mkdir()
        worst(member / "worst", "class", "test", 2, offset=0.01 * number)
    found = examples.collect(tmp_path, members)
    assert [one.title for one in found.examples] == ["Worst for word", "2nd worst for word"]
    assert all(one.file.startswith("../seed-2/") for one in found.examples), "the seed that was further off counts"
    assert found.part == "test"
    assert examples.collect(tmp_path, [tmp_path]).examples == []


def test_a_page_with_many_outputs_stays_small_and_takes_the_worst_of_each_first(tmp_path: Path) -> None:
    worst(tmp_path / "worst", "class", "test", 2)
    told = json.loads((tmp_path / "worst" / "worst.json").read_text())
    answers, sounds = [], {}
    for output in range(30):
        for rank in (1, 2):
            sounds |= {"1.wav": told["sounds"]["1.wav"]}
            name = f"{output}-{rank}.wav"
            shutil.copy(tmp_path / "worst" / "1.wav", tmp_path / "worst" / name)
            sounds[name] = {"id": name, "start": 0.0, "seconds": 0.5}
            answers.append(told["answers"][0] | {"output": f"o{output}", "rank": rank, "sound": name})
    (tmp_path / "worst" / "worst.json").write_text(json.dumps({"part": "test", "sounds": sounds, "answers": answers}))
    found = examples.collect(tmp_path, [tmp_path])
    assert len(found.examples) == 24 and found.left_out == 36
    assert all(one.title.startswith("Worst for") for one in found.examples)


def test_a_sound_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    worst(tmp_path / "worst", "class", "test", 1)
    (tmp_path / "worst" / "1.wav").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match=r"1\.wav: cannot be read .*evaluate the run again"):
        examples.collect(tmp_path, [tmp_path])


@pytest.mark.parametrize("rate", [8000, 48000])
@pytest.mark.parametrize("seconds", [0.05, 4.0])
def test_a_tone_is_where_it_sounds_in_a_spectrogram(rate: int, seconds: float) -> None:
    t = np.arange(round(rate * seconds)) / rate
    level, hop, begin, bins = sound.levels(np.where(t < seconds / 2, 0.0, np.sin(2 * np.pi * 1500 * t)), rate)
    loudest = np.unravel_index(level.argmax(), level.shape)
    assert abs(loudest[0] * bins - 1500) <= bins
    assert begin + loudest[1] * hop >= seconds / 2
    assert level[:, round((0.25 * seconds - begin) / hop)].max() == sound.FLOOR, "silence before it"
    assert level.max() == 0 and level.shape[1] <= 560


@pytest.mark.parametrize("waveform", [np.zeros(1), np.zeros(8000), np.ones(3)], ids=["a sample", "silence", "short"])
def test_every_sound_has_a_picture(waveform: np.ndarray) -> None:
    assert "<svg" in sound.spectrogram("x", waveform, 8000).svg


def test_an_answer_with_a_rate_is_drawn_over_time_and_unknown_frames_are_gaps() -> None:
    answer = {"output": "eda", "unit": "µS", "space": "real", "time": [0.0, 0.25, 0.5], "truth": [1.0, None, 2.0]}
    answer |= {"prediction": [1.1, 1.2, None], "truth_label": [None] * 3, "label": [None] * 3}
    drawn = sound.course("worst-1", answer)
    assert drawn and drawn.table == {key: answer[key] for key in ("time", "truth", "prediction")}
    assert "2 known of 3 frames" in drawn.alt and "eda (µS)" in drawn.svg
    vowel = {"output": "vowel", "unit": "", "space": "class", "time": [0.0, 0.1], "truth": [None, 1.0]}
    vowel |= {"prediction": [0.0, 1.0], "truth_label": [None, "e"], "label": ["a", "e"]}
    drawn = sound.course("worst-1", vowel)
    assert drawn and drawn.table["label"] == ["a", "e"] and ">e</text>" in drawn.svg
    assert sound.course("worst-1", answer | {"time": [None]}) is None
