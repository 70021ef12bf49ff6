"""Commands that ask a trained model: predict, embed, orchestrate."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

import typer

from .arguments import Device, Named, Other, Out, Sounds, Trained, Trust

Layer = Literal["pt", "ft", "st"]
Pooling = Literal["mean", "max", "sum"]


def predict(
    run: Trained,
    sounds: Sounds,
    out: Out = None,
    picture: Annotated[
        bool, typer.Option(help="With --out, also a PNG of each sound and of what was answered over its time.")
    ] = True,
    trust: Trust = None,
    device: Device = "auto",
) -> None:
    """Measure sounds: one row each, or one for each frame of an answer over time, outputs in their units."""
    from ..serving.answer import predict as answer
    from ..serving.artifact import Artifact

    artifact = Artifact.load(run, trust or (), device)
    if artifact.config.provenance.get("clinical"):
        from ..reports.clinical import NO_DEVICE

        typer.echo(NO_DEVICE, err=True)
    pictured = Pictures(artifact, out) if out and picture else None
    _answers(partial(answer, seen=pictured), artifact, sounds, out)


class Pictures:
    """Draws each sound beside the table of answers; only what has a rate is drawn."""

    def __init__(self, artifact: Any, out: str) -> None:
        self.artifact, self.stem, self.drawn = artifact, out.rpartition(".")[0], 0

    def __call__(self, file: str, waveform: Any, heard: Any) -> None:
        """Draw one sound: `OUT.png` the first, `OUT-2.png` the second."""
        from ..reports import picture

        answers = {}
        for name, output in self.artifact.config.outputs.items():
            if output.target.rate and output.target.space == "real":
                for column, values in self.artifact.decode({name: heard[name]}).items():
                    unit = output.target.unit[column]
                    answers[f"{column} ({unit})" if unit else column] = output.target.rate, values[0]
        if answers:
            self.drawn += 1
            path = f"{self.stem}{f'-{self.drawn}' if self.drawn > 1 else ''}.png"
            name = file.rstrip("/").rpartition("/")[2]
            picture.write(path, name, waveform, self.artifact.config.audio.sample_rate, answers)
            typer.echo(path, err=True)


def embed(
    run: Trained,
    sounds: Annotated[
        list[str] | None, typer.Argument(help="Sound files, folders or URIs; by default the run's own data.")
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            "-o",
            help="Where to: .parquet, .jsonl or .csv; by default below the run, in embeddings/, or of the files given "
            "embeddings.parquet here.",
        ),
    ] = None,
    data: Other = None,
    dataset: Named = None,
    layer: Annotated[
        Layer, typer.Option(help="pt: the backbone; ft: the first dense layer; st: the shared one.")
    ] = "pt",
    pooling: Annotated[Pooling, typer.Option(help="Of the frames of pt, or the classifiers of ft.")] = "mean",
    trust: Trust = None,
    device: Device = "auto",
) -> None:
    """Embeddings of sounds: id, subject, split, layer, start, end, vector."""
    from ..serving.answer import embed as answer
    from ..serving.artifact import Artifact

    if sounds and data:
        raise ValueError("--data: names recordings, and so do the files given; leave one of them out")
    if dataset and not data:
        raise ValueError("--dataset: names the data of --data; without that, leave it out")
    artifact = Artifact.load(run, trust or (), device)
    given: Any = sounds
    if not sounds:
        from ..runs.other import named_recordings, output, run_of

        folder = run_of(run)
        given = named_recordings(folder, data)
        out = out or f"{output(folder, 'embeddings', data, dataset)}.parquet"
    _answers(partial(answer, layer=layer, pooling=pooling), artifact, given, out or "embeddings.parquet")


def orchestrate(
    run: Trained,
    recording: Annotated[str, typer.Argument(help="A sound file or URI.")],
    out: Annotated[str, typer.Option("--out", "-o", help="A folder.")] = "orchestrated",
    instrument: Annotated[
        str | None, typer.Option(help="A configuration whose data plays; by default what the run was trained on.")
    ] = None,
    threshold: Annotated[float, typer.Option(help="Rise in dB that is a stroke; lower finds softer ones.")] = 0.6,
    seed: Annotated[int | None, typer.Option(help="Decides what of the drum is not measured.")] = None,
    trust: Trust = None,
    device: Device = "auto",
) -> None:
    """Measure every stroke of a recording and play it again: score.csv, score.mid and piece.wav."""
    from ..runs.configuration import load_source
    from ..serving import orchestrate as playing
    from ..serving.artifact import Artifact
    from ..serving.instrument import Instrument

    artifact = Artifact.load(run, trust or (), device)
    source = load_source(instrument) if instrument else None
    plays = Instrument.of(artifact, playing.RATE, playing.RINGS, source, seed, trust or ())
    strokes = playing.orchestrate(artifact, recording, out, plays, threshold)
    typer.echo(f"{len(strokes)} strokes, played by {plays.source.type} from {', '.join(plays.names)}", err=True)
    typer.echo(out)


def _answers(answer: Callable[..., Any], artifact: Any, sounds: Any, out: str | None) -> None:
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
