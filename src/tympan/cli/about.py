"""Commands about tympan itself: list, schema, doctor."""

from typing import Annotated

import typer


def list_components(kind: Annotated[str | None, typer.Argument(help="One kind: model, loss, ...")] = None) -> None:
    """Every choice of every kind, with what it is; nothing of it is imported. `official` are datasets by their
    published names, which `generate` makes the like of and `fetch` downloads."""
    from ..component import Component, did_you_mean
    from ..data import official
    from ..data.augmentations import Augmentation
    from ..data.datasets import Dataset
    from ..data.synthesizers import Synthesizer
    from ..features import Feature
    from ..models import Model
    from ..objectives import Loss, Metric, Target

    kinds: list[type[Component]] = [Dataset, Synthesizer, Augmentation, Feature, Model, Target, Loss, Metric]
    told = {k.__name__.lower(): k.summaries for k in kinds} | {"official": official.summaries}
    if kind and kind not in told:
        raise ValueError(f"unknown kind {kind!r}; one of: {', '.join(told)}{did_you_mean(kind, list(told))}")
    for name, summaries in told.items():
        if kind in (None, name):
            typer.echo(name)
            for choice, line in summaries().items():
                typer.echo(f"  {choice:<27} {line}")


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
