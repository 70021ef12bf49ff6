"""What holds for every component of every kind."""

import inspect
import json
from typing import Any

import pytest
from pydantic import BaseModel, SerializeAsAny, TypeAdapter, ValidationError

from tympan.component import Component, trusted
from tympan.data import Source
from tympan.data.augmentations import Augmentation
from tympan.data.datasets import Dataset
from tympan.data.synthesizers import Synthesizer
from tympan.features import Feature
from tympan.models import Model
from tympan.objectives import Loss, Metric, Target

KINDS: list[type[Component]] = [Dataset, Synthesizer, Augmentation, Feature, Model, Target, Loss, Metric]
EVERY = [(kind, name) for kind in KINDS for name in kind.names()]
# The least that a component without defaults needs.
NEEDED: dict[str, dict[str, Any]] = {
    "speech_folder": {"root": "x", "sample_rate": 8000, "duration": 1.0},
    "manifest": {"path": "x.csv", "sample_rate": 8000, "duration": 1.0},
    "recorded": {"root": "x", "sample_rate": 8000, "duration": 1.0},
    "obtained": {"root": "x", "sample_rate": 8000, "duration": 1.0, "otherwise": {"type": "tone"}},
    "hku956": {"root": "x", "sample_rate": 8000, "duration": 1.0},
    "pmemo2019": {"root": "x", "sample_rate": 8000, "duration": 1.0},
    "mixture": {"sample_rate": 8000, "duration": 1.0, "sources": {"a": {"type": "tone"}}},
    "background": {"folder": "x"},
    "impulse_response": {"folder": "x"},
    "continuous": {"quantities": {"diameter": "m"}},
    "categorical": {"column": "digit"},
    "encoder_decoder": {"encoder": {"type": "cnn", "width": 8}, "decoder": {"type": "lstm", "layers": 1}},
    "quantised": {"quantities": {"eda": "µS"}},
}


def make(kind: type[Component], name: str) -> Component:
    return kind.model_validate({"type": name, **NEEDED.get(name, {})})


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_a_file_holds_one_public_choice_of_its_name(kind: type[Component], name: str) -> None:
    found = kind.find(name)
    assert make(kind, name).type == name
    public = [
        c for c in vars(inspect.getmodule(found)).values()
        if inspect.isclass(c) and c.__module__ == found.__module__ and not c.__name__.startswith("_")
    ]  # fmt: skip
    assert public == [found]


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_a_choice_is_frozen_and_refuses_unknown_fields(kind: type[Component], name: str) -> None:
    choice = make(kind, name)
    field = next(iter(type(choice).model_fields), None)
    if field:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(choice, field, getattr(choice, field))
    with pytest.raises(ValidationError, match="layesr"):
        kind.model_validate({"type": name, **NEEDED.get(name, {}), "layesr": 3})


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_a_choice_survives_json(kind: type[Component], name: str) -> None:
    choice = make(kind, name)
    text = choice.model_dump_json()
    assert json.loads(text)["type"] == name
    assert kind.model_validate_json(text) == choice


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_every_field_says_what_it_is(kind: type[Component], name: str) -> None:
    undocumented = [f for f, info in kind.find(name).model_fields.items() if not info.description]
    assert not undocumented


@pytest.mark.parametrize("kind", KINDS)
def test_every_choice_is_summarised_without_being_imported(kind: type[Component]) -> None:
    lines = kind.summaries()
    assert list(lines) == kind.names()
    assert all(lines.values())


class Holder(BaseModel):
    source: SerializeAsAny[Source]
    loss: SerializeAsAny[Loss] | None = None


def test_a_name_alone_is_a_choice_with_its_defaults() -> None:
    assert Holder.model_validate({"source": "tone", "loss": "mse"}).loss == Loss.find("mse")()


def test_a_choice_may_hold_others_of_its_kind() -> None:
    fields = {"type": "encoder_decoder", "encoder": "cnn", "decoder": {"type": "lstm", "width": 3}}
    model = Model.model_validate(fields)
    assert model.model_dump()["decoder"]["width"] == 3
    assert Model.model_validate_json(model.model_dump_json()) == model
    with pytest.raises(ValidationError, match="did you mean 'lstm'"):
        Model.model_validate({**fields, "decoder": "lstn"})
    schema = TypeAdapter(Model).json_schema()
    held = schema["$defs"]["EncoderDecoder"]["properties"]["encoder"]["$ref"].rsplit("/", 1)[1]
    assert schema["$defs"][held]["oneOf"][-1] == {"enum": Model.names()}


def test_a_source_is_a_dataset_or_a_synthesizer() -> None:
    assert isinstance(Holder.model_validate({"source": {"type": "tone"}}).source, Synthesizer)
    assert isinstance(make(Source, "manifest"), Dataset)


def test_mistakes_are_collected_with_their_places() -> None:
    with pytest.raises(ValidationError) as caught:
        Holder.model_validate({"source": {"type": "tone", "sise": 3, "size": -1}, "loss": {"type": "msee"}})
    found = {e["loc"]: e["msg"] for e in caught.value.errors()}
    assert ("source", "sise") in found
    assert ("source", "size") in found
    assert "did you mean 'mse'" in found["loss",]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"sample_rate": 8000}, "needs a `type`"),
        ({"type": "no.such.module"}, "cannot be imported"),
        ({"type": "json.decoder"}, "exactly one public source"),
    ],
)
def test_a_choice_that_cannot_be_found_is_a_value_error(value: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Holder.model_validate({"source": value})


def test_code_outside_tympan_is_refused_where_it_is_not_trusted() -> None:
    token = trusted.set(frozenset({"allowed.one"}))
    try:
        with pytest.raises(ValidationError, match="may not name"):
            Holder.model_validate({"source": {"type": "somebody.drum"}})
        with pytest.raises(ValidationError, match="cannot be imported"):
            Holder.model_validate({"source": {"type": "allowed.one"}})
    finally:
        trusted.reset(token)
