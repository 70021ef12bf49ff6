"""Commands that ask a trained model: predict, embed."""

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from .arguments import Device, Out, Sounds, Trained, Trust


def predict(run: Trained, sounds: Sounds, out: Out = None, trust: Trust = None, device: Device = "auto") -> None:
    """Measure sounds: one row each, outputs in their units."""
    from ..serving.answer import predict as answer
    from ..serving.artifact import Artifact

    _answers(answer, Artifact.load(run, trust or (), device), sounds, out)


def embed(
    run: Trained,
    sounds: Sounds,
    out: Annotated[str, typer.Option("--out", "-o", help="Where to: .parquet, .jsonl or .csv.")] = "embeddings.parquet",
    trust: Trust = None,
    device: Device = "auto",
) -> None:
    """The backbone's embedding of sounds: file, start, end, vector."""
    from ..serving.answer import embed as answer
    from ..serving.artifact import Artifact

    _answers(answer, Artifact.load(run, trust or (), device), sounds, out)


def _answers(answer: Callable[..., Any], artifact: Any, sounds: list[str], out: str | None) -> None:
    from ..serving import answer as tables

    refused: list[str] = []

    def refuse(file: str, why: str) -> None:
        refused.append(file)
        sys.stderr.write(f"left out: {why}\n")

    rows = answer(artifact, sounds, refuse)
    if out is None:
        typer.echo(tables.text(list(rows), ".csv"), nl=False)
    else:
        typer.echo(f"{tables.write(rows, out)} rows in {out}", err=True)
        typer.echo(out)
    if refused:
        raise typer.Exit(1)
