"""A run walked from Python: reshaped data, a plain module, the test part handed over, losses; no file pretends."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from torch import Tensor, nn

from runs_helpers import DRUM, ONE_EPOCH
from tympan.data.reshaped import Reshaped
from tympan.runs import export
from tympan.runs.again import evaluate_again
from tympan.runs.configuration import load
from tympan.runs.prepare import prepare
from tympan.runs.routine import Routine
from tympan.runs.run import Run
from tympan.runs.train import resume
from tympan.serving.artifact import Artifact

QUIET = Console(quiet=True)
PLAIN = {k: v for k, v in DRUM.items() if k not in ("features", "model")}


class Net(nn.Module):
    """A linear layer behind a rectified one, of 256 samples."""

    def __init__(self, outputs: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(256, 8), nn.ReLU(), nn.Linear(8, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def first(x: np.ndarray) -> np.ndarray:
    return x[0, :256]


def radius(values: Any) -> dict[str, float]:
    return {"radius": values["diameter"] / 2}


def routine(tmp_path: Path, **fields: Any) -> Routine:
    given = {**PLAIN, "training": ONE_EPOCH, "checkpoint": {"checkpoint_dir": str(tmp_path / "runs")}, **fields}
    return Routine(given)


def walked(tmp_path: Path, **fields: Any) -> Routine:
    target = {"type": "continuous", "quantities": {"radius": "m"}}
    return routine(tmp_path, target=target, **fields).reshape(x=first, y=radius).model(Net)


def test_a_walk_reshapes_trains_a_plain_module_hands_over_the_test_part_and_tells_its_losses(tmp_path: Path) -> None:
    walk = walked(tmp_path)
    seen = []
    result = walk.train(lambda *batch: seen.append(batch), console=QUIET)
    assert walk.losses.keys() == {"train", "validation", "test"}
    parts = json.loads((result.folder / "split.json").read_text())
    assert [(index, count) for index, count, *_ in seen] == [(i, len(seen)) for i in range(len(seen))]
    x, y, said = (torch.cat([one(b) for b in seen]) for one in (lambda b: b[2], lambda b: b[3]["radius"],
                                                               lambda b: b[4]["radius"]))  # fmt: skip
    ids = parts["test"]["ids"]
    assert x.shape == (len(ids), 256) and y.shape == said.shape == (len(ids),)
    source = Run.model_validate(DRUM).data
    for place, id in enumerate(ids):
        example = source[int(id)]
        np.testing.assert_array_equal(x[place], example.waveform[0, :256])
        assert float(y[place]) == pytest.approx(example.values["diameter"] / 2, rel=1e-5)
        assert float(said[place]) == pytest.approx(walk.predict(example.waveform)["radius"].item(), rel=1e-5)
    assert result.metrics["test"]["model"]["radius"]["mae"]["value"] == pytest.approx(float((y - said).abs().mean()))
    mean, std = walk._prepared(result.folder).run.target.mean[0], walk._prepared(result.folder).run.target.std[0]  # type: ignore[union-attr]
    mse = float((((y - said) / std) ** 2).mean())
    assert walk.losses["test"] == pytest.approx(mse, rel=1e-4)
    with torch.no_grad():
        np.testing.assert_allclose(walk.module(x)[:, 0] * std + mean, said, rtol=1e-5)


def test_what_is_pythons_own_leaves_weights_that_no_one_takes_for_an_artifact(tmp_path: Path) -> None:
    walk = walked(tmp_path)
    folder = walk.train(console=QUIET).folder
    assert {p.name for p in (folder / "model").iterdir()} == {"weights.safetensors", "README.md"}
    Net().load_state_dict(load_file(folder / "model" / "weights.safetensors"))
    for path in (folder, folder / "model"):
        with pytest.raises(ValueError, match="a module or a function of Python's own"):
            Artifact.load(path)
    readme = (folder / "model" / "README.md").read_text()
    assert "routine.load" in readme and "tympan predict" not in readme and f"{Net.__module__}.Net" in readme
    with pytest.raises(ValueError, match="a module of Python, which no file holds") as refused:
        load(folder / "run.yaml")
    assert "a function of Python, which no file holds" in str(refused.value)
    with pytest.raises(ValueError, match="which no file holds"):
        evaluate_again(folder)
    (folder / "summary.json").unlink()  # as if it had been stopped
    with pytest.raises(ValueError, match="which no file holds"):
        resume(folder, console=QUIET)
    sound = walk.data[3].waveform
    assert walked(tmp_path).load(folder).predict(DRUM_SOUND)["radius"] == walk.predict(DRUM_SOUND)["radius"]
    assert sound.shape == (1, 256)
    with pytest.raises(ValueError, match="not of this routine"):
        routine(tmp_path).reshape(x=lambda x: x[0, :100]).model(lambda: nn.Linear(100, 1)).load(folder)
    with pytest.raises(FileNotFoundError, match="no run of a routine"):
        walked(tmp_path).load(tmp_path)


DRUM_SOUND = Run.model_validate(DRUM).data[5].waveform


def weights(walk: Routine) -> Tensor:
    """Of the first layer, before training."""
    run = walk.run
    return next(export.own(prepare(run, run.divide()[0]).pipeline()).parameters())


def test_a_class_is_made_with_the_seed_and_a_module_is_begun_with_and_left_alone(tmp_path: Path) -> None:
    assert torch.equal(weights(walked(tmp_path, seed=1)), weights(walked(tmp_path, seed=1)))
    assert not torch.equal(weights(walked(tmp_path, seed=1)), weights(walked(tmp_path, seed=2)))
    mine = Net()
    before = next(mine.parameters()).clone()
    walk = walked(tmp_path).model(mine)
    assert torch.equal(weights(walk), before)
    walk.train(console=QUIET, dry_run=True)
    assert not torch.equal(next(walk.module.parameters()), before)
    assert torch.equal(next(mine.parameters()), before)


@pytest.mark.parametrize(
    ("x", "shape"),
    [
        (None, (16, 1, 1600)),
        (lambda x: x[:, :300], (16, 1, 300)),
        (lambda x: x[0], (16, 1600)),
        (lambda x: torch.from_numpy(x).unfold(1, 200, 200)[0], (16, 8, 200)),
    ],
)
def test_a_module_hears_what_x_gives_in_batches(tmp_path: Path, x: Any, shape: tuple[int, ...]) -> None:
    heard = set()

    class Ears(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(int(np.prod(shape[1:])), 1)

        def forward(self, x: Tensor) -> Tensor:
            heard.add(tuple(x.shape[1:]))
            return self.last(x.flatten(1))

    walk = routine(tmp_path).model(Ears)
    walk = walk.reshape(x=x) if x else walk
    run = walk.run
    prepared = prepare(run, run.divide()[0])
    clips = prepared.clips("train")
    said = prepared.pipeline()(prepared.collate([clips[0], clips[1], clips[2]])["waveform"])
    assert heard == {shape[1:]} and said["prediction"]["target"].shape == (3, 1, 1)


def test_features_of_the_run_lie_between_x_and_the_module(tmp_path: Path) -> None:
    walk = routine(tmp_path, features=DRUM["features"]).reshape(x=lambda x: x[0])
    assert weights(walk.model(lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(1)))).shape == (1, 16 * 11)


def test_a_model_of_tympans_on_reshaped_sound_leaves_weights_and_on_reshaped_values_an_artifact(tmp_path: Path) -> None:
    target = {"type": "continuous", "quantities": {"radius": "m"}}
    fields = {"features": DRUM["features"], "model": DRUM["model"], "target": target}
    values = routine(tmp_path, **fields).reshape(y=radius)
    folder = values.train(console=QUIET).folder
    said = Artifact.load(folder)
    assert said.decode(next(iter(said.hear([DRUM_SOUND])))) == values.predict(DRUM_SOUND)
    both = routine(tmp_path, **fields).reshape(x=lambda x: x[:, ::2], y=radius)
    folder = both.train(console=QUIET).folder
    with pytest.raises(ValueError, match="a module or a function of Python's own"):
        Artifact.load(folder)
    again = routine(tmp_path, **fields).reshape(x=lambda x: x[:, ::2], y=radius).load(folder)
    assert again.predict(DRUM_SOUND) == both.predict(DRUM_SOUND)


def test_folds_train_as_many_times_and_losses_are_their_means(tmp_path: Path) -> None:
    walk = walked(tmp_path, split={"folds": 2})
    result = walk.train(console=QUIET)
    assert (result.folder / "fold-1" / "model" / "weights.safetensors").is_file()
    assert set(walk.losses) == {"train", "validation", "test"}
    with pytest.raises(ValueError, match="there is not one"):
        _ = walk.module


def test_strokes_of_a_drum_stay_in_one_part_and_the_order_is_the_sources(tmp_path: Path) -> None:
    data, inner = walked(tmp_path).data, Run.model_validate(DRUM).data
    assert data.group == inner.group == "drum"
    assert [data.describe(i).groups for i in range(60)] == [inner.describe(i).groups for i in range(60)]
    assert walked(tmp_path).run.divide() == Run.model_validate(DRUM).divide()


def test_what_does_not_fit_is_refused_in_a_sentence(tmp_path: Path) -> None:
    for wrong, why in (
        (lambda: walked(tmp_path).model(lambda: Net(2)).train(console=QUIET), r"gives \(2, 2\); it must give \(2, 1\)"),
        (lambda: walked(tmp_path).model(lambda: 3).train(console=QUIET), "makes int"),  # type: ignore[arg-type,return-value]
        (lambda: walked(tmp_path, head={"pooling": "max"}).run, "its own last layer"),
        (lambda: walked(tmp_path, seeds=[1, 2]).model(Net()).run, "give what makes it"),
        (lambda: walked(tmp_path, test=False).train(print, console=QUIET), "with a test part"),
        (lambda: walked(tmp_path, split={"folds": 2}).train(print, console=QUIET), "for one training"),
        (lambda: routine(tmp_path).reshape(x=lambda x: x[None]), "shape"),
        (lambda: routine(tmp_path, data={**DRUM["data"], "crop": "all"}).reshape(x=first), "take start or onset"),
        (lambda: walked(tmp_path).reshape(x=lambda x: np.full(3, np.nan)).data[0], "not finite"),
        (lambda: walked(tmp_path).reshape(x=lambda x: x[0, x[0] > 0]).data[1], "and of the first example"),
        (lambda: walked(tmp_path).reshape(y=lambda y: [1.0]).data[0], "give names and their values"),  # type: ignore[arg-type,return-value]
        (lambda: walked(tmp_path).losses, "train first"),
        (lambda: walked(tmp_path).module, "train or load"),
    ):
        with pytest.raises(ValueError, match=why):
            wrong()


def test_a_target_over_time_is_refused(tmp_path: Path) -> None:
    target = {"type": "continuous", "quantities": ["diameter"], "rate": 100}
    with pytest.raises(ValueError, match="answers once per clip"):
        _ = routine(tmp_path, target=target).model(Net).run


def test_functions_that_cannot_be_sent_are_refused_where_workers_are_no_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("multiprocessing.get_start_method", lambda: "spawn")
    walk = walked(tmp_path, loader={"num_workers": 2}).reshape(x=lambda x: x[0, :256])
    with pytest.raises(ValueError, match="at the top of a file"):
        walk.train(console=QUIET)


@pytest.mark.filterwarnings("ignore::tympan.component.AssumptionWarning")
def test_data_are_obtained_first_and_the_run_says_how(tmp_path: Path) -> None:
    data = {"type": "obtained", "root": str(tmp_path / "drums"), "sample_rate": 16000, "duration": 0.1,
            "otherwise": {"type": "circular_membrane", "size": 60}}  # fmt: skip
    walk = routine(tmp_path, data=data).reshape(x=first).model(Net)
    result = walk.train(console=QUIET, dry_run=True)
    assert (tmp_path / "drums" / "dataset.yaml").is_file()
    assert any("were generated" in note for note in json.loads((result.folder / "summary.json").read_text())["notes"])


def test_a_walk_begins_with_a_run_of_a_file_too(tmp_path: Path) -> None:
    run = Run.model_validate({**DRUM, "training": ONE_EPOCH, "checkpoint": {"checkpoint_dir": str(tmp_path)}})
    walk = Routine(run).model(lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(1)))
    assert walk.train(console=QUIET, dry_run=True).status == "complete" and isinstance(walk.data, type(run.data))
    assert not isinstance(walk.data, Reshaped)


def test_shared_weights_are_kept(tmp_path: Path) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.last = nn.Linear(256, 256), nn.Linear(256, 256), nn.Linear(256, 1)
            self.b.weight = self.a.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.b(self.a(x).relu()))

    walk = walked(tmp_path).model(Tied)
    walk.train(console=QUIET, dry_run=True)
    assert np.isfinite(walk.predict(DRUM_SOUND)["radius"]).all()
