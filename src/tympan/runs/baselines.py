"""Honest answers to compare with: they hear what the model hears, and know only the training part."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from ..data.batch import pad
from ..features import Feature
from ..frames import masked_mean
from ..objectives import Target
from ..representation import Representation
from ..serving.artifact import Artifact
from ..serving.listening import Waveform
from . import over_time
from .spectral_peaks import NUMBERS, spectral_peaks

Answer = Callable[[np.ndarray], dict[str, np.ndarray]]
"""What `Ears` heard of one recording -> `{output: (values, frames)}` in the outputs' own units; a constant has 1 frame.
"""
Statistics = Float[np.ndarray, "recordings statistics"]

_DRAWN = ("real", "shape")  # spaces through which a ridge draws a line
_RIDGE = tuple(np.logspace(-3, 4, 15))
_LOGISTIC = (0.001, 0.01, 0.1, 1.0)  # inverse regularisation, chosen by folds of groups within the training part


class Pool:
    """Mean and deviation over time of what the model hears, or of a spectrogram where it hears bare samples."""

    def __init__(self, artifact: Artifact) -> None:
        audio, self.representation = artifact.config.audio, artifact.pipeline.representation
        heard = self.representation.heard
        if self.representation.signal.rate == heard.rate:
            window = min(heard.frames, 1024)
            lengths = {"window": f"{window} samples", "hop": f"{max(window // 4, 1)} samples"}
            same_rate = {"sample_rate": artifact.config.features.sample_rate}
            spectrogram = Feature.find("spectrogram").model_validate({**lengths, **same_rate})
            self.representation = Representation(audio.audio, audio.padding, spectrogram)
        self.audio = audio
        self.representation.eval()

    @torch.inference_mode()
    def __call__(self, waveform: Waveform) -> Float[np.ndarray, "statistics"]:
        """The statistics of one recording, averaged over the windows heard."""
        starts = self.audio.starts(waveform)
        clips = [torch.from_numpy(np.array(waveform[:, s : s + self.audio.samples], np.float32)) for s in starts]
        device = next(self.representation.buffers(), torch.zeros(())).device
        batch = torch.stack([pad(clip, self.audio.samples, self.audio.padding) for clip in clips]).to(device)
        samples = torch.tensor([clip.shape[1] for clip in clips], device=device)
        x, real = self.representation(batch, samples=samples)
        mean = masked_mean(x, real)
        deviation = masked_mean((x - mean[:, :, None]) ** 2, real).sqrt()
        return torch.cat([mean, deviation], 1).mean(0).cpu().numpy()

    def peaks(self, waveform: Waveform) -> Float[np.ndarray, "numbers"]:
        """The spectral peaks of one recording, averaged over the windows heard."""
        rate, highest = float(self.audio.sample_rate), (self.representation.heard.rate or 0.0) / 2
        clips = [waveform[:, s : s + self.audio.samples] for s in self.audio.starts(waveform)]
        return np.mean([spectral_peaks(clip, rate, highest) for clip in clips], 0)


class Ears:
    """What baselines hear of a recording for each target: for one value per clip pooled features `(statistics,)`, which
    end with spectral peaks for a quantity or an outline; the course of loudness and MFCC `(features, frames)` for a
    real signal, and nothing for what they answer by heart."""

    def __init__(self, artifact: Artifact, targets: Mapping[str, Target]) -> None:
        self.artifact, self.targets = artifact, targets
        self.audio = artifact.config.audio
        self.pool = Pool(artifact) if any(target.rate is None for target in targets.values()) else None
        rates = {target.rate for target in targets.values() if target.rate and target.space == "real"}
        self.courses = {rate: over_time.Course(artifact, rate) for rate in rates}

    def __call__(self, waveform: Waveform, frames: Mapping[str, int]) -> dict[str, np.ndarray]:
        """What is heard for each target, of as many frames as it has."""
        waveform = self.audio.trimmed(waveform)[1]
        pooled = self.pool(waveform) if self.pool else np.empty(0)
        drawn = {name for name, target in self.targets.items() if not target.rate and target.space in _DRAWN}
        peaked = np.concatenate([pooled, self.pool.peaks(waveform)]) if self.pool and drawn else pooled
        return {
            name: course(waveform, frames[name])
            if target.rate and (course := self.courses.get(target.rate))
            else (peaked if name in drawn else pooled)
            for name, target in self.targets.items()
        }


def fit(
    target: Target, encoded: Sequence[Tensor], heard: Sequence[np.ndarray], groups: Sequence[str]
) -> dict[str, Answer]:
    """The baselines of a target's kind, by name.

    Args:
        target: what is predicted.
        encoded: the encoded target `(channels, frames)` of each training recording.
        heard: what `Ears` heard of each training recording.
        groups: the group of each training recording.
    """
    if target.space == "shape":
        middle = torch.stack(list(encoded)).nanmean(0)
        fixed = {name: value[0] for name, value in target.decode(middle[None]).items()}
        return {"mean": lambda _: fixed, **_ridges(target, encoded, heard)}
    truth = [{name: value[0, 0] for name, value in target.truth(e[None]).items()} for e in encoded]
    if target.space != "real":
        columns = {name: np.concatenate([t[name] for t in truth]) for name in target.outputs}
        return _shares(target, columns, heard, groups)
    columns = {name: np.array([np.nanmean(t[name]) if (~np.isnan(t[name])).any() else np.nan for t in truth])
               for name in target.outputs}  # fmt: skip
    answers = {"mean": _constant({name: [float(np.nanmean(v))] for name, v in columns.items()})}
    if target.rate:
        return {**answers, **over_time.fit(target, truth, heard, groups)}
    return {**answers, **_ridges(target, encoded, heard)}


def _shares(
    target: Target, columns: dict[str, np.ndarray], heard: Sequence[np.ndarray], groups: Sequence[str]
) -> dict[str, Answer]:
    """The baselines of labels and classes, from all that is known of each: `(recordings,)`, or all their frames."""
    classes = len(target.signal(1.0).channels) if target.space == "class" else 2
    counts = {name: np.bincount(v[~np.isnan(v)].astype(int), minlength=classes) for name, v in columns.items()}
    share = {name: count / count.sum() for name, count in counts.items()}
    if target.space == "binary":
        prior = _constant({name: [float(p[1])] for name, p in share.items()})
        majority = _constant({name: [float(p[1] > 0.5)] for name, p in share.items()})
    else:
        prior = _constant({name: p.tolist() for name, p in share.items()})
        majority = _constant({name: np.eye(classes)[p.argmax()].tolist() for name, p in share.items()})
    answers = {"majority": majority, "prior": prior}
    if target.rate:
        return answers
    statistics = np.stack(heard)
    by_name = {name: logistic(statistics, v, groups, classes) for name, v in columns.items()}
    return {**answers, "logistic": _several(by_name, target.space == "binary")}


def _constant(values: dict[str, list[float]]) -> Answer:
    fixed = {name: np.array(value)[:, None] for name, value in values.items()}
    return lambda _: fixed


def _ridges(target: Target, encoded: Sequence[Tensor], heard: Sequence[np.ndarray]) -> dict[str, Answer]:
    """A line through pooled features, and one through the spectral peaks behind them."""
    parts = {"ridge": slice(-NUMBERS), "ridge_on_peaks": slice(-NUMBERS, None)}
    return {name: _ridge(target, encoded, np.stack(heard), part) for name, part in parts.items()}


def _ridge(target: Target, encoded: Sequence[Tensor], heard: Statistics, part: slice) -> Answer:
    statistics = heard[:, part]
    # A line is drawn through what the network sees, but through the quantities where it sees levels or bins; of a pitch
    # through their logarithms.
    levels, log = target.loss_space is not None, getattr(target, "scale", "") == "log"
    truths = [[v[0, 0, 0] for v in target.truth(e[None]).values()] for e in encoded if levels]
    y = np.array(truths) if levels else torch.stack([e[:, 0] for e in encoded]).numpy()
    y = np.log(y) if levels and log else y
    known, together = np.unique(~np.isnan(y), axis=1, return_inverse=True)  # columns that are known of the same
    models = []
    for rows, number in zip(known.T, range(known.shape[1]), strict=True):
        columns = np.flatnonzero(together == number)
        ridge = make_pipeline(StandardScaler(), RidgeCV(_RIDGE, alpha_per_target=True))
        models.append((columns, ridge.fit(statistics[rows], y[rows][:, columns])))

    def answer(x: np.ndarray) -> dict[str, np.ndarray]:
        said = torch.empty(y.shape[1], 1)
        for columns, model in models:
            said[columns, 0] = torch.from_numpy(model.predict(x[None, part]).ravel()).float()
        if levels:
            said = said.exp() if log else said
            return {name: value[None].numpy() for name, value in zip(target.outputs, said, strict=True)}
        return {name: value[0] for name, value in target.decode(said[None]).items()}

    return answer


def logistic(x: Statistics, y: np.ndarray, groups: Sequence[str], classes: int) -> Callable[[np.ndarray], np.ndarray]:
    """A probability for each class from the statistics of a recording, regularised as folds of groups choose."""
    known = ~np.isnan(y)
    x, y, who = x[known], y[known].astype(int), np.asarray(groups)[known]
    seen = np.unique(y)
    if len(seen) < 2:
        return lambda _: np.eye(classes)[seen[0]]

    def trained(c: float, rows: np.ndarray) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=300)).fit(x[rows], y[rows])

    def loss(c: float) -> float:
        total = 0.0
        for train, test in GroupKFold(min(5, len(np.unique(who)))).split(x, y, who):
            said = np.full((len(test), classes), 1e-6)
            if len(np.unique(y[train])) > 1:
                model = trained(c, train)
                said[:, model.classes_] += model.predict_proba(x[test])
            total += log_loss(y[test], said / said.sum(1, keepdims=True), labels=range(classes)) * len(test)
        return total

    best = min(_LOGISTIC, key=loss) if len(np.unique(who)) > 1 else 0.1
    model = trained(best, np.arange(len(y)))

    def answer(row: np.ndarray) -> np.ndarray:
        said = np.zeros(classes)
        said[model.classes_] = model.predict_proba(row[None])[0]
        return said

    return answer


def _several(models: dict[str, Callable[[np.ndarray], np.ndarray]], binary: bool) -> Answer:
    def answer(x: np.ndarray) -> dict[str, np.ndarray]:
        return {name: model(x)[1 if binary else 0 :, None] for name, model in models.items()}

    return answer
