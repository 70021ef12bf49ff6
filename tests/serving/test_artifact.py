"""An artifact answers what the pipeline answers, says what it is, and runs nothing that it brings."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tympan.output import Output
from tympan.pipeline import Pipeline
from tympan.serving.artifact import Artifact, Config
from tympan.serving.listening import Listening


def made(crop: str = "all", rate: float | None = None, padding: str = "left", space: str = "continuous") -> Artifact:
    target = {
        "continuous": {"type": "continuous", "quantities": {"diameter": "m", "depth": "cm"}, "rate": rate},
        "categorical": {"type": "categorical", "column": "digit", "classes": ["one", "two", "three"]},
        "binary": {"type": "binary", "labels": ["als", "bulbar"]},
    }[space]
    config = Config.model_validate(
        {
            "audio": {"sample_rate": 8000, "samples": 8000, "channels": "mean", "crop": crop, "padding": padding},
            "features": {"type": "mel", "n_mels": 8, "window": 0.032, "hop": 0.016},
            "model": {"type": "cnn", "width": 4, "stride": 1},
            "outputs": {"size": {"target": target}},
        }
    )
    torch.manual_seed(0)
    return Artifact(config, config.build())


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, (1, round(8000 * seconds))).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made().save(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("space", ["continuous", "categorical", "binary"])
def test_what_is_saved_answers_as_what_was_trained(tmp_path: Path, space: str) -> None:
    artifact = made(space=space)
    artifact.save(tmp_path)
    (before,), (after,) = (a.hear([noise(1.0)]) for a in (artifact, Artifact.load(tmp_path)))
    assert torch.equal(before["size"], after["size"])
    pipeline: Pipeline = artifact.pipeline
    direct = pipeline(torch.from_numpy(noise(1.0))[None])["prediction"]["size"][0]
    torch.testing.assert_close(before["size"], direct, atol=1e-6, rtol=1e-6)


def test_a_runs_folder_is_read_through_its_model_folder(folder: Path) -> None:
    assert str(Artifact.load(folder.parent)).count("cnn") == 1


def test_it_says_what_it_takes_and_answers(tmp_path: Path) -> None:
    text = str(made())
    for words in ("8000 Hz", "1 s of sound", "mel: 8 channels", "cnn", "diameter [m]", "depth [cm]", "once per clip"):
        assert words in text
    assert "one, two, three" in str(made(space="categorical"))
    made().save(tmp_path)
    assert "diameter [m]" in (tmp_path / "README.md").read_text()


def test_batches_do_not_matter() -> None:
    artifact = made()
    sounds = [noise(s, i) for i, s in enumerate((0.3, 1.0, 2.7, 0.7, 5.0))]
    together = list(artifact.hear(sounds, batch_size=4))
    alone = [next(artifact.hear([sound], batch_size=1)) for sound in sounds]
    for a, b in zip(together, alone, strict=True):
        torch.testing.assert_close(a["size"], b["size"], atol=1e-5, rtol=1e-5)


def test_a_long_recording_is_heard_in_overlapping_windows() -> None:
    artifact = made()
    sound = noise(2.0)
    (whole,) = artifact.hear([sound])
    parts = list(artifact.hear([sound[:, s : s + 8000] for s in (0, 4000, 8000)]))
    torch.testing.assert_close(whole["size"], torch.stack([p["size"] for p in parts]).mean(0), atol=1e-5, rtol=1e-5)


def test_windows_of_a_target_with_a_rate_are_laid_end_to_end() -> None:
    (heard,) = made(rate=4.0).hear([noise(3.25)])
    assert heard["size"].shape == (2, 13)
    rows = made(rate=4.0).columns(heard)
    assert len(rows) == 13
    assert rows[-1]["time (s)"] == 3.0


@pytest.mark.parametrize("padding", ["left", "right"])
def test_a_short_recording_is_padded_where_training_padded_it(padding: str) -> None:
    artifact = made(padding=padding)
    sound = noise(0.5)
    silence = np.zeros((1, 4000), np.float32)
    sides = (silence, sound) if padding == "left" else (sound, silence)
    padded = torch.from_numpy(np.concatenate(sides, 1))[None]
    said = artifact.pipeline(padded, samples=torch.tensor([4000]))["prediction"]["size"][0]
    torch.testing.assert_close(next(artifact.hear([sound]))["size"], said, atol=1e-6, rtol=1e-6)


def test_onset_hears_one_window_from_the_stroke() -> None:
    sound = np.concatenate([np.zeros((1, 6000), np.float32), noise(1.5)], 1)
    artifact = made(crop="onset")
    assert artifact.config.audio.starts(sound) == pytest.approx([6000], abs=20)
    (late,), (early,) = artifact.hear([sound]), artifact.hear([sound[:, 6000 - 8 :]])
    torch.testing.assert_close(late["size"], early["size"], atol=1e-2, rtol=1e-2)


def test_embeddings_come_with_their_windows() -> None:
    (windows,) = made().embed([noise(2.0)])
    assert [(start, end) for start, end, _ in windows] == [(0.0, 1.0), (0.5, 1.5), (1.0, 2.0)]
    assert all(vector.shape == (4,) for _, _, vector in windows)


@pytest.mark.parametrize("padding", ["left", "right"])
def test_a_window_ends_where_its_sound_does(padding: str) -> None:
    artifact = made(padding=padding)
    ((start, end, _),), ((first, last, _),) = artifact.embed([noise(0.5), noise(1.0)])
    assert (start, end, first, last) == (0.0, 0.5, 0.0, 1.0)
    quiet = np.zeros((1, 2000), np.float32)
    audio = artifact.config.audio.model_copy(update={"trim": 40.0})
    trimmed = Artifact(artifact.config.model_copy(update={"audio": audio}), artifact.pipeline)
    (((start, end, _),),) = trimmed.embed([np.concatenate([quiet, noise(0.5), quiet], 1)])
    assert (start, end) == pytest.approx((0.2, 0.8))  # with 50 ms on both sides of what sounds


def change(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def test_code_outside_tympan_is_refused_unless_it_is_trusted(folder: Path, tmp_path: Path,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    (tmp_path / "somebodys").mkdir()
    (tmp_path / "somebodys" / "model.py").write_text(
        "from pathlib import Path\nfrom tympan.models.cnn import CNN\n"
        f"Path({str(tmp_path / 'ran')!r}).touch()\nclass Theirs(CNN): pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    change(folder, model={"type": "somebodys.model", "width": 4, "stride": 1})
    with pytest.raises(ValueError, match="may not name"):
        Artifact.load(folder)
    assert not (tmp_path / "ran").exists()
    assert Artifact.load(folder, trust=["somebodys.model"]).config.model.type == "somebodys.model"
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda f: (f / "model.safetensors").unlink(), "is missing"),
        (lambda f: (f / "model.safetensors").write_bytes(b"junk" * 10), "does not fit"),
        (lambda f: change(f, model={"type": "cnn", "width": 5, "stride": 1}), "does not fit"),
        (lambda f: change(f, model={"type": "lstm"}), "does not fit"),
        (lambda f: change(f, format=2), "format"),
        (lambda f: change(f, surprise=1), "surprise"),
        (lambda f: (f / "config.json").write_text("{"), "JSON"),
        (lambda f: shutil.rmtree(f), "holds no artifact"),
    ],
)
def test_a_damaged_artifact_is_refused_with_its_file(folder: Path, damage: object, says: str) -> None:
    assert callable(damage)
    damage(folder)
    with pytest.raises((ValueError, FileNotFoundError), match=says) as caught:
        Artifact.load(folder)
    assert str(folder) in str(caught.value)


def test_an_output_has_its_targets_own_loss_and_metrics() -> None:
    output = Output.model_validate({"target": {"type": "binary", "labels": ["als"]}})
    assert output.criterion.type == "bce"
    assert "auroc" in {m.type for m in output.figures("test")}
    rated = Output.model_validate({"target": {"type": "binary", "labels": ["als"], "rate": 4.0}})
    assert "auroc" not in {m.type for m in rated.figures("test")}


def test_listening_is_that_of_the_source() -> None:
    from tympan.data import Source

    source = Source.model_validate({"type": "tone", "sample_rate": 16000, "duration": "1024 samples", "crop": "onset"})
    assert Listening.of(source).audio == source.audio
