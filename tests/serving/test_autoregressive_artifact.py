"""An artifact whose model hears its own past: whole recordings in one go, never stitched."""

from pathlib import Path

import numpy as np
import torch

from tympan.serving.artifact import Artifact, Config

torch.set_num_threads(1)


def made(crop: str = "random", **feature: str) -> Artifact:
    config = Config.model_validate(
        {
            "audio": {"sample_rate": 1000, "samples": 2000, "channels": "mean", "crop": crop, "padding": "left"},
            "features": {"type": "mel", "n_mels": 6, "window": 0.064, "hop": 0.02, **feature},
            "model": {"type": "wavenet", "hidden_channels": 8, "skip_channels": 8, "context_size_in_seconds": 1.0},
            "outputs": {
                "eda": {
                    "target": {"type": "quantised", "quantities": ["eda"], "rate": 4, "levels": 8, "limits": [0, 1]}
                }
            },
        }
    )
    torch.manual_seed(0)
    return Artifact(config, config.build())


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    loud = np.repeat(rng.uniform(0.1, 1, round(4 * seconds) + 1), 250)[: round(1000 * seconds)]
    return (loud * rng.normal(0, 0.1, loud.shape)).astype(np.float32)[None]


def test_an_answer_does_not_depend_on_what_comes_later() -> None:
    artifact = made(normalize="none", standardize="none")
    long = noise(6.0)
    (whole,), (first,) = artifact.hear([long]), artifact.hear([long[:, :3000]])
    assert whole["eda"].shape == (8, 24) and first["eda"].shape == (8, 12)
    # The last step of the short one hears how its sound ends, half a window early.
    torch.testing.assert_close(whole["eda"][:, :11], first["eda"][:, :11], atol=1e-5, rtol=1e-5)
    # It does depend on all that came before: the answer to a part by itself is another one.
    (later,) = artifact.hear([long[:, 3000:]])
    assert (whole["eda"][:, 12:14] - later["eda"][:, :2]).abs().max() > 1e-5


def test_a_whole_recording_is_answered_as_a_clip_of_its_length_is() -> None:
    artifact = made()
    long = noise(3.5)
    (heard,) = artifact.hear([long])
    with torch.inference_mode():
        direct = artifact.pipeline(torch.from_numpy(long)[None])["prediction"]["eda"][0]
    torch.testing.assert_close(heard["eda"], direct, atol=1e-6, rtol=1e-6)


def test_recordings_of_all_lengths_are_answered_in_order(tmp_path: Path) -> None:
    made().save(tmp_path)
    artifact = Artifact.load(tmp_path)
    recordings = [noise(s, i) for i, s in enumerate((2.0, 5.0, 1.0, 2.0, 3.0, 2.0))]
    together = list(artifact.hear(recordings, batch_size=2))
    alone = [next(artifact.hear([recording])) for recording in recordings]
    assert [t["eda"].shape[1] for t in together] == [8, 20, 4, 8, 12, 8]  # the third is shorter than a clip
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one["eda"], other["eda"], atol=1e-5, rtol=1e-5)
    decoded = artifact.decode(together[1])["eda"]
    assert decoded.shape == (1, 20) and decoded.min() > 0 and decoded.max() < 1
    assert len(artifact.columns(together[1])) == 20


def test_what_is_derived_is_said() -> None:
    assert "1 stack of 6 layers see 1 + 1 × (2^6 - 1) = 64 frames (1.28 s) for a context of 50" in str(made())


def test_only_the_start_is_heard_where_training_heard_only_that() -> None:
    (heard,) = made(crop="start").hear([noise(5.0)])
    assert heard["eda"].shape == (8, 8)
