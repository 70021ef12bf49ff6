"""Commands that make data: generate."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from .arguments import Overrides, Progress

Subtype = Literal["PCM_16", "PCM_24", "PCM_32", "FLOAT"]


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
    with Progress("generate") as progress:
        folder = generate_folder(source, out, subtype=subtype, workers=workers, progress=progress)
    typer.echo(str(folder))
