"""The command line: thin wrappers of the package's functions; what is heavy is imported when a command runs."""

import sys
import warnings
from typing import Any

import typer

from .about import doctor, list_components, schema
from .answers import embed, orchestrate, predict
from .fetching import fetch, upload
from .sounds import generate, prepare, transform
from .training import check, compare, evaluate, import_naip, resume, runs, sweep, train

app = typer.Typer(
    help="Learn to measure from sound: train, evaluate and serve models from one configuration file.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (
    *(train, runs, resume, evaluate, compare, predict, embed, orchestrate),
    *(generate, transform, fetch, upload, prepare, check, sweep),
    *(import_naip, doctor, schema),
):
    # An agent of a sweep writes parameters as options, --model.dropout=0.1; and those of another program are imported.
    app.command(context_settings={"ignore_unknown_options": command in (train, import_naip)})(command)
app.command("list")(list_components)


def main() -> None:
    """Run the command line; mistakes of the user's are told in one line and end with status 2, a run without a
    whole checkpoint with 3, one that was asked to stop with 143, or 130 by ctrl-C."""
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
    except (ValueError, OSError, RuntimeError) as error:
        if isinstance(error, BrokenPipeError):
            sys.exit(0)
        status = getattr(error, "status", None)
        if isinstance(error, RuntimeError) and status is None:
            raise  # a mistake of ours, whose place in the code matters
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2 if status is None else status)
