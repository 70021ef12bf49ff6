"""Augmentations of 32 clips of 10 s beside the peers that do the same: a batch at once where a peer can; else clip by
clip, and stacked, since training wants a batch."""

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import audiomentations  # pyright: ignore[reportMissingImports]  # `make bench` installs it
import librosa
import numpy as np
import soundfile
import torch
import torch_audiomentations  # pyright: ignore[reportMissingImports]
import torchaudio
from torch import Tensor

from tympan import memory
from tympan.data.augmentations import Augmentation
from tympan.signals import Signal

RATE, SECONDS, BATCH = 16000, 10.0, 32
BANDS, FRAMES = 128, 1024

Timed = Callable[..., list[float]]


def measured(best: Timed) -> dict[str, dict[str, Any]]:
    """Seconds of a batch, ours and the fastest peer's, by what is changed; the name says which peer that was."""
    memory.keep()  # as every training does
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 0.1, (BATCH, round(RATE * SECONDS))).astype(np.float32)
    batch = torch.from_numpy(sound)[:, None]
    key = torch.stack([torch.zeros(BATCH, dtype=torch.long), torch.arange(BATCH)], 1)
    mono, rows = Signal(("mono",), float(RATE), SECONDS), dict[str, dict[str, Any]]()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        _recordings(Path(folder), rng)
        for (name, fields), peers in _waves(folder, sound, batch).items():
            ours = _ours(name, dict(fields), batch, key, mono)
            rows |= _row(best, name, ours, peers)
        image = torch.randn(BATCH, BANDS, FRAMES)
        signal = Signal(tuple(f"{i}" for i in range(BANDS)), FRAMES / SECONDS, SECONDS, mean=0.0)
        masks = []
        for (name, fields), peers in _images(image).items():
            masks.append(_ours(name, dict(fields), image.clone(), key, signal, ours=True))
            rows |= _row(best, name, masks[-1], peers)
        both = torchaudio.transforms.SpecAugment(1, 64, 1, 16, iid_masks=True)
        rows |= _row(best, "both masks", lambda: [mask() for mask in masks], {
            "torchaudio's SpecAugment": lambda: both(image[:, None])
        })  # fmt: skip
        rows |= _row(best, "mixup", _ours("mixup", {}, batch, key, mono), {
            "torch, by hand": lambda: _mixed_by_hand(batch, torch.distributions.Beta(10.0, 10.0).sample((BATCH,)))
        })  # fmt: skip
    return rows


def _row(best: Timed, name: str, ours: Callable[[], object], peers: dict[str, Callable[[], object]]) -> dict[str, Any]:
    for action in (ours, *peers.values()):
        action()  # what is compiled or looked up once
    first, *others = best(ours, *peers.values())
    peer, who = min(zip(others, peers, strict=True))
    beside = f", of {len(peers)} the fastest" if len(peers) > 1 else ""
    return {f"{name}, 32 × 10 s / {who}{beside}": {"ours_s": first, "peer_s": peer, "ratio": peer / first}}


def _ours(
    name: str, fields: dict[str, Any], x: Tensor, key: Tensor, signal: Signal, ours: bool = False
) -> Callable[[], object]:
    augmentation = Augmentation.find(name).model_validate(fields)
    real = torch.ones(x.shape[0], x.shape[2], dtype=torch.bool)
    return lambda: augmentation(x, real, key, 0, signal, ours=ours)


def _recordings(folder: Path, rng: np.random.Generator) -> None:
    for what, seconds in (("noises", 30.0), ("rooms", 0.5)):
        (folder / what).mkdir()
        for i in range(4):
            samples = round(seconds * RATE)
            tail = np.exp(-np.arange(samples) / (0.1 * RATE)) if what == "rooms" else 1.0
            soundfile.write(folder / what / f"{i}.wav", 0.1 * rng.normal(size=samples) * tail, RATE, "PCM_16")


Peers = dict[tuple[str, tuple[tuple[str, Any], ...]], dict[str, Callable[[], object]]]


def _waves(folder: str, sound: np.ndarray, batch: Tensor) -> Peers:
    def stacked(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[], object]:
        return lambda: np.stack([change(clip)[: sound.shape[1]] for clip in sound])

    def clips(change: Callable[..., Any]) -> Callable[[], object]:
        return stacked(lambda clip: change(samples=clip, sample_rate=RATE))

    def batches(change: Callable[..., Any]) -> Callable[[], object]:
        return lambda: change(batch, sample_rate=RATE)

    speeds = np.random.default_rng(0).uniform(1.0, 1.1, len(sound)).round(2)
    a, t = audiomentations, torch_audiomentations
    one: dict[str, Any] = {"p": 1.0}
    tensor: dict[str, Any] = {"p": 1.0, "sample_rate": RATE, "output_type": "tensor"}
    return {
        ("pitch_shift", ()): {
            "librosa": stacked(lambda c: librosa.effects.pitch_shift(c, sr=RATE, n_steps=1.5)),
            "audiomentations": clips(a.PitchShift(-2.0, 2.0, **one)),
        },
        ("time_stretch", ()): {
            "librosa": stacked(lambda c: librosa.effects.time_stretch(c, rate=1.2)),
            "audiomentations": clips(a.TimeStretch(0.8, 1.25, leave_length_unchanged=True, **one)),
        },
        ("speed", ()): {
            "torchaudio": lambda: [torchaudio.functional.speed(c, RATE, s) for c, s in zip(batch, speeds, strict=True)],
            "librosa": stacked(lambda c: librosa.resample(c, orig_sr=1.1 * RATE, target_sr=RATE)),
        },
        ("gaussian_noise", ()): {
            "audiomentations": clips(a.AddGaussianSNR(10.0, 50.0, **one)),
            "torch-audiomentations": batches(t.AddColoredNoise(10.0, 50.0, 0.0, 0.0, **tensor)),
        },
        ("gain", ()): {
            "audiomentations": clips(a.Gain(-12.0, 12.0, **one)),
            "torch-audiomentations": batches(t.Gain(-12.0, 12.0, **tensor)),
        },
        ("time_shift", ()): {
            "audiomentations": clips(a.Shift(-0.5, 0.5, "seconds", rollover=False, **one)),
            "torch-audiomentations": batches(t.Shift(-0.5, 0.5, "seconds", rollover=False, **tensor)),
        },
        ("clipping", ()): {"audiomentations": clips(a.ClippingDistortion(0, 40, **one))},
        ("band_stop", ()): {
            "audiomentations": clips(a.BandStopFilter(200.0, 4000.0, **one)),
            "torch-audiomentations": batches(t.BandStopFilter(200.0, 4000.0, **tensor)),
        },
        ("cut_out", ()): {"audiomentations": clips(a.TimeMask(0.0, 0.05, fade_duration=0.0, **one))},
        # torch-audiomentations 0.12 reads files by what torchaudio 2.11 no longer has.
        ("background", (("folder", f"{folder}/noises"),)): {
            "audiomentations": clips(a.AddBackgroundNoise(f"{folder}/noises", 5.0, 30.0, **one)),
        },
        ("impulse_response", (("folder", f"{folder}/rooms"),)): {
            "audiomentations": clips(a.ApplyImpulseResponse(f"{folder}/rooms", leave_length_unchanged=True, **one)),
        },
        ("codec", (("codecs", ("mp3",)),)): {"audiomentations": clips(a.Mp3Compression(32, 64, **one))},
    }


def _images(image: Tensor) -> Peers:
    bands = torchaudio.transforms.FrequencyMasking(16, iid_masks=True)
    times = torchaudio.transforms.TimeMasking(64, iid_masks=True)
    return {
        ("frequency_mask", (("max_width", 16), ("masks", 1))): {"torchaudio": lambda: bands(image[:, None])},
        ("time_mask", (("max_width", 0.625), ("masks", 1))): {"torchaudio": lambda: times(image[:, None])},
    }


def _mixed_by_hand(x: Tensor, share: Tensor) -> Tensor:
    centred = x - x.mean(2, keepdim=True)
    share = share[:, None, None]
    return share * centred + (1 - share) * centred[torch.randperm(len(x))]
