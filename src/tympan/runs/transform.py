"""The representation that a folder of samples records, and where a run's features came from."""

from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..data import storage
from ..data.dataset_folder import alone, read_about, write_about
from ..data.datasets.recorded import Recorded
from ..features import Feature
from ..representation import Representation
from ..signals import Signal
from .run import Run


def transform(root: str | Path, features: Feature) -> bool:
    """Record in a dataset's folder how its sound is to be represented, which runs that name no features then take.

    The samples stay as they are: features are made in the network, so that training and answering agree. It is
    dataset.yaml that is written, in one step, also beside kac_drumset's metadata.json.

    Returns: whether anything was written; nothing is where the folder says so already.

    Raises:
        ValueError: the folder is no complete dataset or is being written, or its sound cannot be so represented.
    """
    # Its own rate is not known before it is read, and the length of a clip does not matter here.
    data = Recorded.model_validate({"type": "recorded", "root": str(root), "sample_rate": 1, "duration": 1})
    longest = max(data.describe(i).duration or 0 for i in range(len(data)))
    rate = data.about["sample_rate"]
    if rate and longest:
        Representation(Signal(("mono",), float(rate), longest), "left", features)
    place = data.folder
    with nullcontext() if storage.is_remote(place) else alone(storage.local_path(place)):
        there = _written(place)
        with suppress(ValidationError):  # what cannot be read is replaced
            if Feature.model_validate(there.get("features", data.own_features)) == features:
                return False
        write_about(place, {**there, "features": features.model_dump(mode="json")})
    return True


def _written(place: str) -> dict[str, Any]:
    try:
        return read_about(place)
    except FileNotFoundError:  # kac_drumset's, which has none
        return {}


def origin(run: Run) -> str:
    """Where a run's features came from, where its data record some; else nothing."""
    own = run.data.own_features
    if own is None:
        return ""
    recorded = Feature.model_validate(dict(own))
    if recorded == run.features:
        return f"features are those that the data record: {brief(recorded)}"
    return (
        f"features are the configuration's, {brief(run.features)}; the data record others, {brief(recorded)}, which a "
        "configuration without features would take"
    )


def brief(feature: Feature) -> str:
    """The type, and the fields that have not their default: `mel (n_mels: 64)`."""
    fields = type(feature).model_fields
    told = [f"{name}: {getattr(feature, name)}" for name in fields if getattr(feature, name) != fields[name].default]
    return f"{feature.type} ({', '.join(told)})" if told else str(feature.type)
