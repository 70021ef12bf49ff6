"""Mean and deviation of the training part's features: of it alone, of real frames, kept, and told."""

import numpy as np
import pytest
import torch
from rich.console import Console
from ruamel.yaml import YAML

from corpora import put_sound, tone
from runs_helpers import run_of, stopped, trained
from tympan.component import AssumptionWarning
from tympan.data.split import Parts
from tympan.features import Feature
from tympan.representation import Representation
from tympan.runs import standardization
from tympan.runs.configuration import load
from tympan.runs.prepare import prepare
from tympan.runs.train import resume
from tympan.serving.artifact import Artifact
from tympan.signals import Signal

FBANK = {"type": "fbank", "n_mels": 16, "normalize": "none", "standardize": "dataset"}
QUIET = Console(quiet=True)


def recordings(root, lengths):
    """A manifest of tones of these lengths (s), louder and louder, and their source."""
    lines = ["path,id,loud"]
    for i, length in enumerate(lengths):
        put_sound(str(root / f"{i}.wav"), 0.9**i * tone(300 + 100 * i, length, 8000), 8000)
        lines.append(f"{i}.wav,{i},{i % 2}")
    (root / "table.csv").write_text("\n".join(lines) + "\n")
    return {"type": "manifest", "path": str(root / "table.csv"), "sample_rate": 8000, "duration": 0.5, "cache": False}


def run(root, lengths, **sections):
    target = {"type": "binary", "labels": ["loud"]}
    return run_of(root, data=recordings(root, lengths), target=target, **{"features": FBANK, **sections})


def by_hand(made, indices):
    """Of the frames of every clip by itself, cut to its own length, all laid together."""
    frames = []
    for i in indices:
        clip = torch.from_numpy(made.data.clip(i, 0, made.seed).waveform)[None]
        fields = {k: v for k, v in FBANK.items() if k != "standardize"}
        feature = Feature.model_validate({**fields, "standardize": "none"})
        x, _ = Representation(Signal(("mono",), 8000.0, clip.shape[2] / 8000), "left", feature).eval()(clip)
        frames.append(x.double().numpy().ravel())
    together = np.concatenate(frames)
    return together.mean(), together.std()


@pytest.mark.parametrize("workers", [0, 2])
def test_they_are_those_of_the_real_frames_of_the_training_part_alone(tmp_path, workers):
    made = run(tmp_path, [0.5, 0.3, 0.1, 0.7, 0.4, 0.4], loader={"num_workers": workers})
    made = made.model_copy(update={"training": made.training.model_copy(update={"batch_size": 2})})
    train = [0, 1, 2, 3]
    fitted = prepare(made, Parts(train, [4], [5])).run.features
    wanted = by_hand(made, train)
    assert (fitted.mean, fitted.std) == pytest.approx(wanted, rel=1e-3)
    assert abs(fitted.mean - by_hand(made, range(6))[0]) > 0.01  # the other parts would have changed it
    assert fitted.computed_from == 4


def test_each_training_clip_is_read_once_and_no_more_than_asked_for(tmp_path, monkeypatch):
    made = run(tmp_path, [0.5] * 8, features={**FBANK, "statistics": 3})
    seen, clip = [], type(made.data).clip
    monkeypatch.setattr(type(made.data), "clip", lambda self, i, *a: seen.append(i) or clip(self, i, *a))
    first = standardization.fit(made, range(6))
    assert len(seen) == 3 == len(set(seen)) and set(seen) <= set(range(6))
    again = standardization.fit(made, range(6))
    other = standardization.fit(made.model_copy(update={"seed": 7}), range(6))
    assert first == again and seen[:3] == seen[3:6] != seen[6:] and first.mean != other.mean


def test_augmentation_is_left_out(tmp_path):
    parts = Parts([0, 1, 2], [3], [])
    plain = prepare(run(tmp_path, [0.5] * 4), parts).run.features
    loud = {"type": "gain", "low": 20.0, "high": 20.0}
    assert prepare(run(tmp_path, [0.5] * 4, augmentations=[loud]), parts).run.features == plain


def test_standardised_training_features_have_mean_zero_and_deviation_one(tmp_path):
    made = run(tmp_path, [0.5, 0.3, 0.45])
    prepared = prepare(made, Parts([0, 1, 2], [], []))
    batch = prepared.collate([prepared.clips("train")[i] for i in range(3)])
    x, real = prepared.pipeline().eval().represent(batch["waveform"], samples=batch["samples"])
    inside = x.transpose(1, 2)[real]
    assert inside.mean().item() == pytest.approx(0, abs=1e-3) and inside.std().item() == pytest.approx(1, abs=1e-3)
    assert not x.transpose(1, 2)[~real].any()  # what is no sound is the mean


def test_a_silent_training_part_is_refused_with_why(tmp_path):
    made = run(tmp_path, [0.5, 0.5])
    for i in range(2):
        put_sound(str(tmp_path / f"{i}.wav"), np.zeros(4000, np.float32), 8000)
    with pytest.raises(ValueError, match=r"features\.standardize: .* a deviation of 0.* silent"):
        prepare(made, Parts([0, 1], [], []))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"mean": 1.0}, "go together"),
        ({"mean": 1.0, "std": 2.0, "standardize": "clip"}, "set that"),
        ({"mean": 1.0, "std": 0.0}, "greater than 0"),
    ],
)
def test_half_of_the_pair_or_numbers_that_nothing_uses_are_refused(fields, why):
    with pytest.raises(ValueError, match=why):
        Feature.model_validate({**FBANK, **fields})


def test_without_the_numbers_nothing_is_heard():
    hear = Representation(Signal(("mono",), 8000.0, 0.5), "left", Feature.model_validate(FBANK))
    with pytest.raises(ValueError, match="not known yet"):
        hear(torch.zeros(1, 1, 4000))


@pytest.mark.parametrize("given", [{}, {"mean": -5.0, "std": 4.0}])
def test_a_run_keeps_them_in_its_file_and_artifact_says_whence_and_resumes_with_them(tmp_path, monkeypatch, given):
    data = {"type": "circular_membrane", "size": 40, "sample_rate": 16000, "duration": 0.1}
    sections = {
        "data": data,
        "features": {**FBANK, "statistics": 20, **given},
        "training": {"max_epochs": 2, "batch_size": 16},
    }
    whole = trained(tmp_path / "whole", **sections)
    kept = load(whole.folder / "run.yaml").features
    assert Artifact.load(whole.folder).config.features == kept
    (note,) = [n for n in YAML(typ="safe").load(whole.folder / "summary.json")["notes"] if "mean and std" in n]
    if given:
        assert (kept.mean, kept.std, kept.computed_from) == (-5, 4, None) and "given, not computed" in note
    else:
        train = YAML(typ="safe").load(whole.folder / "split.json")["train"]["ids"]
        assert kept.computed_from == 20 and f"computed from 20 of the {len(train)} recordings" in note
    folder = stopped(monkeypatch, run_of(tmp_path, **sections), 3)
    monkeypatch.setattr(standardization, "_moments", None)  # nothing is computed again
    assert resume(folder, console=QUIET).metrics == whole.metrics
    assert load(folder / "run.yaml").features == kept


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("frames", [30, 64])
def test_a_target_length_pads_on_the_side_of_the_padding_and_cuts_silence_and_then_the_end(side, frames):
    audio, fields = Signal(("mono",), 8000.0, 0.5), {**FBANK, "standardize": "clip"}
    x = torch.randn(2, 1, 4000, generator=torch.Generator().manual_seed(0))
    samples = torch.tensor([4000, 3000])
    real = torch.arange(4000) >= 4000 - samples[:, None] if side == "left" else torch.arange(4000) < samples[:, None]
    plain = {**fields, "standardize": "none"}
    whole, there = Representation(audio, side, Feature.model_validate(plain))(x * real[:, None], samples=samples)
    made = Representation(audio, side, Feature.model_validate({**plain, "target_length": frames}))
    y, heard = made(x * real[:, None], samples=samples)
    assert made.signal.frames == frames and made.signal.rate == 100
    assert y.shape == (2, 16, frames) and heard.shape == (2, frames)
    n = min(frames, whole.shape[2])
    inside = slice(-n, None) if side == "left" else slice(n)
    begin = there.int().argmax(1).clamp(max=whole.shape[2] - n).tolist()
    for i, first in enumerate(begin):
        assert y[i, :, inside].equal(whole[i, :, first : first + n])
        assert heard[i, inside].equal(there[i, first : first + n])
    assert heard.sum() == heard[:, inside].sum() and begin[0] == 0
    assert made.unheard == whole.shape[2] - n
    standard, _ = Representation(audio, side, Feature.model_validate({**fields, "target_length": frames}))(x)
    assert standard.mean().item() == pytest.approx(0, abs=1e-5)  # what is added is the mean


def test_a_target_with_a_rate_takes_no_target_length(tmp_path):
    data = {"type": "sweep", "size": 20, "sample_rate": 8000, "duration": 1.0}
    target = {"type": "continuous", "quantities": {"f0": "Hz"}, "rate": 20.0}
    with pytest.raises(ValueError, match=r"target_length.*no longer lie beside"):
        run_of(tmp_path, data=data, target=target, features={**FBANK, "target_length": 128})


def test_sound_that_a_target_length_cuts_off_is_told(tmp_path):
    short = run(tmp_path, [0.5] * 6, features={**FBANK, "target_length": 30})
    with pytest.warns(AssumptionWarning, match=r"of a clip's 48 frames the first 30 are heard; shorten data\.duration"):
        prepare(short, short.divide()[0]).pipeline()
