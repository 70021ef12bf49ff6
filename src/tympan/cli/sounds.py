"""Commands that make data: generate."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from .arguments import Overrides, Progress

Subtype = Literal["PCM_16", "PCM_24", "PCM_32", "FLOAT"]
Layout = Literal["pmemo2019", "hku956"]


def generate(
    config: Annotated[Path, typer.Argument(help="A run's configuration, or one that holds `data` alone.")],
    out: Annotated[str, typer.Argument(help="The folder to fill.")],
    overrides: Overrides = None,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    subtype: Annotated[Subtype | None, typer.Option(help="How samples are stored; by default PCM_24.")] = None,
    layout: Annotated[Layout | None, typer.Option(help="Write songs and listeners as this corpus comes.")] = None,
) -> None:
    """Write a source's examples as sound files with what made them; continues where it was stopped."""
    from ..data import layouts
    from ..data.generate import generate as generate_folder
    from ..runs.configuration import load_source

    if layout and subtype:
        raise ValueError(f"--subtype: the songs of {layout} are mp3; leave it out")

    source = load_source(config, overrides or ())
    with Progress("generate") as progress:
        if layout:
            folder = layouts.write(source, out, layout, workers=workers, progress=progress)
        else:
            folder = generate_folder(source, out, subtype=subtype or "PCM_24", workers=workers, progress=progress)
    typer.echo(str(folder))
