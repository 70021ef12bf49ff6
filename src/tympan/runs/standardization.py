"""Mean and deviation of the features of the training part, computed once before training, where they are not given."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.utils.data import DataLoader

from ..component import assume
from ..data import Example, storage
from ..data.ahead import ahead
from ..data.bad_samples import BadSamples
from ..data.batch import Clips, Collate
from ..features import Feature
from ..representation import Representation
from .run import Run


def fit(
    run: Run, train: Sequence[int], begins: Callable[[], Sequence[int]] | None = None, bad: BadSamples | None = None
) -> Feature:
    """The run's feature, with the numbers that `standardize: dataset` needs.

    Args:
        run: whose seed draws the recordings that are heard, where these are not all.
        train: the training part.
        begins: the recordings of it that the first step hears, which are taken where the data are in a bucket and
            `statistics` is not set: they are fetched in any case, and no others are before that step.
        bad: what becomes of recordings that cannot be used; by default they are errors.

    Raises:
        ValueError: the features of these recordings do not differ at all, or are not finite.
    """
    feature = run.features
    if feature.standardize != "dataset" or feature.mean is not None:
        return feature
    drawn = np.sort(np.random.default_rng((run.seed, len(train))).permutation(train)[: feature.statistics])
    if begins and "statistics" not in feature.model_fields_set and _away(run, train):
        drawn = np.array(begins())
        assume(
            f"features.statistics is not set and the data are in a bucket: mean and deviation are of the {len(drawn)} "
            "recordings that the first step hears; set it to have more, or give mean and std"
        )
    while True:
        try:
            mean, std = _moments(run, drawn.tolist(), bad)
        except RuntimeError as error:
            if bad is None:
                raise
            bad.answer(error)
        else:
            break
    if not np.isfinite(mean) or not np.isfinite(std) or std == 0:
        raise ValueError(
            f"features.standardize: the features of {len(drawn)} training recordings have a mean of {mean:g} and a "
            f"deviation of {std:g}, by which nothing can be divided; is the sound silent? `tympan check` tells"
        )
    return feature.model_copy(update={"mean": mean, "std": std, "computed_from": len(drawn)})


def _away(run: Run, train: Sequence[int]) -> bool:
    """Whether a recording of the training part lies elsewhere."""
    away = {i for uri, indices in run.data.files().items() if storage.elsewhere(uri) for i in indices}
    return not away.isdisjoint(train)


def assumed(feature: Feature) -> Feature:
    """The same with numbers that change nothing, to see that parts fit before any sound is heard."""
    waits = feature.standardize == "dataset" and feature.mean is None
    return feature.model_copy(update={"mean": 0.0, "std": 1.0}) if waits else feature


def told(feature: Feature, train: int) -> list[str]:
    """What a reader must know of these numbers, in words; nothing where there are none.

    Args:
        train: recordings in the training part.
    """
    if feature.mean is None:
        return []
    n = feature.computed_from
    whence = f"computed from {n:,} of the {train:,} recordings of the training part" if n else "given, not computed"
    return [f"All features have {feature.mean:g} taken off and are divided by {feature.std:g}: mean and std, {whence}."]


def _moments(run: Run, indices: list[int], bad: BadSamples | None) -> tuple[float, float]:
    """Mean and deviation over the real frames of clips, each read once; the same with any number of workers."""
    source, size = run.data, run.training.batch_size
    plain = run.features.model_copy(update={"standardize": "none"})
    hear = Representation(source.audio, source.padding, plain).eval()
    workers = run.loader.workers
    clips = Clips(source, indices, _nothing, run.seed, shuffle=False, bad=bad)
    count, mean, squares = 0, 0.0, 0.0
    with ahead(clips, 0 if workers else run.loader.prefetch_size * size) as coming, torch.inference_mode():
        collate = Collate(source.audio.frames, source.padding, {})
        for batch in DataLoader(coming, size, num_workers=workers, collate_fn=collate):
            x, real = hear(batch["waveform"], samples=batch["samples"])
            values = x.double().transpose(1, 2)[real]
            n, own = values.numel(), float(values.mean())
            # Chan et al. 1983: of two portions together, without a difference of large sums.
            squares += float((values - own).square().sum()) + (own - mean) ** 2 * count * n / (count + n)
            mean += (own - mean) * n / (count + n)
            count += n
    return _rounded(mean), _rounded((squares / count) ** 0.5)


def _rounded(x: float) -> float:
    """Six digits, which is more than any recording tells, and reads well."""
    return float(f"{x:.6g}")


def _nothing(example: Example) -> dict[str, torch.Tensor]:
    return {}
