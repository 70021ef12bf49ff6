"""Commands that bring and send: fetch, upload."""

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


def upload(
    run: Annotated[str, typer.Argument(help="A run's folder on this machine.")],
    to: Annotated[
        str, typer.Argument(help="The folder of a bucket to copy it into: gs://bucket/runs, s3://bucket/runs.")
    ],
) -> None:
    """Copy a run into a bucket, each file compared with what came; one that is there whole is not sent again, and
    ids.csv stays here."""
    from ..data import storage
    from ..data.upload import send
    from ..runs import ids

    folder = storage.local_path(run)
    with Progress("upload") as progress:
        copy = send(folder, storage.join(to, folder.name), progress, without=(ids.FILE,))
    typer.echo(f"{copy.sent} files ({copy.size:,} bytes) were sent, {copy.there} were there", err=True)
    for name in copy.kept:
        typer.echo(f"left here, since it tells whose the codes are: {name}", err=True)
    typer.echo(copy.uri)
