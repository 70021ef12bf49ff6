"""A run made ready: parts, what is learned from the training part, datasets, and the pipeline."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import repeat
from pathlib import Path, PurePosixPath
from typing import Any

import torch

from ..component import assume, did_you_mean
from ..data import Example, Source, Values, copies, storage
from ..data.bad_samples import FILE, BadSamples
from ..data.batch import Clips, Collate
from ..data.split import Parts
from ..head import Head
from ..models import Model
from ..objectives import Loss, Target
from ..output import Output, Part
from ..pipeline import Pipeline
from ..representation import place_seed
from ..serving.artifact import Artifact, Config
from ..serving.listening import Listening
from . import balance, standardization
from .encode import Encode
from .rates import AtRate
from .run import Run
from .sections import Judging


@dataclass
class Prepared:
    """Everything that training and evaluation of one split need."""

    run: Run
    """The run with what was learned from its training part filled in."""
    parts: Parts
    folder: Path | None = None
    """Where the list of recordings that cannot be used is."""
    source: Source = field(init=False)
    encode: Encode = field(init=False)
    bad: BadSamples = field(init=False)

    def __post_init__(self) -> None:
        self.source = self.run.data
        targets = {name: output.target for name, output in self.run.outputs.items()}
        self.encode = Encode(targets, AtRate.of(self.source, targets))
        most = self.run.loader.most_bad(len(self.parts.train))
        self.bad = BadSamples(self.source, most, self.folder / FILE if self.folder else None)

    def clips(self, part: str, epochs: int = 1, shuffle: bool = False) -> Clips:
        """A part as a dataset of clips, for `epochs` epochs laid end to end."""
        indices = getattr(self.parts, part)
        own = enumerate(self.run.augmentations) if shuffle else ()  # which is to say, in training
        changes = [(place_seed(self.run.seed, place), a) for place, a in own if a.on == "recording"]
        shares = None
        if shuffle and self.run.training.balance != "none":
            shares = balance.shares(self.run, indices, known(self.run, indices))
        how = epochs, shuffle, self.run.training.batch_size, changes, shares
        return Clips(self.source, indices, self.encode, self.run.seed, *how, None if part == "test" else self.bad)

    def heard(self, part: Part) -> Iterator[Example]:
        """The recordings of a part as prediction hears them; of training and validation without those that cannot be
        used, where that is no error."""
        for index in getattr(self.parts, part):
            if part == "test" or self.bad.most is None:
                yield self.source.heard(index)
            elif (example := self.bad.unless_bad(index, partial(self._usable, index))) is not None:
                yield example

    def _usable(self, index: int) -> Example:
        example = self.source.heard(index)
        self.encode(example)
        return example

    @property
    def first(self) -> int:
        """How many clips the first step waits for: its own batches, and one more that the Trainer takes with them."""
        return (self.run.training.accumulate_grad_batches + 1) * self.run.training.batch_size

    @property
    def collate(self) -> Collate:
        """Clips -> a batch."""
        audio = self.source.audio
        frames = {name: o.target.signal(audio.duration).frames for name, o in self.run.outputs.items()}
        return Collate(audio.frames, self.source.padding, frames)

    def pipeline(self) -> Pipeline:
        """The pipeline with weights drawn from the run's seed.

        Raises:
            ValueError: two parts of the configuration do not fit.
        """
        torch.manual_seed(self.run.seed)
        run = self.run
        for augmentation in run.augmentations:
            augmentation.ready()
        audio, model = self.source.audio, _brought(run.model)
        made = Pipeline(audio, self.source.padding, run.features, model, run.outputs, run.augmentations, run.seed)
        if unheard := made.representation.unheard:
            kept = run.features.target_length or 0
            assume(
                f"features.target_length: of a clip's {kept + unheard} frames the first {kept} are heard; shorten "
                f"data.duration ({audio.duration:g} s), or leave target_length out, to hear all that is read"
            )
        return made

    def artifact(self, pipeline: Pipeline, **provenance: Any) -> Artifact:
        """The pipeline with all that it needs to answer by itself."""
        run = self.run
        config = Config(
            audio=Listening.of(self.source),
            features=run.features,
            model=run.model,
            outputs=run.outputs,
            provenance={
                **{"run": run.name, "seed": run.seed, "data": _portable(run.data)},
                **({"clinical": True} if run.clinical else {}),
                **provenance,
            },
        )
        return Artifact(config, pipeline)


def _brought(model: Model) -> Model:
    """The model with a local path in place of the URI of weights that it, or one that it is made of, begins with."""
    own: dict[str, Any] = {name: _brought(value) for name, value in model if isinstance(value, Model)}
    weights = getattr(model, "weights", None)
    if isinstance(weights, str) and storage.elsewhere(weights):
        own["weights"] = str(copies.here(weights))
    return model.model_copy(update=own) if own else model


def _portable(source: Source) -> dict[str, Any]:
    """What a source says of itself, with the last part alone of paths, which are of this machine."""

    def last(told: Any) -> Any:
        if isinstance(told, dict):
            return {k: last(v) for k, v in told.items()}
        if isinstance(told, list):
            return [last(v) for v in told]
        return PurePosixPath(told).name if isinstance(told, str) and "/" in told else told

    return last(source.model_dump(mode="json"))


def known(run: Run, indices: Sequence[int]) -> list[Values]:
    """What is known of recordings, at the rates of the run's targets; no sound is read where the source needs none."""
    at_rate = AtRate.of(run.data, {name: output.target for name, output in run.outputs.items()})
    corpus = [run.data.describe(i).groups.get("corpus", "") for i in indices] if run.data.corpora else repeat("")
    return [at_rate(run.data.values(i), of) for i, of in zip(indices, corpus, strict=False)]


def prepare(run: Run, parts: Parts, hear: bool = True, folder: Path | None = None) -> Prepared:
    """Fit what is fitted on the training part alone.

    Args:
        run: the configuration.
        parts: the split.
        hear: also what needs sound; without it that is assumed, and the parts can be seen to fit.
        folder: of the run, for the list of recordings that cannot be used.

    Raises:
        ValueError: the training part does not hold what a target needs.
    """
    values = known(run, parts.train)
    names = list(dict.fromkeys(name for v in values for name in v))
    listed = {label: None for group in run.data.label_groups for label in group}
    labels = [{name: v.get(name) for name in listed} for v in values] if listed else values
    asked = [("subgroups", column) for column in run.judging.subgroups]
    if run.judging.speaker != Judging().speaker:  # the default is of what is known
        asked += [("speaker", column) for column in run.judging.speaker]
    for where, column in asked:
        if column not in names:
            raise ValueError(
                f"judging.{where}: {run.data.type} knows nothing called {column!r} of its training part"
                f"{did_you_mean(column, names)}"
            )
    outputs: dict[str, Output] = {}
    for name, output in run.outputs.items():
        _fits(run, output.target, names)
        target = output.target.fit(values if output.target.outputs else labels)
        loss: Loss = output.criterion
        if type(loss).fit is not Loss.fit:
            loss = loss.fit(torch.cat([target.encode(v) for v in values], 1)[None])
        head = _grouped(output.head, run.data.label_groups, target)
        outputs[name] = output.model_copy(update={"target": target, "loss": loss, "head": head})
    run = run.with_outputs(outputs)
    ready = Prepared(run, parts, folder)

    def begins() -> list[int]:
        """The recordings that the first step hears."""
        clips = ready.clips("train", 1, shuffle=True)
        return sorted({clips.at(place)[1] for place in range(min(ready.first, len(clips)))})

    features = standardization.assumed(run.features)
    if hear:
        features = standardization.fit(run, parts.train, begins, ready.bad)
    return replace(ready, run=run.model_copy(update={"features": features}))


def _grouped(head: Head, groups: Sequence[tuple[str, ...]], target: Target) -> Head:
    """The head with a classifier for each group of the data's labels, where it says nothing of groups itself."""
    own = [tuple(label for label in group if label in target.outputs) for group in groups]
    own = [group for group in own if group]
    if head.groups or len(own) < 2 or target.space != "binary" or {x for g in own for x in g} != set(target.outputs):
        return head
    return head.model_copy(update={"groups": tuple(own)})


def _fits(run: Run, target: Target, known: list[str]) -> None:
    """Refuse a target that the data know nothing of, or in another unit."""
    try:
        wanted = target.outputs
    except ValueError:  # what it predicts is still to be fitted
        return
    for name in wanted:
        if name not in known:
            raise ValueError(
                f"target: {run.data.type} knows nothing called {name!r} of its training part; it knows: "
                f"{', '.join(known) or 'nothing'}{did_you_mean(name, known)}"
            )
        given, said = run.data.units.get(name), target.unit[name]
        if given and said and given != said:
            raise ValueError(f"target: {name} is in {given} in the data, and the target says {said}")
