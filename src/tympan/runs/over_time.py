"""Baselines of signals over time: their level, their mean course, and a ridge on the sound of the last seconds."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from sklearn.model_selection import GroupKFold

from ..data.batch import real as real_samples
from ..features import Feature
from ..objectives import Target
from ..representation import Representation, level
from ..serving.artifact import Artifact
from ..serving.listening import Waveform

Heard = Float[np.ndarray, "features _"]
Truth = Sequence[Float[np.ndarray, "_"]]
Answer = Callable[[np.ndarray], dict[str, np.ndarray]]

LONGEST = 8.0  # seconds: skin conductance answers within 1 to 5 s, and is back after some more (Boucsein 2012)
STEP = 0.25  # seconds between two lags: slower than that is all of skin conductance
_PENALTIES = tuple(np.logspace(-4, 2, 13))  # of standardised features, for each frame
_FRAMES = 200_000  # as many give the weights their digits; more training frames than that are thinned out


class Course:
    """Loudness and MFCC of the sound that the model hears, around each frame of a target with a rate."""

    def __init__(self, artifact: Artifact, rate: float) -> None:
        audio, own = artifact.config.audio, artifact.config.features
        heard = artifact.pipeline.representation.heard
        assert heard.rate is not None
        self.rate, self.audio = rate, audio.audio
        self.window = min(round(0.05 * heard.rate), heard.frames)
        hop = max(round(min(0.025, 1 / rate) * heard.rate), 1)
        self.hop, sizes = hop / heard.rate, {"window": f"{self.window} samples", "hop": f"{hop} samples"}
        same = {"normalize": own.normalize, "sample_rate": own.sample_rate, "standardize": "none"}
        feature = Feature.find("mfcc").model_validate({"n_mfcc": 13, "n_mels": 26, **sizes, **same})
        self.representation = Representation(audio.audio, audio.padding, feature).eval()
        self.device = next(artifact.pipeline.parameters()).device
        self.representation.to(self.device)

    @torch.inference_mode()
    def __call__(self, waveform: Waveform, frames: int) -> Heard:
        """The features `(1 + 13 for each channel, frames)`: means over the time of a frame; NaN beyond the sound."""
        assert self.audio.rate is not None
        least = int(np.ceil(self.window / (self.representation.heard.rate or 1) * self.audio.rate)) + 1
        padded = np.pad(waveform, ((0, 0), (0, max(least - waveform.shape[1], 0))))
        x = torch.from_numpy(np.array(padded, np.float32))[None].to(self.device)
        mfcc = self.representation(x)[0][0].cpu().double().numpy()
        every = torch.tensor([x.shape[2]], device=self.device)
        heard = level(x, real_samples(every, x.shape[2], "right"), self.representation.feature.normalize)
        power = heard[0].square().mean(0)[None].cpu().double().numpy()
        end = waveform.shape[1] / self.audio.rate
        loudness = 10 * np.log10(_means(power, 1 / self.audio.rate, 0.0, self.rate, frames, end) + 1e-10)
        return np.concatenate([loudness, _means(mfcc, self.hop, -0.5, self.rate, frames, end)]).astype(np.float32)


def fit(
    target: Target, truth: Sequence[Mapping[str, np.ndarray]], heard: Sequence[Heard], groups: Sequence[str]
) -> dict[str, Answer]:
    """The baselines of a real target with a rate, by name.

    Args:
        target: what is predicted.
        truth: of each training recording the values `(frames,)` of each output, NaN where unknown.
        heard: what a `Course` gives of each.
        groups: the group of each, by which the ridge's penalty is chosen.
    """
    assert target.rate is not None
    by_output = {name: [own[name] for own in truth] for name in target.outputs}
    curves = {name: _curve(own) for name, own in by_output.items()}
    ridges = {name: _Ridge(target.rate, heard, own, groups) for name, own in by_output.items()}

    def mean_curve(x: Heard) -> dict[str, np.ndarray]:
        return {name: curve(x.shape[1])[None] for name, curve in curves.items()}

    def lagged_ridge(x: Heard) -> dict[str, np.ndarray]:
        return {name: ridge(x)[None] for name, ridge in ridges.items()}

    return {"mean_curve": mean_curve, "lagged_ridge": lagged_ridge}


def _curve(truth: Truth) -> Callable[[int], Float[np.ndarray, "frames"]]:
    """The mean at each time from the start; where nothing is known, the level: the mean over recordings."""
    longest = max(map(len, truth))
    total, n = np.zeros(longest), np.zeros(longest)
    for own in truth:
        total[: len(own)] += np.nan_to_num(own)
        n[: len(own)] += ~np.isnan(own)
    typical = float(np.mean([np.nanmean(own) for own in truth if not np.isnan(own).all()]))
    curve = np.divide(total, n, out=np.full(longest, typical), where=n > 0)
    return lambda frames: np.append(curve[:frames], np.full(max(frames - longest, 0), typical))


class _Ridge:
    """A linear answer to the features of the last seconds, fitted by normal equations, recording by recording."""

    def __init__(self, rate: float, heard: Sequence[Heard], truth: Truth, groups: Sequence[str]) -> None:
        self.lags = np.arange(0, round(LONGEST * rate) + 1, max(round(STEP * rate), 1))
        every = np.concatenate(heard, 1).astype(np.float64)
        self.mean, deviation = np.nanmean(every, 1)[:, None], np.nanstd(every, 1)[:, None]
        self.deviation = np.where(deviation > 0, deviation, 1.0)
        known = [~np.isnan(own) for own in truth]
        thin = max(int(sum(own.sum() for own in known)) // _FRAMES, 1)
        folds = _folds(groups)
        size = len(every) * len(self.lags) + 2
        products: list[np.ndarray] = [np.zeros((size, size)) for _ in range(max(folds) + 1)]
        for i, (x, y) in enumerate(zip(heard, truth, strict=True)):
            at = np.flatnonzero(known[i])[i % thin :: thin]
            z = np.concatenate([self._lagged(x)[:, at], y[None, at], np.ones((1, len(at)))])
            products[folds[i]] = products[folds[i]] + z @ z.T
        total = np.sum(products, 0)
        errors = np.zeros(len(_PENALTIES))
        for held_out in products if len(products) > 1 else ():
            for k, c in enumerate(_solutions(total - held_out)):
                errors[k] += c @ held_out @ c
        self.solution = _solutions(total)[int(errors.argmin()) if errors.any() else len(_PENALTIES) // 2]

    def __call__(self, x: Heard) -> Float[np.ndarray, "frames"]:
        return self.solution[:-2] @ self._lagged(x) + self.solution[-1]

    def _lagged(self, x: Heard) -> Float[np.ndarray, "columns frames"]:
        """Features at every lag; before the sound began, and where there is none, their mean."""
        z = np.nan_to_num((x - self.mean) / self.deviation)
        lagged = np.zeros((len(self.lags), *z.shape))
        for i, lag in enumerate(self.lags[self.lags < z.shape[1]]):
            lagged[i, :, lag:] = z[:, : z.shape[1] - lag]
        return lagged.reshape(-1, z.shape[1])


def _folds(groups: Sequence[str]) -> list[int]:
    """The fold of each recording, of at most five that keep groups whole; recordings stand for a sole group."""
    who = list(groups) if len(set(groups)) > 1 else [str(i) for i in range(len(groups))]
    folds = [0] * len(who)
    if len(set(who)) > 1:
        for number, (_, test) in enumerate(GroupKFold(min(5, len(set(who)))).split(who, groups=who)):
            for i in test:
                folds[i] = number
    return folds


def _solutions(product: Float[np.ndarray, "size size"]) -> Float[np.ndarray, "penalties size"]:
    """For each penalty what makes `(x, y, 1)` the error: weights, -1, and an intercept that is not penalised.

    Args:
        product: of the rows `(x, y, 1)` with themselves, summed over frames.
    """
    n, sums = max(product[-1, -1], 1.0), product[-1, :-1]
    centred = product[:-1, :-1] - np.outer(sums, sums) / n
    values, vectors = np.linalg.eigh(centred[:-1, :-1])
    turned = vectors.T @ centred[:-1, -1]
    weights = np.array([vectors @ (turned / (np.maximum(values, 0) + penalty * n)) for penalty in _PENALTIES])
    intercepts = (sums[-1] - weights @ sums[:-1]) / n
    return np.column_stack([weights, np.full(len(weights), -1.0), intercepts])


def _means(
    x: Float[np.ndarray, "channels steps"], step: float, first: float, rate: float, frames: int, end: float
) -> Float[np.ndarray, "channels {frames}"]:
    """Means over the time around each frame, from half a frame before it to half a frame after; NaN beyond `end` (s).

    Args:
        step: seconds of a column, which stands for its time.
        first: where the first column begins, in steps.
    """
    total = np.concatenate([np.zeros((len(x), 1)), np.cumsum(x, 1)], 1)
    limits = (np.arange(x.shape[1] + 1) + first) * step
    edges = np.clip((np.arange(frames + 1) - 0.5) / rate, max(limits[0], 0.0), min(limits[-1], end))
    width = np.diff(edges)
    sums = np.diff(np.array([np.interp(edges, limits, own) for own in total]), axis=1)
    return np.divide(sums, width / step, out=np.full_like(sums, np.nan), where=width > 1e-9)
