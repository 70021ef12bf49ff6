"""What is answered over time of a recording that is shorter than a clip is of its own sound alone."""

import numpy as np
import pytest
import torch

from tympan.features import Feature
from tympan.models import Model
from tympan.objectives.targets.continuous import Continuous
from tympan.output import Output
from tympan.serving.artifact import Artifact, Config
from tympan.serving.listening import Listening


@pytest.mark.parametrize("padding", ["left", "right"])
@pytest.mark.parametrize("model", [{"type": "cnn", "width": 8, "stride": 1}, {"type": "wavenet", "hidden_channels": 8}])
def test_a_short_recording_has_the_frames_of_its_own_seconds(padding, model):
    torch.manual_seed(0)
    target = Continuous(quantities={"eda": "z"}, rate=4.0, mean=(0.0,), std=(1.0,))
    listening = Listening(sample_rate=1000, samples=4000, channels="mean", crop="start", padding=padding)
    feature = Feature.model_validate({"type": "mel", "n_mels": 8, "window": 0.05, "hop": 0.025, "f_max": 500})
    config = Config(
        audio=listening, features=feature, model=Model.model_validate(model), outputs={"a": Output(target=target)}
    )
    artifact = Artifact(config, config.build().eval())
    sound = np.random.default_rng(0).normal(size=(1, 3000)).astype(np.float32)
    (short,), (whole,) = (list(artifact.hear([x])) for x in (sound, np.pad(sound, ((0, 0), (0, 1000)))))
    assert short["a"].shape == (1, 12) and whole["a"].shape == (1, 16)
    (two, _) = list(artifact.hear([sound, sound[:, :250]]))
    torch.testing.assert_close(two["a"], short["a"])
