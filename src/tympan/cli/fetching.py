"""The command that downloads: fetch."""

from contextlib import ExitStack
from typing import Annotated

import typer

from .arguments import Progress


def fetch(
    name: Annotated[str, typer.Argument(help="An official dataset; `tympan list official` names them.")],
    out: Annotated[str | None, typer.Argument(help="The folder to make; by default of the dataset's name.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a dataset that is there, at the end.")] = False,
) -> None:
    """Download an official dataset of kac_drumset, check it and unpack it; continues where it was stopped."""
    from ..data.fetch import fetch as fetch_official

    with ExitStack() as stack:
        bars = {}

        def progress(stage: str, done: int, total: int) -> None:
            """Show the stage that is being gone through; a terminal has one bar at a time."""
            if stage not in bars:
                stack.close()
                bars[stage] = stack.enter_context(Progress(f"{stage} (MB)"))
            bars[stage](done // 10**6, total // 10**6)

        folder = fetch_official(name, out or name, replace=replace, progress=progress)
    typer.echo(str(folder))
