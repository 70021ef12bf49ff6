"""What a model of labels may really be hearing: the recording, its silence, the speaker; and a well-known floor."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ..data import Example
from ..features import Feature
from ..objectives import PROBABLE, Target
from ..serving.artifact import Artifact
from ..signals import Signal
from .baselines import Statistics, logistic
from .prepare import Prepared
from .said import Decoded

Facts = Mapping[str, float | str]
"""What one control knows of a recording, by name; a word counts as itself."""

RECORDING, SILENCE, SPEAKER, FLOOR = "control/recording", "control/silence", "control/speaker", "baseline/mfcc_svm"
_FRAME = 0.025  # s
_QUIETEST = 0.1  # of the frames, which are taken for silence
_FLOOR = 0.05  # of the frames lie below the noise floor
_BANDS = 24
_TINY = 1e-10  # of full scale: -100 dB


class Controls:
    """The controls of every label and class that is given once per recording, fitted on the training part."""

    def __init__(self, prepared: Prepared, artifact: Artifact) -> None:
        self.prepared, self.audio = prepared, artifact.config.audio
        self.targets = {
            name: output.target
            for name, output in prepared.run.outputs.items()
            if output.target.space in PROBABLE and output.target.rate is None
        }
        self.models: dict[str, dict[str, Callable[[Facts], dict[str, np.ndarray]]]] = {}

    def hear(self, example: Example) -> dict[str, Facts]:
        """What each control knows of a recording; nothing where no label is predicted, or it knows nothing.

        Levels are in dB of full scale, of frames of 25 ms: the noise floor is what 5 % of them are below, and silence
        the quietest 10 %. The duration is that of the whole recording, also where less of it is heard.
        """
        if not self.targets:
            return {}
        place = self._places[example.id]
        x = example.waveform.mean(0).astype(np.float64)
        rate = self.prepared.source.sample_rate
        size = max(min(round(_FRAME * rate), len(x)), 1)
        frames = x[: len(x) // size * size].reshape(-1, size)
        level = 10 * np.log10(np.square(frames).mean(1) + _TINY)
        quiet = frames[level <= np.quantile(level, _QUIETEST)]
        power = np.square(np.abs(np.fft.rfft(quiet * np.hanning(size), axis=1))).mean(0)
        bands = [10 * np.log10(float(band.mean()) + _TINY) for band in np.array_split(power, _BANDS) if len(band)]
        heard: dict[str, Facts] = {
            RECORDING: {
                "log duration": float(np.log(self.prepared.source.seconds(place) or len(x) / rate)),
                "level": float(10 * np.log10(np.square(x).mean() + _TINY)),
                "peak": float(20 * np.log10(np.abs(x).max() + _TINY)),
                "noise floor": float(np.quantile(level, _FLOOR)),
                **self._file(place),
            },
            SILENCE: {f"band {i:02d}": value for i, value in enumerate(bands)},
            FLOOR: {f"mfcc {i:02d}": float(v) for i, v in enumerate(self._mfcc(example.waveform))},
        }
        known = {c: example.values.get(c) for c in self.prepared.run.judging.speaker}
        speaker = {c: v if isinstance(v, str) else float(v) for c, v in known.items() if v is not None and v == v}
        return heard | ({SPEAKER: speaker} if speaker else {})

    def fit(self, heard: Sequence[Mapping[str, Facts]], encoded: Sequence[Any], groups: Sequence[str]) -> "Controls":
        """Learn each label from what each control knows of the training part.

        Args:
            heard: of each recording.
            encoded: its encoded targets by name.
            groups: its group.
        """
        whos = list(dict.fromkeys(who for one in heard for who in one))
        for name, target in self.targets.items():
            truth = [{k: v[0, 0, 0] for k, v in target.truth(e[name][None]).items()} for e in encoded]
            facts = {who: [_but(h.get(who), target.outputs) for h in heard] for who in whos}
            self.models[name] = {
                who: _learn(who, target, own, truth, groups)
                for who, own in facts.items()
                if any(own) and (who != FLOOR or target.space == "binary")
            }
        return self

    def answers(self, name: str, heard: Mapping[str, Facts]) -> dict[str, Decoded]:
        """What each control says of one target of a recording."""
        models = self.models.get(name, {})
        return {who: model(_but(heard.get(who), self.targets[name].outputs)) for who, model in models.items()}

    @cached_property
    def _places(self) -> dict[str, int]:
        source = self.prepared.source
        return {source.describe(i).id: i for i in range(len(source))}

    def _file(self, place: int) -> Facts:
        try:
            return self.prepared.source.file_facts(place)
        except (OSError, ValueError):  # which is told where its sound is wanted
            return {}

    @cached_property
    def _feature(self) -> tuple[torch.nn.Module, int]:
        rate = float(self.audio.sample_rate)
        mfcc = Feature.find("mfcc").model_validate({"n_mfcc": 20, "n_mels": 40, "window": 0.032, "hop": 0.010})
        shortest = round(0.128 * rate)
        return mfcc.build(Signal(("mono",), rate, self.audio.samples / rate))[0], shortest

    @torch.inference_mode()
    def _mfcc(self, waveform: np.ndarray) -> Float[np.ndarray, " statistics"]:
        module, shortest = self._feature
        x = torch.from_numpy(waveform.mean(0, keepdims=True).astype(np.float32))[None]
        x = torch.nn.functional.pad(x, (0, max(shortest - x.shape[2], 0))) / x.abs().max().clamp(min=1e-8)
        y = module(x)[0]
        return torch.cat([y.mean(1), y.std(1)]).numpy()


def _but(facts: Facts | None, asked: Sequence[str]) -> Facts:
    """What a control knows, without what is asked of it: the age is no control of the age."""
    return {name: value for name, value in (facts or {}).items() if name not in asked}


def _learn(
    who: str, target: Target, heard: Sequence[Facts], truth: Sequence[Mapping[str, float]], groups: Sequence[str]
) -> Callable[[Facts], dict[str, np.ndarray]]:
    told = [dict(facts) for facts in heard]
    numbers: dict[str, list[float]] = {}
    for name, value in (item for facts in told for item in facts.items()):
        if not isinstance(value, str):
            numbers.setdefault(name, []).append(value)
    usual = {name: float(np.mean(values)) for name, values in numbers.items()}
    words = DictVectorizer(sparse=False)
    x = np.asarray(words.fit_transform([{**usual, **facts} for facts in told]))  # what is not known is as usual
    labels = target.space == "binary"
    classes = 2 if labels else len(target.signal(1.0).channels)
    models = {}
    for output in target.outputs:
        y = np.array([t[output] for t in truth])
        models[output] = _svm(x, y, groups) if who == FLOOR else logistic(x, y, groups, classes)

    def answer(facts: Facts) -> dict[str, np.ndarray]:
        row = words.transform([{**usual, **facts}])[0]
        return {output: model(row)[1 if labels else 0 :, None] for output, model in models.items()}

    return answer


def _svm(x: Statistics, y: np.ndarray, groups: Sequence[str]) -> Callable[[np.ndarray], np.ndarray]:
    """A support vector machine, whose distances are made probabilities by folds of groups (Platt 1999)."""
    known = ~np.isnan(y)
    x, y, who = x[known], y[known].astype(int), np.asarray(groups)[known]
    if len(np.unique(y)) < 2 or len(np.unique(who)) < 2:
        share = float(y.mean()) if len(y) else 0.5
        return lambda _: np.array([1 - share, share])

    def trained(rows: np.ndarray) -> Any:
        return make_pipeline(StandardScaler(), SVC(C=1.0, class_weight="balanced")).fit(x[rows], y[rows])

    distance = np.full(len(y), np.nan)
    for train, test in GroupKFold(min(5, len(np.unique(who)))).split(x, y, who):
        if len(np.unique(y[train])) > 1:
            distance[test] = trained(train).decision_function(x[test])
    there = ~np.isnan(distance)
    model = trained(np.arange(len(y)))
    if len(np.unique(y[there])) < 2:
        return lambda row: np.array([0.0, 1.0]) if model.predict(row[None])[0] else np.array([1.0, 0.0])
    platt = LogisticRegression(C=1e3).fit(distance[there, None], y[there])
    # The distance must never count against a label, whatever few recordings say.
    slope, offset = max(float(platt.coef_[0, 0]), 1e-3), float(platt.intercept_[0])

    def answer(row: np.ndarray) -> np.ndarray:
        p = 1 / (1 + np.exp(-np.clip(slope * float(model.decision_function(row[None])[0]) + offset, -500, 500)))
        return np.array([1 - p, p])

    return answer
