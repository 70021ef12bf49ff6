"""A Run -> YAML with every field written out, and lengths of time told both ways."""

import io
from typing import Any

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import RoundTripRepresenter

from ..signals import is_length, samples, seconds
from .run import Run


def dump(run: Run) -> str:
    """The resolved configuration as YAML, every field written out; a length has the other way to say it beside it."""
    own = getattr(run.features, "sample_rate", None)
    whole = _mapping(run.model_dump(mode="json"))
    if run.split.validation == "none":
        whole["training"]["early_stopping"] = False  # which is refused when it is written out
    for name, section in (("data", run.data), ("features", run.features)):
        _tell(whole[name], section, float(own or run.data.sample_rate if name == "features" else run.data.sample_rate))
    out = io.StringIO()
    yaml = YAML()
    yaml.width = 120
    yaml.Representer = _WithNull
    yaml.dump(whole, out)
    return out.getvalue()


class _WithNull(RoundTripRepresenter):
    """Writes `null` out, where ruamel leaves a gap."""

    def represent_none(self, data: Any) -> ScalarNode:
        """The node of what is nothing."""
        return self.represent_scalar("tag:yaml.org,2002:null", "null")


_WithNull.add_representer(type(None), _WithNull.represent_none)


def _mapping(values: dict[str, Any]) -> CommentedMap:
    return CommentedMap({name: _node(value) for name, value in values.items()})


def _node(value: Any) -> Any:
    if isinstance(value, dict):
        return _mapping(value)
    if isinstance(value, list):
        items = CommentedSeq(_node(item) for item in value)
        if not any(isinstance(item, CommentedMap) for item in items):
            items.fa.set_flow_style()
        return items
    return value


def _tell(node: CommentedMap, section: BaseModel, rate: float) -> None:
    for name, field in type(section).model_fields.items():
        length = getattr(section, name)
        if is_length(field) and length is not None:
            other = f"{seconds(length, rate):g} s" if isinstance(length, str) else f"{samples(length, rate)} samples"
            node.yaml_add_eol_comment(f"{other} at {rate:g} Hz", name)
