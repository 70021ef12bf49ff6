"""A run: everything that a configuration file says, in one frozen object."""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import ConfigDict, Field, SerializeAsAny, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from ..component import Section, assume
from ..data import Description, Example, Source
from ..data.augmentations import Augmentation
from ..data.split import Parts, Split, folds, split
from ..features import Feature
from ..head import Head
from ..models import Model
from ..objectives import PROBABLE, RATES, Loss, Target
from ..output import Metrics, Output
from .conflicts import conflicts
from .hardware import Hardware
from .loader import Loader
from .naip import NaipAudio, expanded
from .rates import named
from .sections import Checkpoint, Judging, Logging, Optimizer, Training


def _features_or_audio(schema: dict[str, Any]) -> None:
    """With `audio`, neither `features` nor the fields of `data` that it stands for are to be written."""
    schema["required"].remove("features")
    data = schema["properties"]["data"]
    schema["properties"]["data"] = {name: data.pop(name) for name in ("description", "title") if name in data}
    schema["anyOf"] = [
        {"required": ["features"], "properties": {"data": data}},
        {"required": ["audio"], "properties": {"audio": {"type": "object"}}},
    ]


class Run(Section):
    """A whole run, from data to report."""

    model_config = ConfigDict(json_schema_extra=_features_or_audio)

    name: str = Field(default="run", pattern=r"^[A-Za-z0-9._-]{1,100}$")
    """The beginning of the run folder's name."""
    seed: int = Field(default=42, ge=0, lt=2**31)
    """Decides weights, order, augmentation, and the split unless that has its own."""
    seeds: tuple[int, ...] = ()
    """Repeat the whole run with each of these seeds and report the mean; by default once with `seed`."""
    data: SerializeAsAny[Source]
    """Where examples come from."""
    split: Split = Split()
    """Which examples train, validate and test."""
    features: SerializeAsAny[Feature]
    """The representation of sound that the model hears."""
    augmentations: tuple[SerializeAsAny[Augmentation], ...] = ()
    """Random changes in training, in this order."""
    model: SerializeAsAny[Model]
    """The backbone."""
    head: Head | None = None
    """From the backbone to the target; for one target."""
    target: SerializeAsAny[Target] | None = None
    """What is predicted; for one target."""
    loss: SerializeAsAny[Loss] | None = None
    """How wrong a prediction is; for one target."""
    metrics: Metrics | None = None
    """The figures for people in each part, `{train: […], validation: […], test: […]}`, or a list; for one target."""
    targets: dict[str, Output] = {}
    """Several things predicted at once, by name, each with its own target, head, loss, weight and metrics."""
    test: bool = True
    """Score the exported model once on the test part, at the end; false leaves that part unheard."""
    audio: NaipAudio | None = None
    """Mayo-timm's audio configuration by its names, instead of `features`, `augmentations` and fields of `data`."""
    judging: Judging = Judging()
    """How labels are judged: by which threshold, and in which subgroups."""
    optimizer: Optimizer = Optimizer()
    """How weights change."""
    training: Training = Training()
    """How long, in what portions, and when to stop."""
    hardware: Hardware = Hardware()
    """What computes, and how exactly."""
    loader: Loader = Loader()
    """How examples are read."""
    logging: Logging = Logging()
    """Where figures go."""
    checkpoint: Checkpoint = Checkpoint()
    """What is kept of the way."""

    @property
    def outputs(self) -> dict[str, Output]:
        """Everything predicted by name; `target`, `head`, `loss`, `metrics` are short for one called `target`."""
        if self.targets:
            return self.targets
        assert self.target is not None, "validated"
        return {
            "target": Output(
                target=self.target, head=self.head or Head(), loss=self.loss, metrics=self.metrics or Metrics()
            ),
        }

    def with_outputs(self, outputs: dict[str, Output]) -> "Run":
        """A copy that predicts these outputs, in the same spelling (one target, or several)."""
        if self.targets:
            return self.model_copy(update={"targets": outputs})
        (one,) = outputs.values()
        return self.model_copy(update={"target": one.target, "loss": one.loss, "head": one.head})

    def tracked(self, otherwise: Literal["offline", "online"] = "offline") -> "Run":
        """A copy that logs to Weights & Biases: as `logging` says, or otherwise so, in a project called tympan."""
        logging = self.logging
        mode = logging.wandb_mode if logging.wandb_mode != "off" else otherwise
        project = logging.wandb_project or "tympan"
        return self.model_copy(update={"logging": logging.model_copy(update={"wandb": mode, "wandb_project": project})})

    def group_of(self, what: Example | Description) -> str:
        """The group that the split keeps whole; an example that has none is its own."""
        kind = self.split.kinds(self.data)[0]
        return what.groups.get(kind, what.id) if kind else what.id

    @property
    def clusters(self) -> tuple[str, ...]:
        """The kinds of groups that intervals of signals draw: the data's, and that which the split keeps whole; where
        there is none, each recording is its own."""
        own = self.split.group
        return tuple(dict.fromkeys((*self.data.clusters, *((own,) if own else ())))) or ("recording",)

    def clusters_of(self, what: Example | Description) -> dict[str, str]:
        """The group of each of these kinds; an example that has none is its own."""
        return {kind: what.groups.get(kind, what.id) for kind in self.clusters}

    def divide(self) -> list[Parts]:
        """The parts of every fold, or of the one split."""
        return (
            folds(self.data, self.split, self.seed) if self.split.folds else [split(self.data, self.split, self.seed)]
        )

    @property
    def judged(self) -> Judging:
        """How labels are judged, with the calibration that `auto` stands for."""
        if self.judging.calibration != "auto":
            return self.judging
        shifted = self.training.balance != "none" or any(o.criterion.shifts for o in self.outputs.values())
        return self.judging.model_copy(update={"calibration": "platt" if shifted else "temperature"})

    @property
    def hides_ids(self) -> bool:
        """Whether recordings have codes instead of their ids in what is shown of the run, and no sound."""
        return self.data.of_people and not self.logging.show_ids

    @property
    def clinical(self) -> bool:
        """Whether it tells labels or classes of people."""
        return self.data.of_people and any(o.target.space in PROBABLE for o in self.outputs.values())

    @property
    def elsewhere(self) -> list[str]:
        """The dotted paths of components outside tympan that the run names, and so its user trusts."""

        def walk(node: Any) -> Iterator[str]:
            if isinstance(node, dict) and "." in str(node.get("type", "")):
                yield node["type"]
            for inside in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
                yield from walk(inside)

        return list(walk(self.model_dump(mode="json")))

    @model_validator(mode="before")
    @classmethod
    def _rates_in_hertz(cls, value: Any) -> Any:
        """Replace `rate: native` and its like by hertz, which the data and the features decide."""
        if not isinstance(value, dict):
            return value
        several = value.get("targets") if isinstance(value.get("targets"), dict) else {}
        places = [value, *(output for output in (several or {}).values() if isinstance(output, dict))]
        asking = [at for at in places if isinstance(at.get("target"), dict) and at["target"].get("rate") in RATES]
        if not asking:
            return value
        try:
            source, features = Source.model_validate(value.get("data")), Feature.model_validate(value.get("features"))
        except ValidationError:  # told below, where it is written; any number will do until then
            hertz = {id(at): {**at["target"], "rate": 1.0} for at in asking}
        else:
            value = {**value, "data": source, "features": features}
            rates = (named(at["target"], source, features) for at in asking)
            hertz = {id(at): {**at["target"], "rate": rate} for at, rate in zip(asking, rates, strict=True)}
        told = {name: {**o, "target": hertz[id(o)]} if id(o) in hertz else o for name, o in (several or {}).items()}
        one = {"target": hertz[id(places[0])]} if id(places[0]) in hertz else {}
        return {**value, **({"targets": told} if several else {}), **one}

    @model_validator(mode="before")
    @classmethod
    def _features_of_the_data(cls, value: Any) -> Any:
        """Where no features are named, take those that the data ask for, and say so; before rates are made of them."""
        if not isinstance(value, dict) or value.get("features") is not None:
            return value
        try:
            source = Source.model_validate(value.get("data"))
        except ValidationError:  # told below, where it is written
            return value
        own = source.own_features
        if own is None:
            return value
        assume(
            f"features are not named, and those that the data record were taken: {dict(own)}; name features in the "
            "configuration to choose others"
        )
        return {**value, "data": source, "features": dict(own)}

    @model_validator(mode="before")
    @classmethod
    def _audio_spelled_out(cls, value: Any) -> Any:
        """Replace `audio` by what it stands for; before everything else, which is why it is written last."""
        return expanded(value) if isinstance(value, dict) and value.get("audio") is not None else value

    @model_validator(mode="after")
    def _nothing_conflicts(self) -> "Run":
        problems = conflicts(self)
        if problems:
            raise ValidationError.from_exception_data(
                "Run",
                [
                    InitErrorDetails(
                        type=PydanticCustomError("conflict", "{why}", {"why": why}),
                        loc=tuple(filter(None, where.split("."))),
                        input=None,
                    )
                    for where, why in problems
                ],
            )
        return self
