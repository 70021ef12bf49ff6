"""Commands that ask a trained model: predict, embed."""

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from .arguments import Out, Sounds, Trained, Trust


def predict(run: Trained, sounds: Sounds, out: Out = None, trust: Trust = None) -> None:
    """Measure sounds: one row each, outputs in their units."""
    from ..serving.answer import predict as answer

    _answers(answer, run, sounds, out, trust)


def embed(
    run: Trained,
    sounds: Sounds,
    out: Annotated[str, typer.Option("--out", "-o", help="Where to: .parquet, .jsonl or .csv.")] = "embeddings.parquet",
    trust: Trust = None,
) -> None:
    """The backbone's embedding of sounds: file, start, end, vector."""
    from ..serving.answer import embed as answer

    _answers(answer, run, sounds, out, trust)


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
