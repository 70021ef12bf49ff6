"""Commands about runs: train, evaluate, check."""

from typing import Annotated

import typer

from .arguments import Config, Overrides, Progress, Trained


def train(
    config: Config,
    overrides: Overrides = None,
    dry_run: Annotated[bool, typer.Option(help="Two steps, a checkpoint, a reload, an evaluation.")] = False,
) -> None:
    """Train, export the best checkpoint, evaluate it beside baselines, and write a report."""
    from rich.console import Console

    from ..reports import table
    from ..runs.configuration import load
    from ..runs.train import train as train_run

    result = train_run(load(config, overrides or ()), dry_run=dry_run)
    table.render(result.metrics, Console())
    typer.echo(f"report: {result.paths['report']}")
    typer.echo(str(result.folder))


def evaluate(run: Trained) -> None:
    """Score a run's artifact again on its validation and test parts, and write its figures and report anew."""
    from rich.console import Console

    from ..reports import table
    from ..runs.again import evaluate_again

    table.render(evaluate_again(run), Console())
    typer.echo(run)


def check(config: Config, overrides: Overrides = None) -> None:
    """Say what is wrong with a configuration, then read its data: what is usable, what is not, and why."""
    from rich.console import Console

    from ..runs.configuration import load

    run = load(config, overrides or ())
    typer.echo(f"{config}: the configuration is sound")
    from ..runs.check import check as check_run
    from ..runs.check import show

    with Progress("check") as progress:
        found = check_run(run, progress)
    show(found, Console())
    if not found.sound:
        raise typer.Exit(1)
