"""A run walked step by step from Python: obtain data, reshape them, give a plain module, train, read losses."""

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from rich.console import Console
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import TrainerCallback

from ..component import called
from ..data import Source, Values, copies, yaml_file
from ..data.reshaped import Reshaped
from ..data.split import Parts
from ..device import device
from ..head import Head
from ..serving.artifact import WEIGHTS_ALONE, Artifact
from ..serving.listening import Listening
from . import export
from .again import named_parts
from .batches import OnTestBatch, hand_over
from .plain import Plain
from .prepare import Prepared
from .run import Run
from .train import Result, train


class Routine:
    """What kac_prediction's `Routine` is: one run, of which data and network may be Python's own.

        routine = Routine({"data": "circular_membrane", "target": ..., "training": ...})
        routine.reshape(x=lambda x: x[0, :1024], y=lambda y: {"radius": y["diameter"] / 2})
        routine.model(Net)
        routine.train(on_test_batch=...)
        print(routine.losses, routine.predict(waveform))

    Splits, early stopping, seeds, device, baselines and the report are those of any run. What is Python's own is in no
    file: such a run is neither resumed nor evaluated again from its folder, and leaves weights in place of an artifact.
    """

    def __init__(self, run: Run | Mapping[str, Any]) -> None:
        """Begin with a run, or with its fields as a configuration says them.

        Args:
            run: `features` and `model` may be left out where a module is given; it then hears the samples as they are.
        """
        self._fields = {k: getattr(run, k) for k in run.model_fields_set} if isinstance(run, Run) else dict(run)
        self._source: Source = Source.model_validate(self._fields.get("data"))
        self._plain: Callable[..., Any] | None = None
        self._result: Result | None = None
        self._artifact: Artifact | None = None

    @property
    def data(self) -> Source:
        """The examples, reshaped: `data[i].waveform`, `data[i].values`; obtained when the first is asked for."""
        return self._source

    def reshape(
        self, x: Callable[[np.ndarray], Any] | None = None, y: Callable[[Values], Values] | None = None
    ) -> "Routine":
        """Change what is heard and what is known, clip by clip, in place of an earlier `reshape`.

        Args:
            x: a clip `(channels, samples)`, padded to `data.duration`, to `(samples,)` or `(channels, samples)`, the
                same shape for every clip. A module of your own hears these, stacked.
            y: what is known of an example by name, to what is to be known of it by name.

        Raises:
            ValueError: the function of the first clip gives another number of axes, or the data cannot be reshaped.
        """
        whole = self._source.data if isinstance(self._source, Reshaped) else self._source
        self._source = Reshaped.of(whole, x, y)
        return self

    def model(self, module: nn.Module | Callable[[], nn.Module]) -> "Routine":
        """Train a plain module: `(batch, samples)` or `(batch, channels, samples)` to `(batch, outputs)`.

        Args:
            module: one whose weights are begun with, which is itself left as it is; or better its class, or a function
                that makes one, for then the run's seed decides the weights.
        """
        self._plain = module
        return self

    @property
    def run(self) -> Run:
        """The run so far, validated whole.

        Raises:
            ValueError: something in it is wrong, or does not fit a plain module or reshaped data.
        """
        return self._run({})

    def _run(self, fitted: Mapping[str, Any]) -> Run:
        fields, source = {**self._fields, **fitted, "data": self._source}, self._source
        if self._plain is not None:
            if fields.get("targets") or fields.get("head"):
                raise ValueError("a module of your own has its own last layer and one target: leave head, targets out")
            if isinstance(self._plain, nn.Module) and len(fields.get("seeds") or ()) > 1:
                raise ValueError("seeds: a module that is made already begins alike with each; give what makes it")
            if fields.get("features") is None and source.own_features is None:
                fields["features"] = {"type": "waveform", "normalize": "none"}
            flat = isinstance(source, Reshaped) and source.flat
            fields |= {"model": Plain(module=self._plain, flat=flat), "head": _Nothing()}
        run = Run.model_validate(fields)
        if isinstance(run.model, Plain) and run.features.type != "waveform" and run.model.flat:
            run = run.model_copy(update={"model": run.model.model_copy(update={"flat": False})})
        timed = any(output.target.rate for output in run.outputs.values())
        if timed and (self._plain is not None or (isinstance(source, Reshaped) and source.x)):
            raise ValueError(
                "target.rate: a module of your own answers once per clip, and sound that x has changed has other times;"
                " write a tympan.models.Model, or a source of your own"
            )
        return run

    def train(
        self,
        on_test_batch: OnTestBatch | None = None,
        *,
        console: Console | None = None,
        dry_run: bool = False,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> Result:
        """Train as `tympan.runs.train.train` does, with the same arguments.

        Args:
            on_test_batch: called with each batch of the test part, once, after training, with the best weights.

        Raises:
            ValueError: the parts do not fit, or there is not one test part for `on_test_batch`.
        """
        run = self.run
        several = bool(run.split.folds) or len(run.seeds) > 1
        if on_test_batch and (several or not run.test):
            raise ValueError("on_test_batch: is for one training with a test part; leave out folds, seeds, test: false")
        _check_workers(run)
        result = train(run, console=console, dry_run=dry_run, callbacks=callbacks)
        if not several:
            self.load(result.folder)
        self._result = result
        if on_test_batch:
            hand_over(self._prepared(result.folder, run.data), self._artifact_there().pipeline, on_test_batch)
        return result

    def load(self, folder: str | Path) -> "Routine":
        """Take up what an earlier training of this very routine learned, in place of `train`.

        Raises:
            FileNotFoundError: the folder holds no run that ended.
            ValueError: the weights are not for this routine.
        """
        folder = copies.here(folder)
        weights = folder / "model" / WEIGHTS_ALONE
        if export.portable(self.run):
            self._artifact = Artifact.load(folder, trust=self.run.elsewhere)
        elif not weights.is_file():
            raise FileNotFoundError(f"{folder}: holds no run of a routine that ended ({weights})")
        else:
            prepared = self._prepared(folder)
            pipeline = prepared.pipeline()
            try:
                export.own(pipeline).load_state_dict(load_file(weights))
            except (RuntimeError, SafetensorError) as error:
                raise ValueError(f"{weights}: is not of this routine: {error}") from error
            self._artifact = prepared.artifact(pipeline)
        self._artifact.pipeline.to(device(self.run.hardware.device, "hardware.device"))
        return self

    @property
    def losses(self) -> Mapping[str, float]:
        """The loss of `train`, `validation` and `test` at the best checkpoint; of several trainings the means."""
        if self._result is None:
            raise ValueError("there are no losses yet: train first")
        return self._result.losses

    @property
    def module(self) -> nn.Module:
        """The module with the best weights; of tympan's own models the whole pipeline."""
        return export.own(self._artifact_there().pipeline)

    def predict(
        self, waveform: Float[np.ndarray, "_channels _samples"]
    ) -> dict[str, Float[np.ndarray, "_values _frames"]]:
        """What is measured of one recording at the data's sample rate, by output, in its units."""
        artifact, source = self._artifact_there(), self._source
        if isinstance(source, Reshaped) and source.x:
            listening = Listening.of(source.data)
            waveform = listening.trimmed(waveform)[1]
            start = listening.starts(waveform)[0]
            waveform = source.sound(waveform[:, start : start + source.data.audio.frames], "the recording")
        return artifact.decode(next(iter(artifact.hear([waveform]))))

    def _artifact_there(self) -> Artifact:
        if self._artifact is None:
            raise ValueError("there is no model yet: train or load; over several folds or seeds there is not one")
        return self._artifact

    def _prepared(self, folder: Path, named: Source | None = None) -> Prepared:
        """The run as its folder tells of it, and the parts of the data where these are given."""
        kept = yaml_file.read((folder / "run.yaml").read_text(encoding="utf-8"), str(folder / "run.yaml"))[0]
        decided = ("seed", "features", "target", "loss", "targets")
        fitted = {name: kept[name] for name in decided if kept[name] not in (None, {})}
        parts = Parts([], [], []) if named is None else named_parts(folder / "split.json", named)
        return Prepared(self._run(fitted), parts)


class _Nothing(Head):
    """No head: what the backbone gives is the prediction."""

    def build(self, embedding: Any, target: Any) -> nn.Module:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _AsItIs()


class _AsItIs(nn.Module):
    def begin(self, last: Mapping[str, Tensor]) -> None:
        """No weights."""

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        return x.float()


def _check_workers(run: Run) -> None:
    """Refuse functions that cannot be sent to workers, where these are no copies of this process."""
    if not isinstance(run.data, Reshaped) or not run.loader.num_workers:
        return
    own = [called(f) for f in (run.data.x, run.data.y) if f is not None]
    if multiprocessing.get_start_method() != "fork" and any("<" in name for name in own):
        raise ValueError(
            f"reshape: {' and '.join(own)}: what is written inside of a function, or is a lambda, cannot be sent to "
            "workers here; define it at the top of a file, or set loader.num_workers: 0"
        )
