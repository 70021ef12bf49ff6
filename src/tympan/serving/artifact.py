"""A folder that answers: config.json, model.safetensors and README.md; loading it runs no code that it brings."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import SerializeAsAny, ValidationError
from safetensors.torch import save_file
from torch import Tensor

from .. import __version__, memory
from ..component import Section, trusted
from ..data import copies, storage
from ..data.batch import pad
from ..device import device as device_of
from ..features import Feature
from ..frames import Pooling
from ..models import Model
from ..objectives.decision import decided, kept
from ..output import Output
from ..pipeline import Layer, Pipeline
from ..signals import frames_within
from .listening import Listening, Waveform
from .stitch import apart, stitch
from .weights import filled

WEIGHTS_ALONE = "weights.safetensors"
"""What is kept of a run that no config.json can describe."""


class Config(Section):
    """config.json: everything that builds the pipeline, and where it came from."""

    format: Literal[1] = 1
    tympan: str = __version__
    audio: Listening
    features: SerializeAsAny[Feature]
    model: SerializeAsAny[Model]
    outputs: dict[str, Output]
    provenance: dict[str, Any] = {}

    def build(self) -> Pipeline:
        """The pipeline with fresh weights."""
        return Pipeline(self.audio.audio, self.audio.padding, self.features, self.model.bare(), self.outputs)


class Artifact:
    """A trained pipeline that takes a waveform and answers in units and labels."""

    def __init__(self, config: Config, pipeline: Pipeline) -> None:
        self.config, self.pipeline = config, pipeline.eval()
        rates = [output.target.rate for output in config.outputs.values()]
        self._apart = apart(pipeline.reach, rates, config.audio.sample_rate)

    @classmethod
    def load(cls, folder: str | Path, trust: Sequence[str] = (), device: str = "cpu") -> "Artifact":
        """Read an artifact's folder, or a run's folder that holds one as `model/`.

        Args:
            folder: its path or URI; of a bucket it is brought into the cache.
            trust: dotted paths of components outside tympan that may be imported.
            device: what answers: cpu, cuda, mps, or auto for the best that is here.

        Raises:
            FileNotFoundError: there is no artifact.
            ValueError: the artifact is damaged, of another version, or names code that is not trusted; or there is no
                such device.
        """
        chosen = device_of(device)
        path = copies.here(folder)
        path = path / "model" if (path / "model" / "config.json").is_file() else path
        file = path / "config.json"
        if not file.is_file():
            for weights in (path / WEIGHTS_ALONE, path / "model" / WEIGHTS_ALONE):
                if weights.is_file():
                    raise ValueError(
                        f"{weights}: weights alone, which no file says how to use: the run had a module or a function "
                        "of Python's own; README.md beside them says what to do"
                    )
            raise FileNotFoundError(
                f"{folder}: holds no artifact (config.json) and no run that ended (model/config.json)"
            )
        token = trusted.set(frozenset(trust))
        try:
            config = Config.model_validate_json(file.read_bytes())
        except ValidationError as error:
            why = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise ValueError(f"{file}: {why}") from error
        finally:
            trusted.reset(token)
        pipeline = filled(config, config.build, file, path / "model.safetensors")
        return cls(config, pipeline.to(chosen))

    def told(self, **provenance: Any) -> "Artifact":
        """The same artifact, of which more is known."""
        told = {**self.config.provenance, **provenance}
        return Artifact(self.config.model_copy(update={"provenance": told}), self.pipeline)

    def save(self, folder: str | Path) -> None:
        """Write the folder, each file of it whole or not at all."""
        path = Path(folder)
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in self.pipeline.state_dict().items()}
        with storage.aside(path / "model.safetensors") as written:
            save_file(state, written)
        self.describe(path)

    def describe(self, folder: str | Path, card: str = "") -> None:
        """Write config.json and README.md beside the weights; `card` is its text, by default what `print` shows."""
        path = Path(folder)
        config = self.config.model_copy(update={"model": self.config.model.bare()}).model_dump(mode="json")
        storage.write_text(path / "config.json", json.dumps(config, indent=2, ensure_ascii=False) + "\n")
        storage.write_text(path / "README.md", card or f"```\n{self}\n```\n")

    def hear(self, waveforms: Iterable[Waveform], batch_size: int = 32) -> Iterator[dict[str, Tensor]]:
        """The prediction for each recording, before decoding: `{output: (channels, frames)}`.

        Where a recording is heard in several windows, what is said once per clip is averaged before decoding, and what
        has a rate is laid end to end with overlaps averaged, or each frame is taken from the window that holds all of
        what it hears, where that is known (`Model.reach`). A model that hears its own past has one for the whole of
        a recording: it is heard in one go, with levels and standardisation over all of it.
        """
        whole = self.pipeline.autoregressive
        for starts, windows_of in self._batched(waveforms, batch_size, self._forward, whole):
            near, rate = bool(self._apart), self.config.audio.sample_rate
            yield {
                name: stitch(starts, [w[name] for w in windows_of], output.target.rate, rate, near)
                for name, output in self.config.outputs.items()
            }

    def embed(
        self, waveforms: Iterable[Waveform], batch_size: int = 32, layer: Layer = "pt", pooling: Pooling = "mean"
    ) -> Iterator[list[tuple[float, float, Tensor]]]:
        """The embeddings of each recording: start and end (s) of the sound in every window, without what it is padded
        with, and `(width,)`, as `Pipeline.embed`."""
        rate = self.config.audio.sample_rate
        ask = partial(self._embed, layer=layer, pooling=pooling)
        for starts, embedded in self._batched(waveforms, batch_size, ask):
            yield [(s / rate, (s + length) / rate, v) for s, (length, v) in zip(starts, embedded, strict=True)]

    def decode(self, heard: Mapping[str, Tensor]) -> dict[str, Float[np.ndarray, "values frames"]]:
        """One recording's prediction in units, probabilities and classes, by output."""
        decoded: dict[str, np.ndarray] = {}
        for name, prediction in heard.items():
            answer = self.config.outputs[name].target.decode(prediction[None])
            decoded.update({output: values[0] for output, values in answer.items()})
        return decoded

    def columns(self, heard: Mapping[str, Tensor]) -> list[dict[str, Any]]:
        """One recording's prediction as rows of a table, one for each frame of each rate."""
        rows: list[dict[str, Any]] = []
        for name, output in self.config.outputs.items():
            answer = output.target.decode(heard[name][None])
            values = {key: values[0] for key, values in answer.items()}
            columns = output.target.columns(values) | decided(kept(self.config.provenance), values)
            frames = max(len(column) for column in columns.values())
            if frames == 1 and rows and len(rows) == 1:
                rows[0].update({key: column[0] for key, column in columns.items()})
            else:
                rows += [{key: column[i] for key, column in columns.items()} for i in range(frames)]
        return rows

    def __str__(self) -> str:
        audio, features = self.config.audio, self.pipeline.represented
        lines = [
            f"artifact   of run {self.config.provenance.get('run', 'unknown')}, tympan {self.config.tympan}",
            f"input      {audio.samples / audio.sample_rate:g} s of sound at {audio.sample_rate} Hz, channels: "
            f"{audio.channels}, crop: {audio.crop}, padding: {audio.padding}",
            f"features   {self.config.features.type}: {len(features.channels)} channels at "
            f"{features.rate or 0:g} Hz, {features.frames} frames",
            f"model      {self.config.model.type}: {sum(p.numel() for p in self.pipeline.parameters()):,} parameters",
            *([f"           {self.pipeline.explained}"] if self.pipeline.explained else []),
        ]
        for name, output in self.config.outputs.items():
            target = output.target
            rate = f"{target.rate:g} Hz" if target.rate else "once per clip"
            lines.append(f"output     {name}: {target.type}, {rate}")
            for key in target.outputs:
                unit = f" [{target.unit[key]}]" if target.unit[key] else ""
                lines.append(f"           - {key}{unit}")
            if target.space == "class":
                lines.append(f"           classes: {', '.join(target.signal(1.0).channels)}")
        return "\n".join(lines)

    @torch.inference_mode()
    def _forward(self, waveform: Tensor, samples: Tensor) -> list[dict[str, Tensor]]:
        prediction = self.pipeline(waveform, samples=samples)["prediction"]
        seconds = [n / self.config.audio.sample_rate for n in samples.tolist()]
        return [
            {k: self._of_sound(k, p[i].float().cpu(), s) for k, p in prediction.items()} for i, s in enumerate(seconds)
        ]

    def _of_sound(self, name: str, prediction: Tensor, seconds: float) -> Tensor:
        """The frames of a clip's own sound, without those of the padding."""
        rate = self.config.outputs[name].target.rate
        if rate is None:
            return prediction
        frames = min(max(frames_within(seconds, rate), 1), prediction.shape[1])
        return prediction[:, -frames:] if self.config.audio.padding == "left" else prediction[:, :frames]

    @torch.inference_mode()
    def _embed(self, waveform: Tensor, samples: Tensor, layer: Layer, pooling: Pooling) -> list[tuple[int, Tensor]]:
        vectors = self.pipeline.embed(waveform, samples, layer, pooling).float().cpu()
        return list(zip(samples.tolist(), vectors, strict=True))

    def _batched(
        self, waveforms: Iterable[Waveform], batch_size: int, ask: Any, whole: bool = False
    ) -> Iterator[tuple[list[int], list[Any]]]:
        audio = self.config.audio
        device = next(self.pipeline.parameters()).device
        if device.type == "cpu":
            memory.keep()
        self.pipeline.eval()
        waiting: list[tuple[list[int], list[Any]]] = []
        clips: list[tuple[int, Tensor]] = []

        def answer() -> None:
            batch = torch.stack([pad(c, max(audio.samples, c.shape[1]), audio.padding) for _, c in clips])
            samples = torch.tensor([clip.shape[1] for _, clip in clips])
            for (owner, _), said in zip(clips, ask(batch.to(device), samples.to(device)), strict=True):
                waiting[owner][1].append(said)
            clips.clear()

        for recording in waveforms:
            begin, waveform = audio.trimmed(recording)
            starts, length = audio.starts(waveform, *self._apart), audio.samples
            alone = whole and len(starts) > 1
            if alone:
                starts, length = [0], waveform.shape[1]
                if clips:
                    answer()
            waiting.append(([begin + first for first in starts], []))
            for first in starts:
                clip = np.array(waveform[:, first : first + length], np.float32)
                clips.append((len(waiting) - 1, torch.from_numpy(clip)))
                if alone or len(clips) == batch_size:
                    answer()
            while not clips and waiting:
                yield waiting.pop(0)
        if clips:
            answer()
        yield from waiting
