"""One thing that a run predicts: a section of its configuration, and of an artifact's."""

from typing import Any, Literal, get_args

from pydantic import Field, GetJsonSchemaHandler, SerializeAsAny, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from .component import Section
from .head import Head
from .objectives import Loss, Metric, Target

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = get_args(Part)


class Metrics(Section):
    """The figures for people in each part, beside the loss; a bare list is for validation and test."""

    train: tuple[SerializeAsAny[Metric], ...] = ()
    """Computed from the training batches between two lines of the log; by default none."""
    validation: tuple[SerializeAsAny[Metric], ...] | None = None
    """Computed at every validation; by default the target's own."""
    test: tuple[SerializeAsAny[Metric], ...] | None = Field(default=None, min_length=1)
    """Computed once, at the end; by default the target's own."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        by_part = handler(core_schema)
        of_part = handler.resolve_ref_schema(by_part)["properties"]
        every = {"type": "array", "items": {"anyOf": [of_part["train"]["items"], {"const": "loss"}]}}
        for part, fields in of_part.items():
            of_part[part] = {**every, "type": ["array", "null"], "description": fields["description"]}
        return {"anyOf": [by_part, every]}

    @model_validator(mode="before")
    @classmethod
    def _without_loss(cls, value: Any) -> Any:
        """A bare list is for validation and test; `loss` is there in any case, and may be named."""
        if isinstance(value, list | tuple):
            value = {"validation": value, "test": [name for name in value if name != "loss"] or None}
        if not isinstance(value, dict):
            return value
        return {
            part: [name for name in names if name != "loss"] if isinstance(names, list | tuple) else names
            for part, names in value.items()
        }


class Output(Section):
    """One thing that a run predicts."""

    target: SerializeAsAny[Target]
    """The quantity, and how it is encoded."""
    head: Head = Head()
    """How the embedding becomes a prediction."""
    loss: SerializeAsAny[Loss] | None = None
    """How wrong a prediction is; by default the target's own loss."""
    weight: float = Field(default=1.0, gt=0)
    """The weight of this loss in the sum over outputs."""
    metrics: Metrics = Metrics()
    """The figures for people, by part: `{train: […], validation: […], test: […]}`, or a list."""

    @property
    def criterion(self) -> Loss:
        """The loss chosen, or the target's own."""
        return self.loss or Loss.find(self.target.default_loss)()

    def figures(self, part: Part) -> tuple[Metric, ...]:
        """The metrics chosen for a part, or those of the target's own that fit its rate."""
        chosen = getattr(self.metrics, part)
        if chosen is not None:
            return chosen
        target = self.target
        names = target.metrics_over_time if target.rate and target.metrics_over_time else target.default_metrics
        return tuple(m for name in names if not ((m := Metric.find(name)()).once_per_clip and target.rate))
