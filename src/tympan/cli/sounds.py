"""Commands that make data: generate, transform, prepare."""

from typing import Annotated, Literal

import typer

from .arguments import Config, Overrides, Progress

Subtype = Literal["PCM_16", "PCM_24", "PCM_32", "FLOAT"]
Layout = Literal["pmemo2019", "hku956"]


def generate(
    config: Annotated[str, typer.Argument(help="A run's configuration, one of `data` alone, or an official name.")],
    out: Annotated[str, typer.Argument(help="The folder to fill.")],
    overrides: Overrides = None,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    subtype: Annotated[Subtype | None, typer.Option(help="How samples are stored; by default PCM_24.")] = None,
    layout: Annotated[Layout | None, typer.Option(help="Write songs and listeners as this corpus comes.")] = None,
    only: Annotated[
        str | None,
        typer.Option(help="Make these entries of a complete folder again, and touch no other: 17,42 or 10-20."),
    ] = None,
) -> None:
    """Write a source's examples as sound files with what made them; continues where it was stopped, and makes again
    what was lost or changed."""
    from ..data import layouts
    from ..data.generate import generate as generate_folder
    from ..runs.configuration import load_source

    if layout and subtype:
        raise ValueError(f"--subtype: the songs of {layout} are mp3; leave it out")
    if layout and only is not None:
        raise ValueError(f"--only: entries of a folder, and {layout} has songs; leave it out, what is missing is made")
    source = load_source(config, overrides or ())
    entries = None if only is None else _entries(only, len(source))
    with Progress("generate") as progress:
        if layout:
            folder = layouts.write(source, out, layout, workers=workers, progress=progress)
        else:
            folder = generate_folder(
                source, out, subtype=subtype or "PCM_24", workers=workers, progress=progress, only=entries
            )
    typer.echo(str(folder))


def _entries(text: str, size: int) -> list[int]:
    """`17,42,50-52` -> 17, 42, 50, 51, 52, of so many entries."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash)) or int(first) > int(last or first):
            raise ValueError(f"--only: {part!r} is neither an entry nor a range of them; write 17,42 or 10-20")
        if int(last or first) >= size:
            raise ValueError(f"--only: {part!r} goes beyond the last of {size} entries, {size - 1}")
        found += range(int(first), int(last or first) + 1)
    return found


def transform(
    folder: Annotated[str, typer.Argument(help="A folder that `generate` filled, or kac_drumset.")],
    features: Annotated[
        list[str], typer.Argument(help="features.type=mel features.n_mels=64 …: all that is not default.")
    ],
) -> None:
    """Record in a dataset's folder the representation for runs that name no features; the sound stays as it is."""
    from ..runs.configuration import load_features
    from ..runs.transform import brief
    from ..runs.transform import transform as transform_folder

    chosen = load_features(features)
    if transform_folder(folder, chosen):
        typer.echo(f"{folder} now records {brief(chosen)}")
    else:
        typer.echo(f"{folder} records {brief(chosen)} already; nothing was written")


def prepare(
    config: Config,
    overrides: Overrides = None,
    workers: Annotated[int | None, typer.Option(help="Processes; by default one a core, four for a bucket.")] = None,
    bad: Annotated[str, typer.Option(help="How many files may be unusable: 20, or a share of all: 1%.")] = "1%",
) -> None:
    """Bring a whole corpus into the cache, decoded and resampled; continues where it was stopped. Files that cannot be
    used are listed; status 1 where they are more than `--bad`."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from ..data.cache import folder
    from ..data.prepare import prepare as prepare_source
    from ..runs.configuration import load_source

    source = load_source(config, overrides or ())
    number = bad.removesuffix("%")
    if not number.replace(".", "", 1).isdigit():
        raise ValueError(f"--bad is a number of files (20) or a share of all (1%), not {bad!r}")
    with Progress("prepare") as progress:
        kept = prepare_source(source, workers=workers, progress=progress)
    if not kept.files:
        typer.echo(f"{source.type} makes its sound and has no files: there is nothing to prepare")
        return
    good = kept.files - len(kept.bad)
    typer.echo(f"{good} of {kept.files} files are in {folder()}: {kept.new} are new, {good - kept.new} were there")
    if kept.bad:
        table = Table("not usable", "why")
        for one in kept.bad[:20]:
            table.add_row(escape(one.uri), escape(one.reason))
        Console().print(table)
        typer.echo(f"not usable: {len(kept.bad)}, all listed in {kept.quarantine}")
    allowed = int(float(number) / 100 * kept.files) if number != bad else int(float(number))
    if len(kept.bad) > allowed:
        typer.echo(f"that is more than the {allowed} that --bad {bad} allows; mend them, or take their rows out")
        raise typer.Exit(1)
