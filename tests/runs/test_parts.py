"""What is told of the parts of a run's data is what they hold."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpora import speech_folder
from runs_helpers import write
from tympan.objectives.targets.categorical import Categorical
from tympan.runs import parts
from tympan.runs.check import check
from tympan.runs.configuration import load
from tympan.runs.prepare import Prepared, prepare


def prepared_of(tmp_path: Path, **sections: Any) -> Prepared:
    run = load(write(tmp_path / "run.yaml", **sections))
    return prepare(run, run.divide()[0])


def test_quantities_are_told_by_range_and_unit_and_counted_in_the_same_bins(tmp_path: Path) -> None:
    prepared = prepared_of(tmp_path)
    told = parts.describe(prepared)
    assert list(told) == ["train", "validation", "test"]
    for name, own in told.items():
        indices = getattr(prepared.parts, name)
        truth = np.array([prepared.source.values(i)["diameter"] for i in indices])
        assert own["recordings"] == len(indices)
        assert own["seconds"] == pytest.approx(0.1 * len(indices))
        assert own["known"]["diameter"].startswith(f"{truth.min():.4g} to {truth.max():.4g} m, mean ")
        spread = own["spread"]["diameter"]
        first, *inner, last = spread["edges"]
        wide = [first - 1e-6, *inner, last + 1e-6]  # the run's truth is float32
        assert spread["counts"] == np.histogram(truth, wide)[0].tolist()
        assert sum(spread["counts"]) == len(truth)
        assert spread["edges"] == told["train"]["spread"]["diameter"]["edges"]
    assert sum(own["groups"] for own in told.values()) == 12


def test_labels_are_counted_and_unknown_ones_are_said(tmp_path: Path) -> None:
    corpus = speech_folder.fabricate(str(tmp_path / "corpus"))
    target = {"type": "binary", "labels": ["dysarthria"]}
    sections = {"data": {"type": "speech_folder", **corpus}, "split": {"validation": "none"}, "target": target}
    told = parts.describe(prepared_of(tmp_path, **sections))
    assert told["train"]["known"] == {"dysarthria": "4 positive, 4 negative"}
    assert told["test"]["groups"] == 2 and told["test"]["spread"]["dysarthria"]["counts"] == [2, 2]
    counted = {"recordings": 8, "groups": 4, "positive": 4, "positive_groups": 2, "unknown": 0}
    assert told["train"]["labels"] == {"dysarthria": counted}
    assert told["validation"].pop("labels") == {"dysarthria": dict.fromkeys(counted, 0)}
    assert told["validation"] == {"recordings": 0, "groups": 0, "seconds": 0, "known": {"dysarthria": "nothing known"},
                                  "spread": {"dysarthria": {"space": "binary", "unit": "", "counts": [0, 0],
                                                            "names": ["absent", "present"]}}}  # fmt: skip
    sections["target"] = {"type": "continuous", "quantities": {"rating": ""}}
    assert parts.describe(prepared_of(tmp_path, **sections))["train"]["known"]["rating"].endswith(", 4 unknown")


def test_classes_are_counted_by_name_while_they_are_few(tmp_path: Path) -> None:
    corpus = speech_folder.fabricate(str(tmp_path / "corpus"))
    data = {"type": "speech_folder", **corpus}
    target = {"type": "categorical", "column": "dysarthria"}
    told = parts.describe(prepared_of(tmp_path, data=data, split={"validation": "none"}, target=target))
    assert told["train"]["known"] == {"dysarthria": "0 4, 1 4"}
    assert told["train"]["spread"]["dysarthria"]["names"] == ["0", "1"]


def test_many_classes_are_told_by_their_number_and_sizes() -> None:
    target = Categorical(column="digit", classes=tuple("0123456789"))
    each = np.arange(10.0).repeat(3)
    assert parts._words(target, "digit", each, 0) == "10 classes, 3 of each"
    assert parts._words(target, "digit", each[:-1], 2) == "10 classes, 2 to 3 of each, 2 unknown"


def test_of_a_target_with_a_rate_frames_are_counted(tmp_path: Path) -> None:
    data = {"type": "user_parts.envelope", "size": 20, "sample_rate": 8000, "duration": 2.0}
    told = parts.describe(
        prepared_of(tmp_path, data=data, target={"type": "continuous", "quantities": {"level": "V"}, "rate": 4.0})
    )
    assert sum(told["train"]["spread"]["level"]["counts"]) == 8 * told["train"]["recordings"]
    assert " unknown" not in told["train"]["known"]["level"]


def test_a_check_tells_the_same(tmp_path: Path) -> None:
    prepared = prepared_of(tmp_path)
    found, told = check(prepared.run), parts.describe(prepared)
    assert found.outputs == {"diameter": {part: own["known"]["diameter"] for part, own in told.items()}}
    assert found.parts == {part: {key: own[key] for key in ("recordings", "groups")} for part, own in told.items()}


def test_a_check_counts_what_is_usable_alone(tmp_path: Path) -> None:
    corpus = speech_folder.fabricate(str(tmp_path / "corpus"))
    (tmp_path / "corpus" / "recordings" / "clinic-bob-0" / "waveform.wav").write_bytes(b"")
    target = {"type": "binary", "labels": ["dysarthria"]}
    config = write(
        tmp_path / "run.yaml", data={"type": "speech_folder", **corpus}, split={"validation": "none"}, target=target
    )
    found = check(load(config))
    assert list(found.refused) == ["clinic-bob-0"]
    assert found.parts["train"] == {"recordings": 7, "groups": 4}
    assert found.outputs["dysarthria"]["train"] == "3 positive, 4 negative"
