"""Commands about runs: train, runs, resume, evaluate, compare, check, sweep."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .arguments import Config, Device, Named, Other, Overrides, Progress, Trust

if TYPE_CHECKING:
    from ..runs.run import Run
    from ..runs.train import Result

Method = Literal["random", "tpe", "grid"]


def train(
    config: Config,
    overrides: Overrides = None,
    dry_run: Annotated[bool, typer.Option(help="Two steps, a checkpoint, a reload, an evaluation.")] = False,
    wandb: Annotated[bool, typer.Option(help="Log to Weights & Biases, as `logging` says, else offline.")] = False,
) -> None:
    """Train, export the best checkpoint, evaluate it beside baselines, and write a report."""
    from ..runs import agent
    from ..runs.configuration import load

    run = load(config, agent.overrides(overrides or ()))
    _alone(run)
    from ..runs.train import train as train_run  # seconds, for which a mistake in the file need not wait

    if wandb or agent.under():  # an agent is asked for by a server, which waits for figures
        run = run.tracked("online" if agent.under() else "offline")
    _tell(train_run(run, dry_run=dry_run))


def sweep(
    config: Config,
    space: Annotated[Path, typer.Argument(help="What is varied: a sweep file of Weights & Biases.")],
    overrides: Overrides = None,
    trials: Annotated[int, typer.Option(help="How many, where the file does not say fewer.")] = 20,
    workers: Annotated[int, typer.Option(help="Trials at once, each in a process.")] = 1,
    method: Annotated[Method | None, typer.Option(help="How values are chosen, instead of the file's way.")] = None,
    seed: Annotated[int, typer.Option(help="Decides what is tried.")] = 0,
    retries: Annotated[int, typer.Option(help="How often a trial is tried again whose process died.")] = 1,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The sweep's folder; by default sweeps/NAME.")] = None,
) -> None:
    """Train many times to find the best values of some fields; goes on where it was stopped. The test part is not
    heard."""
    from rich.console import Console

    from ..reports import sweep as page
    from ..runs.sweep import Sweep
    from ..runs.trials import sweep as search

    plan = Sweep(Path(config), space, tuple(overrides or ()), out, trials, method, seed, retries)
    if plan.space.unread:
        typer.echo(
            f"{space}: {', '.join(plan.space.unread)}: for an agent of Weights & Biases, not read here", err=True
        )
    found = search(plan, workers=workers)
    page.render(found, plan.goal.name, Console())
    if (plan.out / "best.yaml").is_file():
        typer.echo(f"train the best, and hear the test part: tympan train {plan.out / 'best.yaml'}")
    typer.echo(str(plan.out))
    if not any(trial.state == "complete" for trial in found):
        typer.echo("no trial came to an end, and there is no best", err=True)
        raise typer.Exit(1)


def resume(
    run: Annotated[str, typer.Argument(help="The folder of a run that was stopped, a path or URI.")],
    overrides: Overrides = None,
) -> None:
    """Go on with a run that was stopped, from its newest whole checkpoint; does nothing where it has ended."""
    from ..data import storage
    from ..runs.configuration import load

    if storage.exists(kept := storage.join(run, "run.yaml")):
        _alone(load(kept, overrides or ()))
    from ..runs.resume import Ended  # seconds, for which a mistake in an override need not wait
    from ..runs.resume import resume as resume_run

    try:
        _tell(resume_run(run, overrides or ()))
    except Ended as ended:
        typer.echo(str(ended))


def runs(
    folder: Annotated[str, typer.Argument(help="Where runs are made, on this machine.")] = "runs",
) -> None:
    """List the runs in a folder, the newest first: status, step, best figure, age."""
    from rich.console import Console
    from rich.table import Table

    from ..runs.listing import runs as listed

    table = Table("run", "status", "step", "best", "age", box=None, pad_edge=False)
    for run in listed(folder):
        best = "" if run.best is None else f"{run.metric} {run.best:.4g}"
        table.add_row(run.folder.name, run.status, "" if run.step is None else f"{run.step:,}", best, _ago(run.age))
    Console().print(table)


def _ago(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _alone(run: "Run") -> None:
    """Go on in this process; or, where the run wants several, start them with this very command, and end with them."""
    from ..runs import launch

    if launch.wanted(run.hardware):
        raise typer.Exit(launch.launch(sys.argv[1:], run.hardware.num_gpus))


def _tell(result: "Result") -> None:
    from ..runs import ranks

    if ranks.rank():  # process 0 says it
        return
    from rich.console import Console

    from ..reports import terminal

    terminal.render(result.metrics, Console())
    terminal.render_judged(result.folder, Console())
    for alarm in result.alarms:
        typer.echo(f"NOT FAIR: {alarm}")
    typer.echo(f"report: {result.paths['report']}")
    typer.echo(str(result.folder))


def evaluate(
    run: Annotated[str, typer.Argument(help="A run's folder, a path or URI; with --weights a configuration.")],
    overrides: Overrides = None,
    test: Annotated[bool, typer.Option("--test", help="Hear the test part too, where `test: false` left it.")] = False,
    data: Other = None,
    dataset: Named = None,
    weights: Annotated[
        str | None, typer.Option(help="Bare weights, .safetensors or .pth, which the configuration describes.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Score a run's artifact again, on its own validation and test parts or on other data; or bare weights."""
    from rich.console import Console

    from ..data import copies, storage
    from ..reports import terminal
    from ..runs import other
    from ..runs.again import evaluate_again
    from ..runs.configuration import load

    if dataset and not data:
        raise ValueError("--dataset: names the data of --data; without that, leave it out")
    if (data and (weights or test)) or (overrides and not weights):
        raise ValueError("--data: goes with a run alone; --weights and section.field=value with a configuration")
    if weights:
        metrics, folder = other.evaluate_weights(load(run, overrides or ()), weights, device=device)
    elif data:
        metrics, folder = other.evaluate_on(run, data, dataset=dataset, device=device)
    else:
        metrics, folder = evaluate_again(run, test=test, device=device), run
    terminal.render(metrics, Console())
    here = copies.here(folder)
    terminal.render_judged(here, Console(), load(here / "run.yaml").clinical)
    if (here / "report" / "index.html").is_file():
        typer.echo(f"report: {storage.join(folder, 'report', 'index.html')}")
    typer.echo(str(folder))


def compare(
    runs: Annotated[list[str], typer.Argument(help="Runs' folders; the first is the yardstick.", metavar="RUN RUN...")],
    out: Annotated[str | None, typer.Option("--out", "-o", help="The page; by default beside the yardstick.")] = None,
    trust: Trust = None,
) -> None:
    """Say which runs are better than the first: paired differences on the recordings that both have answered."""
    from rich.console import Console

    from ..data import storage
    from ..reports import comparison, comparison_page
    from ..runs.compare import compare as compare_runs

    made = compare_runs(runs, trust or ())
    page = comparison_page.write(made, out or storage.join(runs[0], "report", "comparison.html"))
    comparison.render(made, Console())
    typer.echo(str(page))


def check(config: Config, overrides: Overrides = None) -> None:
    """Say what is wrong with a configuration, then read its data: what is usable, what is not, and why."""
    from rich.console import Console

    from ..runs.configuration import load

    run = load(config, overrides or ())
    typer.echo(f"{config}: the configuration is sound")
    from ..runs.check import check as check_run
    from ..runs.check import show

    with Progress("check") as progress:
        found = check_run(run, progress)
    show(found, Console())
    if not found.sound:
        raise typer.Exit(1)


def import_naip(
    arguments: Annotated[list[str], typer.Argument(help="args.json, or the old program's command line.")],
) -> None:
    """Print the configuration that arguments of mayo-timm stand for: tympan import-naip args.json > run.yaml."""
    from ..runs.naip_arguments import imported

    text = arguments[0] if len(arguments) == 1 else shlex.join(arguments)
    if len(arguments) == 1 and Path(text).suffix == ".json":
        from ..data import storage

        text = storage.read_text(text)
    typer.echo(imported(text), nl=False)
