"""The worst answers are those furthest from the truth, and what is kept of them is what was heard."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from runs_helpers import write
from tympan.data import audio
from tympan.runs import worst
from tympan.runs.configuration import load
from tympan.runs.evaluate import Evaluation
from tympan.runs.prepare import Prepared, prepare
from tympan.runs.said import Said


def prepared_of(tmp_path: Path, **sections: Any) -> Prepared:
    run = load(write(tmp_path / "run.yaml", **sections))
    return prepare(run, run.divide()[0])


def ids(prepared: Prepared, part: str) -> list[str]:
    return [prepared.source.describe(i).id for i in getattr(prepared.parts, part)]


def row(id: str, truth: float | None, prediction: float | list[float], **more: Any) -> Said:
    """What was said of one frame; several numbers are the probabilities of classes."""
    answer = np.array(prediction, float).reshape(-1, 1)
    classes = tuple("xyz"[: len(answer)]) if isinstance(prediction, list) else ()
    what = {"output": "diameter", "space": "class" if classes else "real", "unit": "m", "classes": classes, **more}
    return Said(id=id, group="g", truth=np.array([np.nan if truth is None else truth]), answer=answer, **what)


def evaluation(said: Sequence[Said]) -> Evaluation:
    return Evaluation(predictions=list(said))


def told(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "worst" / "worst.json").read_text(encoding="utf-8"))


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    return prepared_of(tmp_path)


def test_the_worst_of_each_output_are_kept_and_a_sound_only_once(tmp_path: Path, prepared: Prepared) -> None:
    a, b, c, *rest = ids(prepared, "test")
    rows = [row(a, 1.0, 1.1), row(b, 1.0, 0.2), row(c, 1.0, 1.5), *(row(id, 1.0, 1.0) for id in rest)]
    rows += [row(id, 0.0, p, output="pitch", unit="Hz") for id, p in ((a, 3.0), (b, -9.0), (c, 1.0))]
    worst.write(tmp_path, prepared, {"test": evaluation(rows), "validation": evaluation([])}, 2)
    found = told(tmp_path)
    assert found["part"] == "test"
    ranked = [(answer["output"], answer["rank"], found["sounds"][answer["sound"]]["id"]) for answer in found["answers"]]
    assert ranked == [("diameter", 1, b), ("diameter", 2, c), ("pitch", 1, b), ("pitch", 2, a)]
    assert [answer["error"] for answer in found["answers"]] == pytest.approx([0.8, 0.5, 9, 3])
    assert (
        sorted(p.name for p in (tmp_path / "worst").glob("*.wav"))
        == sorted(found["sounds"])
        == ["1.wav", "2.wav", "3.wav"]
    )


def test_a_sound_is_the_clip_that_was_heard(tmp_path: Path, prepared: Prepared) -> None:
    (index, *_) = prepared.parts.test
    worst.write(tmp_path, prepared, {"test": evaluation([row(ids(prepared, "test")[0], 1.0, 2.0)])}, 3)
    kept, rate = soundfile.read(tmp_path / "worst" / "1.wav")
    heard = prepared.source.clip(index, 0, prepared.run.seed).waveform[0]
    assert soundfile.info(tmp_path / "worst" / "1.wav").subtype == "PCM_16"
    assert rate == 16000 and np.abs(kept - heard / max(np.abs(heard).max(), 1)).max() < 1e-4


def test_labels_and_classes_are_judged_by_the_probability_of_the_truth(tmp_path: Path, prepared: Prepared) -> None:
    a, b, c, *_ = ids(prepared, "test")
    yes = [row(id, y, p, space="binary") for id, y, p in ((a, 1.0, 0.4), (b, 0.0, 0.9), (c, None, 1.0))]
    worst.write(tmp_path / "labels", prepared, {"test": evaluation(yes)}, 3)
    found = told(tmp_path / "labels")
    assert [found["sounds"][x["sound"]]["id"] for x in found["answers"]] == [b, a], "the unknown one is left out"
    one = [
        row(id, t, p) for id, t, p in ((a, 0.0, [0.5, 0.3, 0.2]), (b, 2.0, [0.3, 0.4, 0.3]), (c, 1.0, [0.1, 0.2, 0.7]))
    ]
    worst.write(tmp_path / "classes", prepared, {"test": evaluation(one)}, 2)
    found = told(tmp_path / "classes")
    assert [found["sounds"][x["sound"]]["id"] for x in found["answers"]] == [c, b]
    assert [x["error"] for x in found["answers"]] == pytest.approx([0.8, 0.7])
    assert [x["probability"] for x in found["answers"]] == [[0.7], [0.4]]


def test_frames_of_a_recording_are_averaged_and_kept_in_order(tmp_path: Path, prepared: Prepared) -> None:
    a, b, *_ = ids(prepared, "test")
    said = [
        replace(row(id, 1.0, 0.0), truth=np.array(truth), answer=np.array([answer]), rate=2.0)
        for id, truth, answer in ((a, [1.0, np.nan, 1.0], [4.0, 9.0, 2.0]), (b, [1.0, 1.0], [3.5, 1.0]))
    ]
    worst.write(tmp_path, prepared, {"test": evaluation(said)}, 1)
    (answer,) = told(tmp_path)["answers"]
    assert answer["time"] == [0.0, 0.5, 1.0] and answer["truth"] == [1.0, None, 1.0]
    assert answer["prediction"] == [4.0, 9.0, 2.0] and answer["error"] == 2.0 and answer["known"] == 2


def test_without_a_test_part_validation_is_shown(tmp_path: Path, prepared: Prepared) -> None:
    rows = [row(ids(prepared, "validation")[0], 1.0, 2.0)]
    worst.write(tmp_path, prepared, {"validation": evaluation(rows)}, 1)
    assert told(tmp_path)["part"] == "validation"


def test_with_a_count_of_0_nothing_is_written_and_what_was_is_taken_away(tmp_path: Path, prepared: Prepared) -> None:
    found = {"test": evaluation([row(ids(prepared, "test")[0], 1.0, 2.0)])}
    worst.write(tmp_path / "new", prepared, found, 0)
    assert not (tmp_path / "new").exists()
    worst.write(tmp_path / "old", prepared, found, 1)
    worst.write(tmp_path / "old", prepared, found, 0)
    assert list((tmp_path / "old" / "worst").iterdir()) == []


def test_answers_that_are_no_numbers_stop_nothing(tmp_path: Path, prepared: Prepared) -> None:
    a, b, c, *_ = ids(prepared, "test")
    rows = [row(a, 1.0, float("nan")), row(b, None, 3.0), row(c, 1.0, float("inf"))]
    rows += [row(a, 1.0, [float("nan")] * 2, output="word")]
    worst.write(tmp_path, prepared, {"test": evaluation(rows)}, 3)
    worst.write(tmp_path, prepared, {}, 3)
    assert not (tmp_path / "worst").exists()


def test_long_recordings_are_cut_and_their_length_is_told(tmp_path: Path) -> None:
    data = {"type": "tone", "size": 30, "sample_rate": 8000, "duration": 12, "f0": [300, 500]}
    target = {"type": "continuous", "quantities": {"f0": "Hz"}}
    prepared = prepared_of(tmp_path, data=data, target=target)
    (index, *_) = prepared.parts.test
    rows = [row(prepared.source.describe(index).id, 440.0, 441.0, output="f0")]
    worst.write(tmp_path, prepared, {"test": evaluation(rows)}, 1)
    assert audio.info(tmp_path / "worst" / "1.wav").duration == worst.LONGEST
    assert told(tmp_path)["sounds"]["1.wav"]["seconds"] == 12


def test_a_sound_is_mono_or_stereo_and_never_clips() -> None:
    stereo = np.array([[0.5, -0.25], [0.1, 0.2]], np.float32)
    assert np.array_equal(worst._fair(stereo), stereo), "as it is"
    assert np.array_equal(worst._fair(stereo * 4), stereo * 2), "scaled to 1"
    assert worst._fair(np.ones((6, 3), np.float32)).shape == (1, 3)
