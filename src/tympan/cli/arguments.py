"""What several commands share: their arguments, and progress for people."""

from collections.abc import Callable
from typing import Annotated

import typer

from ..device import Name

Config = Annotated[str, typer.Argument(help="A run's configuration, YAML or JSON; a path or URI.")]
Overrides = Annotated[list[str] | None, typer.Argument(help="section.field=value, as many as needed.")]
Trained = Annotated[str, typer.Argument(help="A run's folder, or an artifact's; a path or URI.")]
Other = Annotated[str | None, typer.Option("--data", help="Another folder or table, of the kind of the run's data.")]
Named = Annotated[str | None, typer.Option("--dataset", help="How --data is called in outputs; by default its folder.")]
Sounds = Annotated[list[str], typer.Argument(help="Sound files, folders or URIs.")]
Trust = Annotated[
    list[str] | None, typer.Option(help="Dotted path of a component outside tympan that may be imported.")
]
Device = Annotated[Name, typer.Option(help="What answers; auto takes the best here.")]
Out = Annotated[str | None, typer.Option("--out", "-o", help="Where to: .csv, .jsonl or .parquet.")]


class Progress:
    """A bar on a terminal, a line every ten seconds elsewhere."""

    def __init__(self, title: str) -> None:
        self.title = title

    def __enter__(self) -> Callable[[int, int], None]:
        import time

        from rich.console import Console
        from rich.progress import Progress as Bar

        console = Console(stderr=True)
        self.bar = Bar(console=console) if console.is_terminal else None
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
