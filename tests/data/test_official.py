"""The names of published datasets are configurations in one word, which make their like."""

import json
from pathlib import Path

import jsonschema
import pytest
from pydantic import TypeAdapter

from tympan.data import Source, official
from tympan.data.datasets import Dataset
from tympan.data.synthesizers import Synthesizer
from tympan.runs.configuration import load, load_source

CIRCULAR, RECTANGULAR = "5000-circular-drums-of-varying-size", "5000-rectangular-drums-of-varying-dimension"
POLYGONAL = "2000-convex-polygonal-drums-of-varying-size"
EVERY = pytest.mark.parametrize("name", list(official.files()))


@EVERY
def test_a_name_is_a_source_of_its_size(name: str) -> None:
    source = Source.model_validate(name)
    assert isinstance(source, Synthesizer)
    assert len(source) == int(name.split("-")[0])
    assert (source.sample_rate, source.audio.duration) == (48000, 1.0)
    assert len({source.groups(i)["drum"] for i in range(10)}) == 2
    assert Source.model_validate_json(source.model_dump_json()) == source
    assert load_source(name) == source


def test_the_names_are_those_published() -> None:
    assert set(official.files()) == {POLYGONAL, CIRCULAR, RECTANGULAR}
    assert all(official.summaries().values())


@pytest.mark.parametrize(
    ("name", "value", "low", "high"),
    [
        (CIRCULAR, "diameter", 0.1, 2.0),
        (RECTANGULAR, "mean_side", 0.1, 2.0),
        (RECTANGULAR, "aspect_ratio", 1.0, 4.0),
    ],
)
def test_what_is_drawn_is_drawn_as_there(name: str, value: str, low: float, high: float) -> None:
    source = Source.model_validate(name)
    drawn = [source.values(i) for i in range(0, 5000, 25)]
    found = [v[value] for v in drawn]
    assert low <= min(found) < low + 0.1 * (high - low)
    assert high - 0.1 * (high - low) < max(found) <= high
    assert all((v["tension"], v["density"], v["decay_time"]) == (2000, 0.2, 2.0) for v in drawn)


def test_polygons_have_three_to_ten_corners() -> None:
    source = Source.model_validate({"type": POLYGONAL, "size": 30})
    assert {len(source.values(i)["vertices"]) for i in range(0, 30, 5)} <= set(range(3, 11))
    assert all(0.1 <= source.values(i)["mean_side"] <= 0.3 for i in range(0, 30, 5))


def test_the_published_pitches_are_an_override_away() -> None:
    ours, theirs = (load_source(CIRCULAR, ["data.size=1", f"data.convention={c}"]) for c in ("physical", "upstream"))
    assert theirs.values(0)["f0"] == pytest.approx(3.14159265 * ours.values(0)["f0"])


def test_fields_that_are_given_count_more() -> None:
    source = Source.model_validate({"type": CIRCULAR, "size": 7, "diameter": 0.3})
    assert (source.type, len(source), source.values(0)["diameter"]) == ("circular_membrane", 7, 0.3)
    assert len(load_source(CIRCULAR, ["data.size=9", "data.duration=0.5"])) == 9
    with pytest.raises(ValueError, match="sise"):
        Source.model_validate({"type": CIRCULAR, "sise": 7})


def test_a_run_may_name_it(tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text(
        f"data: {CIRCULAR}\nfeatures: mel\nmodel: cnn\ntarget: {{type: continuous, quantities: {{diameter: m}}}}\n"
    )
    assert load(config).data == Source.model_validate(CIRCULAR)
    assert len(load(config, ["data.size=20"]).data) == 20
    config.write_text(config.read_text().replace(CIRCULAR, f"{{type: {CIRCULAR}, diametre: 3}}"))
    with pytest.raises(ValueError, match=r"data\.diametre: unknown field; .*did you mean 'diameter'"):
        load(config)


def test_a_file_of_that_name_in_the_working_folder_counts_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(CIRCULAR).write_text("data: {type: tone, size: 3}\n")
    assert load_source(CIRCULAR).type == "tone"


def test_a_name_that_is_nearly_one_is_told() -> None:
    near = "5000-circular-drum-of-varying-size"
    with pytest.raises(ValueError, match=f"cannot be read: .*did you mean '{CIRCULAR}'"):
        load_source(near)
    with pytest.raises(ValueError, match=f"unknown source '{near}'; .*did you mean '{CIRCULAR}'"):
        Source.model_validate({"type": near})
    with pytest.raises(ValueError, match=r"unknown source .*; one of: hku956"):
        Dataset.model_validate(CIRCULAR)


def test_the_schema_takes_the_names() -> None:
    schema = TypeAdapter(Source).json_schema()
    for good in (CIRCULAR, {"type": CIRCULAR}, {"type": CIRCULAR, "size": 3}):
        jsonschema.validate(good, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"type": "5000-circular"}, schema)
    assert CIRCULAR in json.dumps(schema)
