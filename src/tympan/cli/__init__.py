"""The command line: thin wrappers of the package's functions; what is heavy is imported when a command runs."""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

app = typer.Typer(
    help="Learn to measure from sound: train, evaluate and serve models from one configuration file.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Subtype = Literal["PCM_16", "PCM_24", "PCM_32", "FLOAT"]
Config = Annotated[Path, typer.Argument(help="A run's configuration, YAML or JSON.")]
Overrides = Annotated[list[str] | None, typer.Argument(help="section.field=value, as many as needed.")]
Trained = Annotated[str, typer.Argument(help="A run's folder, or an artifact's.")]
Sounds = Annotated[list[str], typer.Argument(help="Sound files, folders or URIs.")]
Trust = Annotated[
    list[str] | None, typer.Option(help="Dotted path of a component outside tympan that may be imported.")
]
Out = Annotated[str | None, typer.Option("--out", "-o", help="Where to: .csv, .jsonl or .parquet.")]


def main() -> None:
    """Run the command line; mistakes of the user's are told in one line and end with status 2."""
    plain = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any) -> None:
        """What tympan assumes is a sentence for people; warnings of others keep their place in the code."""
        if category.__module__.startswith("tympan."):
            sys.stderr.write(f"note: {message}\n")
        else:
            plain(message, category, *place)

    warnings.showwarning = show
    try:
        app()
    except (ValueError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            sys.exit(0)
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)


@app.command()
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


@app.command()
def evaluate(run: Trained) -> None:
    """Score a run's artifact again on its validation and test parts, and write its figures and report anew."""
    from rich.console import Console

    from ..reports import table
    from ..runs.again import evaluate_again

    table.render(evaluate_again(run), Console())
    typer.echo(run)


@app.command()
def predict(run: Trained, sounds: Sounds, out: Out = None, trust: Trust = None) -> None:
    """Measure sounds: one row each, outputs in their units."""
    from ..serving.answer import predict as answer

    _answers(answer, run, sounds, out, trust)


@app.command()
def embed(
    run: Trained,
    sounds: Sounds,
    out: Annotated[str, typer.Option("--out", "-o", help="Where to: .parquet, .jsonl or .csv.")] = "embeddings.parquet",
    trust: Trust = None,
) -> None:
    """The backbone's embedding of sounds: file, start, end, vector."""
    from ..serving.answer import embed as answer

    _answers(answer, run, sounds, out, trust)


@app.command()
def generate(
    config: Annotated[Path, typer.Argument(help="A run's configuration, or one that holds `data` alone.")],
    out: Annotated[str, typer.Argument(help="The folder to fill.")],
    overrides: Overrides = None,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    subtype: Annotated[Subtype, typer.Option(help="How samples are stored.")] = "PCM_24",
) -> None:
    """Write a source's examples as sound files with what made them; continues where it was stopped."""
    from ..data.generate import generate as generate_folder
    from ..runs.configuration import load_source

    source = load_source(config, overrides or ())
    with _progress("generate") as progress:
        folder = generate_folder(source, out, subtype=subtype, workers=workers, progress=progress)
    typer.echo(str(folder))


@app.command()
def check(config: Config, overrides: Overrides = None) -> None:
    """Say what is wrong with a configuration, then read its data: what is usable, what is not, and why."""
    from rich.console import Console

    from ..runs.configuration import load

    run = load(config, overrides or ())
    typer.echo(f"{config}: the configuration is sound")
    from ..runs.check import check as check_run
    from ..runs.check import show

    with _progress("check") as progress:
        found = check_run(run, progress)
    show(found, Console())
    if not found.sound:
        raise typer.Exit(1)


@app.command("list")
def list_components(kind: Annotated[str | None, typer.Argument(help="One kind: model, loss, ...")] = None) -> None:
    """Every choice of every kind, with what it is; nothing of it is imported."""
    from ..component import Component, did_you_mean
    from ..data import Augmentation, Dataset, Synthesizer
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


@app.command()
def schema() -> None:
    """The JSON Schema of a run's configuration, for editors."""
    import json

    from ..runs.run import Run

    typer.echo(json.dumps(Run.model_json_schema(), indent=1, ensure_ascii=False))


def _answers(answer: Callable[..., Any], run: str, sounds: list[str], out: str | None, trust: list[str] | None) -> None:
    from ..serving import answer as tables
    from ..serving.artifact import Artifact

    refused: list[str] = []

    def refuse(file: str, why: str) -> None:
        refused.append(file)
        sys.stderr.write(f"left out: {why}\n")

    rows = answer(Artifact.load(run, trust or ()), sounds, refuse)
    if out is None:
        typer.echo(tables.text(list(rows), ".csv"), nl=False)
    else:
        typer.echo(f"{tables.write(rows, out)} rows in {out}", err=True)
        typer.echo(out)
    if refused:
        raise typer.Exit(1)


class _progress:
    """A bar on a terminal, a line every ten seconds elsewhere."""

    def __init__(self, title: str) -> None:
        self.title = title

    def __enter__(self) -> Callable[[int, int], None]:
        import time

        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        self.bar = Progress(console=console) if console.is_terminal else None
        said = time.monotonic()
        task = self.bar.add_task(self.title) if self.bar else None
        if self.bar:
            self.bar.start()

        def progress(done: int, total: int) -> None:
            nonlocal said
            if self.bar and task is not None:
                self.bar.update(task, completed=done, total=total)
            elif time.monotonic() - said > 10:
                said = time.monotonic()
                console.print(f"{self.title}: {done} of {total}", highlight=False)

        return progress

    def __exit__(self, *error: object) -> None:
        if self.bar:
            self.bar.stop()
