"""The headline figures: whole recordings, the model beside baselines and references."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch

from ..data import Example
from ..objectives.accumulate import Accumulator
from ..output import Output, Part
from ..pipeline import Pipeline
from ..serving.artifact import Artifact
from ..signals import frames_within
from . import baselines
from .controls import Controls
from .prepare import Prepared
from .references import References
from .said import Decoded, Said, beside_of, lengthened, said_of
from .shuffled import Permuted, Recording, Shuffled
from .taught import taught


@dataclass
class Evaluation:
    """What was answered in one part, by everybody: rows from which figures are made, and the model's predictions."""

    accumulators: dict[str, dict[tuple[str, str], Accumulator]] = field(default_factory=dict)
    """By who, then by output group and metric."""
    predictions: list[Said] = field(default_factory=list)
    units: dict[str, dict[str, str]] = field(default_factory=dict)
    """The unit of every metric of every output."""
    losses: dict[str, tuple[float, float, int]] = field(default_factory=dict)
    """For each output the weight of its loss, the sum over known values, and how many these are."""
    permuted: dict[tuple[str, str], dict[str, Permuted]] = field(default_factory=dict)
    """By output group and metric, then by output: what the model's answers to other songs are worth."""
    corpora: dict[str, str] = field(default_factory=dict)
    """The corpus of each recording that is of one."""
    strata: dict[str, dict[str, str]] = field(default_factory=dict)
    """By column, the subgroup of each recording."""

    @property
    def loss(self) -> float:
        """The loss of whole recordings, as it is in training: the weighted sum over outputs."""
        return sum(weight * total / max(known, 1) for weight, total, known in self.losses.values())

    def merge(self, other: "Evaluation") -> None:
        """Take in another evaluation of other recordings: the next fold."""
        for who, figures in other.accumulators.items():
            mine = self.accumulators.setdefault(who, {})
            for key, accumulator in figures.items():
                if key in mine:
                    mine[key].merge(accumulator)
                else:
                    mine[key] = accumulator
        for name, (weight, total, known) in other.losses.items():
            _, before, n = self.losses.get(name, (weight, 0.0, 0))
            self.losses[name] = weight, before + total, n + known
        for key, permuted in other.permuted.items():
            mine = self.permuted.setdefault(key, {})
            for output, own in permuted.items():
                mine[output] = mine[output].merge(own) if output in mine else own
        self.predictions += other.predictions
        self.units.update(other.units)
        self.corpora.update(other.corpora)
        for column, own in other.strata.items():
            self.strata.setdefault(column, {}).update(own)

    def only(self, corpus: str) -> "Evaluation":
        """The figures and answers of one corpus."""
        ids = {id for id, own in self.corpora.items() if own == corpus}
        return Evaluation(
            {
                who: {key: own.only(dict.fromkeys(own.outputs, ids)) for key, own in figures.items()}
                for who, figures in self.accumulators.items()
            },
            [one for one in self.predictions if one.id in ids],
            self.units,
            permuted={key: {o: own.only(ids) for o, own in of.items()} for key, of in self.permuted.items()},
        )


def evaluate(
    prepared: Prepared,
    artifact: Artifact,
    parts: Sequence[Part],
    batch_size: int = 32,
    trained_on: Prepared | Literal["itself"] | None = "itself",
) -> dict[str, Evaluation]:
    """Score the model, the baselines and the references on parts of a run's data.

    Args:
        prepared: the run with its parts.
        artifact: the trained pipeline.
        parts: names of parts, of which the empty ones are left out.
        batch_size: clips heard at once.
        trained_on: the run whose training part baselines are fitted on, where that is not the same; `None` for none.
    """
    there: list[Part] = [part for part in parts if getattr(prepared.parts, part)]
    if not there:
        return {}
    ears = baselines.Ears(artifact, {name: output.target for name, output in prepared.run.outputs.items()})
    fitted = prepared if trained_on == "itself" else trained_on
    controls = Controls(prepared, artifact)
    answers = _baselines(fitted, ears, controls) if fitted else {name: {} for name in prepared.run.outputs}
    others = answers, References(prepared), controls
    return {part: _Scoring(prepared, part, ears, *others).score(artifact, batch_size) for part in there}


def _baselines(prepared: Prepared, ears: baselines.Ears, controls: Controls) -> dict[str, dict[str, baselines.Answer]]:
    """By output group, then by name; the controls are fitted as well."""
    heard, encoded, groups, facts = [], [], [], []
    own_controls = Controls(prepared, ears.artifact)
    for example in prepared.heard("train"):
        own = {name: _of_sound(prepared, name, e, example) for name, e in prepared.encode(example).items()}
        heard.append(ears(example.waveform, {name: e.shape[1] for name, e in own.items()}))
        encoded.append(own)
        groups.append(prepared.run.group_of(example))
        facts.append(own_controls.hear(example))
    controls.fit(facts, encoded, groups)
    return {
        name: baselines.fit(output.target, [e[name] for e in encoded], [h[name] for h in heard], groups)
        for name, output in prepared.run.outputs.items()
    }


def _of_sound(prepared: Prepared, name: str, encoded: torch.Tensor, example: Example) -> torch.Tensor:
    """The frames of a target within the sound that is heard, which may be the recording's start alone."""
    rate = prepared.run.outputs[name].target.rate
    if rate is None:
        return encoded
    return encoded[:, : max(frames_within(example.waveform.shape[1] / prepared.source.sample_rate, rate), 1)]


@dataclass
class _Scoring:
    """One part, recording by recording."""

    prepared: Prepared
    part: Part
    ears: baselines.Ears
    answers: Mapping[str, Mapping[str, baselines.Answer]]
    references: References
    controls: Controls
    result: Evaluation = field(default_factory=Evaluation)
    recordings: dict[str, list[Recording]] = field(default_factory=dict)
    """By signal, what the model said of each recording."""

    def score(self, artifact: Artifact, batch_size: int) -> Evaluation:
        run, waiting = self.prepared.run, list[Example]()
        for output in run.outputs.values():
            for column, unit in output.target.unit.items():
                self.result.units[column] = {metric.type: metric.unit(unit) for metric in output.figures(self.part)}

        def waveforms() -> Iterator[np.ndarray]:
            for example in self.prepared.heard(self.part):
                waiting.append(example)
                yield example.waveform

        for heard in artifact.hear(waveforms(), batch_size):
            self._recording(waiting.pop(0), heard, artifact.pipeline)
        for name, recordings in self.recordings.items():
            self._shuffled(name, run.outputs[name], Shuffled(recordings))
        return self.result

    def _recording(self, example: Example, heard: Mapping[str, torch.Tensor], pipeline: Pipeline) -> None:
        run, result, encoded = self.prepared.run, self.result, self.prepared.encode(example)
        truths: dict[str, Decoded] = {}
        for name, output in run.outputs.items():
            truth = {key: value[0] for key, value in output.target.truth(encoded[name][None]).items()}
            frames = next(iter(truth.values())).shape[1]
            if output.target.rate:  # it may know a frame more or less than the windows over the sound have
                frames = min(frames, heard[name].shape[1])
            truths[name] = {key: value[:, :frames] for key, value in truth.items()}
        sizes = {name: next(iter(truth.values())).shape[1] for name, truth in truths.items()}
        facts = self.controls.hear(example)
        sound, knowing = self.ears(example.waveform, sizes), self.references(example, truths)
        if "corpus" in example.groups:
            result.corpora[example.id] = example.groups["corpus"]
        for column in run.judging.subgroups:
            own = result.strata.setdefault(column, {})
            own[example.id] = run.judging.stratum(column, example.values.get(column))
        clusters = run.clusters_of(example)
        asked = {column for output in run.outputs.values() for column in output.target.outputs}
        beside = beside_of(example.values, self.prepared.source.units, asked)
        for name, output in run.outputs.items():
            target, frames, truth = output.target, sizes[name], truths[name]
            frames_heard = heard[name][None, :, :frames]
            said: dict[str, Decoded] = {
                "model": {k: v[0] for k, v in target.decode(frames_heard).items()},
                **{f"baseline/{who}": answer(sound[name]) for who, answer in self.answers[name].items()},
                **self.controls.answers(name, facts),
                **knowing[name],
            }
            if pipeline.autoregressive:
                said["reference/teacher_forced"] = taught(pipeline, name, example, encoded[name], frames)
            weight, total, known = result.losses.get(name, (output.weight, 0.0, 0))
            true = encoded[name][None, :, :frames]
            count = int(output.criterion.known(true))
            loss = float(output.criterion(frames_heard, true))
            result.losses[name] = weight, total + loss * count, known + count
            for who, decoded in said.items():
                self._add(who, name, output, example, lengthened(decoded, frames), truth)
            shared = run.group_of(example), tuple(clusters.items())
            result.predictions += said_of(target, example.id, *shared, said["model"], truth, beside)
            if target.rate and target.space == "real":
                of = Recording(example.id, tuple(clusters.values()), example.groups.get("song", example.id),
                               example.groups.get("corpus", ""), truth,
                               {k: v[:1] for k, v in said["model"].items()})  # fmt: skip
                self.recordings.setdefault(name, []).append(of)

    def _add(self, who: str, name: str, output: Output, of: Example | Recording, said: Decoded, truth: Decoded) -> None:
        """Rows of what one has said of a recording."""
        run, figures = self.prepared.run, self.result.accumulators.setdefault(who, {})
        rate, kinds = output.target.rate, run.clusters if output.target.rate else ("",)
        if isinstance(of, Recording):
            groups: str | tuple[str, ...] = of.groups
        else:
            groups = tuple(run.clusters_of(of).values()) if rate else run.group_of(of)
        if rate and who.startswith("reference/"):  # it may know some frames only, and no others are judged
            truth = {k: np.where(np.isnan(said[k]), np.nan, v) for k, v in truth.items()}
        for metric in output.figures(self.part):
            key = (name, metric.type)
            if key not in figures:
                figures[key] = metric.start(output.target.outputs, rate, kinds)
            answers, right = ({k: v[None] for k, v in values.items()} for values in (said, truth))
            figures[key].update(answers, right, [of.id], [groups])

    def _shuffled(self, name: str, output: Output, shuffled: Shuffled) -> None:
        """The model's own answers to other songs: once as a baseline, and many times for a probability."""
        rate = output.target.rate
        assert rate is not None
        for one, truth, said in shuffled.control():
            self._add("baseline/shuffled_song", name, output, one, said, truth)
        orders = shuffled.permutations()
        for metric in output.figures(self.part):
            self.result.permuted[name, metric.type] = {
                column: shuffled.permuted(metric, column, rate, orders) for column in output.target.outputs
            }
