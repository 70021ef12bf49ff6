"""Commands about tympan itself: list, schema, doctor."""

from typing import Annotated

import typer


def list_components(kind: Annotated[str | None, typer.Argument(help="One kind: model, loss, ...")] = None) -> None:
    """Every choice of every kind, with what it is; nothing of it is imported."""
    from ..component import Component, did_you_mean
    from ..data.augmentations import Augmentation
    from ..data.datasets import Dataset
    from ..data.synthesizers import Synthesizer
    from ..features import Feature
    from ..models import Model
    from ..objectives import Loss, Metric, Target

    kinds: list[type[Component]] = [Dataset, Synthesizer, Augmentation, Feature, Model, Target, Loss, Metric]
    names = {k.__name__.lower(): k for k in kinds}
    if kind and kind not in names:
        raise ValueError(f"unknown kind {kind!r}; one of: {', '.join(names)}{did_you_mean(kind, list(names))}")
    for name, found in names.items():
        if kind in (None, name):
            typer.echo(name)
            for choice, line in found.summaries().items():
                typer.echo(f"  {choice:<28}{line}")


def schema() -> None:
    """The JSON Schema of a run's configuration, for editors."""
    import json

    from ..runs.run import Run

    typer.echo(json.dumps(Run.model_json_schema(), indent=1, ensure_ascii=False))


def doctor() -> None:
    """Say what this machine has, what is wrong with it, and the line that mends it; status 1 where something is."""
    from rich.console import Console

    from ..machine.doctor import diagnose, show

    found = diagnose()
    show(found, Console())
    if found.problems:
        raise typer.Exit(1)
