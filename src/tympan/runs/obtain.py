"""Data that a run obtains itself: brought before anything else, and its features recorded with them."""

from ..data import storage
from ..data.datasets.obtained import Obtained
from ..data.reshaped import Reshaped
from ..features import Feature
from .run import Run
from .transform import brief, transform


def obtain(run: Run) -> Run:
    """Bring the folders of `obtained` data, and record the run's features in those on this machine that differ.

    Returns: the run.

    Raises:
        ValueError: a folder cannot be had, with what to do.
    """
    for source in _obtained(run):
        source.ready()
        if storage.is_remote(source.root):
            continue
        own = source.own_features
        before = f" in place of {brief(Feature.model_validate(dict(own)))}" if own else ""
        try:
            if transform(source.root, run.features):
                source.told.append(f"{source.root} records the features {brief(run.features)} now{before}")
        except (OSError, ValueError) as error:  # a folder that may only be read can be trained on
            source.told.append(f"{source.root} does not record the features of the run: {error}")
    return run


def told(run: Run) -> list[str]:
    """How such data were obtained; what other data remark may name recordings, which a report does not."""
    return [sentence for source in _obtained(run) for sentence in source.told]


def _obtained(run: Run) -> list[Obtained]:
    data = run.data.data if isinstance(run.data, Reshaped) else run.data
    every = (data, *(corpus for corpus, _ in run.data.corpora.values()))
    return [source for source in every if isinstance(source, Obtained)]
