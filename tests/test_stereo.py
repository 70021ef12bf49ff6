"""Stereo, all the way: kept by every source, heard by the run and its baselines, carried by the artifact."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from rich.console import Console

from runs_helpers import write
from tympan.data import Source, Values, audio
from tympan.data.augmentations import Augmentation
from tympan.data.synthesizers import Synthesizer
from tympan.runs.baselines import Pool
from tympan.runs.configuration import load
from tympan.runs.train import train
from tympan.serving.answer import predict
from tympan.serving.artifact import Artifact, Config
from tympan.serving.listening import Listening
from tympan.signals import Signal

torch.set_num_threads(1)

RATE = 8000


class Panned(Synthesizer):
    """Noise whose level on the right is `balance` of that on the left."""

    def parameters(self, rng: np.random.Generator, index: int) -> dict[str, Any]:
        return {"balance": rng.uniform(0.1, 1.0)}

    def sound(self, rng: np.random.Generator, parameters: Values) -> np.ndarray:
        noise = 0.5 * rng.uniform(-1, 1, self.audio.frames)
        return np.stack([noise, parameters["balance"] * noise]).astype(np.float32)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stereo files and a table of their balance."""
    folder = tmp_path_factory.mktemp("stereo")
    source = Panned(size=40, sample_rate=RATE, duration=0.25, channels="keep")
    rows = ["path,balance"]
    for i in range(len(source)):
        example = source[i]
        audio.write(folder / f"{i}.wav", example.waveform, RATE)
        rows.append(f"{i}.wav,{example.values['balance']:.6f}")
    (folder / "index.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder / "index.csv"


def manifest(table: Path, **fields: Any) -> Source:
    return Source.model_validate(
        {"type": "manifest", "path": str(table), "sample_rate": RATE, "duration": 0.25, "channels": "keep", **fields}
    )


@pytest.mark.parametrize(
    ("how", "expected"),
    [("mean", [[1.5, 3.0]]), ("sum", [[3.0, 6.0]]), ("first", [[1.0, 2.0]]), ("keep", [[1.0, 2.0], [2.0, 4.0]])],
)
def test_a_synthesizers_channels_are_mixed_as_asked(how: str, expected: list[list[float]]) -> None:
    class Two(Panned):
        def sound(self, rng: np.random.Generator, parameters: Values) -> np.ndarray:
            return np.array([[1.0, 2.0], [2.0, 4.0]], np.float32)

    source = Two.model_validate({"channels": how, "sample_rate": RATE, "duration": "2 samples"})
    waveform = source[0].waveform
    assert waveform.tolist() == expected and waveform.dtype == np.float32
    assert len(source.audio.channels) == len(waveform)


def test_a_source_names_the_channels_that_it_keeps(table: Path) -> None:
    assert manifest(table).audio.channels == ("left", "right")
    assert manifest(table, channel_names=["bell", "chest"]).audio.channels == ("bell", "chest")
    assert manifest(table, channels="first").audio.channels == ("mono",)
    with pytest.raises(ValidationError, match="two channels have one name"):
        manifest(table, channel_names=["left", "left"])


@pytest.mark.parametrize("cache", [True, False])
def test_a_recording_with_other_channels_is_refused_by_name(table: Path, cache: bool) -> None:
    kept = manifest(table, cache=cache)
    assert kept[3].waveform.shape == kept.clip(3, 0, 0).waveform.shape == (2, 2000)
    three = manifest(table, cache=cache, channel_names=["left", "centre", "right"])
    for read in (lambda: three[3], lambda: three.clip(3, 0, 0)):
        with pytest.raises(ValueError, match=r"3\.wav has 2 channels, and 3 are heard \(left, centre, right\)"):
            read()


def test_a_synthesizer_with_other_channels_is_refused() -> None:
    tone = Synthesizer.model_validate({"type": "tone", "channels": "keep"})
    with pytest.raises(ValueError, match="synthesizer tone has 1 channel, and 2 are heard"):
        tone[0]
    named = Synthesizer.model_validate({"type": "tone", "channels": "keep", "channel_names": ["string"]})
    assert named[0].waveform.shape == (1, 48000) and named.audio.channels == ("string",)


def stereo_artifact(features: dict[str, Any], **listening: Any) -> Artifact:
    kept = {"sample_rate": RATE, "samples": 2000, "channels": "keep", "crop": "start", "padding": "left"}
    config = Config.model_validate(
        {
            "audio": {**kept, **listening},
            "features": features,
            "model": {"type": "cnn", "width": 4},
            "outputs": {"balance": {"target": {"type": "continuous", "quantities": ["balance"]}}},
        }
    )
    torch.manual_seed(0)
    return Artifact(config, config.build())


def test_an_artifact_carries_the_channels(table: Path, tmp_path: Path) -> None:
    source = manifest(table, channel_names=["bell", "chest"])
    listening = Listening.of(source)
    assert listening.audio == source.audio
    artifact = stereo_artifact({"type": "mel", "n_mels": 8, "window": 0.064}, channel_names=["bell", "chest"])
    artifact.save(tmp_path)
    loaded = Artifact.load(tmp_path)
    assert loaded.config.audio.audio == source.audio
    waveform = source[0].waveform
    (before,), (after,), (swapped,) = (a.hear([w]) for a, w in (
        (artifact, waveform), (loaded, waveform), (loaded, waveform[::-1])))  # fmt: skip
    assert before["balance"].equal(after["balance"])
    assert not before["balance"].equal(swapped["balance"])


def test_an_artifact_from_before_there_were_names_is_read(tmp_path: Path) -> None:
    stereo_artifact({"type": "waveform"}, channels="mean").save(tmp_path)
    file = tmp_path / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    del config["audio"]["channel_names"], config["features"]["sample_rate"]
    file.write_text(json.dumps(config), encoding="utf-8")
    assert Artifact.load(tmp_path).config.audio.audio.channels == ("mono",)


def test_an_artifact_refuses_other_channels_and_names_the_file(table: Path, tmp_path: Path) -> None:
    artifact = stereo_artifact({"type": "waveform"})
    audio.write(tmp_path / "one.wav", np.zeros((1, 2000), np.float32), RATE)
    with pytest.raises(ValueError, match="the recording has 1 channel"):
        next(artifact.hear([np.zeros((1, 2000), np.float32)]))
    with pytest.raises(ValueError, match=r"one\.wav has 1 channel, and 2 are heard"):
        list(predict(artifact, [str(tmp_path / "one.wav")]))
    refused: list[str] = []
    files = [str(tmp_path / "one.wav"), str(table.parent / "0.wav")]
    rows = list(predict(artifact, files, lambda file, why: refused.append(file)))
    assert refused == files[:1] and [row["file"] for row in rows] == files[1:]


@pytest.mark.parametrize("own", [None, 4000])
@pytest.mark.parametrize("channels", ["mean", "keep"])
def test_the_baselines_of_bare_samples_hear_a_spectrogram_of_every_channel(channels: str, own: int | None) -> None:
    artifact = stereo_artifact({"type": "waveform", "sample_rate": own}, channels=channels)
    pool = Pool(artifact)
    sides = 2 if channels == "keep" else 1
    # 1,024 samples have 513 bins; each has a mean and a deviation.
    assert pool(np.random.default_rng(0).normal(0, 0.1, (sides, 2000)).astype(np.float32)).shape == (2 * 513 * sides,)
    assert pool.representation.heard.rate == (own or RATE)


def test_the_baselines_of_one_wide_band_hear_that_band() -> None:
    artifact = stereo_artifact({"type": "mel", "n_mels": 1}, channels="mean")
    assert Pool(artifact).representation is artifact.pipeline.representation


def test_a_frequency_mask_hides_the_same_bands_on_every_side() -> None:
    signal = Signal(tuple(f"{side} {i}" for side in "ab" for i in range(20)), 100.0, 0.3, planes=2)
    x = torch.rand(64, 40, 30) + 1
    key = torch.stack([torch.zeros(64), torch.arange(64)], 1).long()
    mask = Augmentation.model_validate({"type": "frequency_mask", "max_width": 10})
    y, _ = mask(x, torch.ones(64, 30, dtype=torch.bool), key, 0, signal)
    hidden = (y != x).all(2)
    assert hidden[:, :20].equal(hidden[:, 20:]) and hidden.any(1).all()
    # One band on each side, which does not run on over the border between them.
    starts = (hidden[:, 1:20] & ~hidden[:, :19]).sum(1) + hidden[:, 0]
    assert starts.unique().tolist() == [1] and hidden[:, :20].sum(1).max() <= 10
    with pytest.raises(ValueError, match="features' 20 channels; set it to at most 10"):
        mask.model_copy(update={"max_width": 11})(x, torch.ones(64, 30, dtype=torch.bool), key, 0, signal)


@pytest.mark.slow
def test_a_run_hears_the_balance_that_mono_cannot(table: Path, tmp_path: Path) -> None:
    explained = {}
    for channels in ("keep", "mean"):
        file = write(
            tmp_path / channels / "run.yaml",
            data={"type": "manifest", "path": str(table), "sample_rate": RATE, "duration": 0.25, "channels": channels},
            features={"type": "mel", "n_mels": 8, "window": 0.064},
            target={"type": "continuous", "quantities": ["balance"]},
            training={"max_epochs": 12, "batch_size": 8},
            checkpoint={"checkpoint_dir": str(tmp_path / "runs")},
        )
        result = train(load(file), console=Console(quiet=True))
        explained[channels] = result.metrics["test"]["model"]["balance"]["r2"]["value"]
    assert explained["keep"] > 0.7 > 0.3 > explained["mean"], explained
