"""Speed beside the named peer, in one run, as ratios: the best of many interleaved repeats on one thread."""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import torch
import torchaudio

from tympan.acoustics import strike
from tympan.data import audio
from tympan.features.fbank import Fbank
from tympan.features.mel import Mel
from tympan.features.mfcc import MFCC
from tympan.signals import Signal

REPEATS = 9
RATE, SECONDS, BATCH = 16000, 10.0, 32


def best(*actions: Callable[[], object]) -> list[float]:
    """The best time of each action (s); one after the other in every repeat, so that the machine's moods are shared."""
    times = [[] for _ in actions]
    for _ in range(REPEATS):
        for action, seen in zip(actions, times, strict=True):
            begin = time.perf_counter()
            action()
            seen.append(time.perf_counter() - begin)
    return [min(seen) for seen in times]


def features() -> dict[str, tuple[float, float]]:
    """Batches of 32 clips of 10 s: ours and torchaudio's at the same transform."""
    x = torch.randn(BATCH, 1, round(RATE * SECONDS))
    signal = Signal(("mono",), float(RATE), SECONDS)
    sizes = {"win_length": 400, "hop_length": 160}
    mel, _ = Mel(n_mels=80, n_fft=512).build(signal)
    theirs = torchaudio.transforms.MelSpectrogram(RATE, n_fft=512, n_mels=80, **sizes)
    decibel = torchaudio.transforms.AmplitudeToDB(top_db=80)
    mfcc, _ = MFCC(n_mfcc=40, n_mels=80, n_fft=512).build(signal)
    their_mfcc = torchaudio.transforms.MFCC(RATE, 40, melkwargs={"n_fft": 512, "n_mels": 80, **sizes})
    fbank, _ = Fbank(n_mels=80).build(signal)
    kaldi = {"num_mel_bins": 80, "sample_frequency": RATE, "window_type": "hanning", "dither": 0.0}

    def looped() -> list[torch.Tensor]:
        return [torchaudio.compliance.kaldi.fbank(clip, **kaldi) for clip in x]

    with torch.inference_mode():
        return {
            "log-mel 80, 32 × 10 s / torchaudio": tuple(best(lambda: mel(x), lambda: decibel(theirs(x)))),
            "MFCC 40 of 80, 32 × 10 s / torchaudio": tuple(best(lambda: mfcc(x), lambda: their_mfcc(x))),
            "Kaldi fbank 80, 32 × 10 s / torchaudio, looped": tuple(best(lambda: fbank(x), looped)),
        }


def synthesis() -> dict[str, tuple[float, float]]:
    """One second of 100 modes: block products and the direct sum of sines."""
    rng = np.random.default_rng(0)
    modes = {
        "frequencies": rng.uniform(50, 20000, 100),
        "amplitudes": rng.normal(0, 1, 100),
        "rates": rng.uniform(3, 30, 100),
    }
    arguments = (modes["frequencies"], modes["amplitudes"], modes["rates"], 48000, 48000)
    ours, theirs = best(lambda: strike.waveform(*arguments), lambda: strike.waveform_direct(*arguments))
    return {"100 modes, 1 s at 48 kHz / numpy's direct sum": (ours, theirs)}


def decoding() -> dict[str, tuple[float, float]]:
    """A minute of 44.1 kHz mono, and 2 s out of it."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("wav", "flac"):
            path = str(Path(folder) / f"minute.{suffix}")
            audio.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 60 * 44100), 44100, "PCM_16")

            def whole(path: str = path) -> object:
                return soundfile.read(path, dtype="float32")

            def part(path: str = path) -> object:
                return soundfile.read(path, start=40 * 44100, frames=2 * 44100, dtype="float32")

            found[f"{suffix}, 60 s / soundfile"] = tuple(best(lambda path=path: audio.read(path), whole))
            found[f"{suffix}, 2 s of 60 / soundfile"] = tuple(
                best(lambda path=path: audio.read(path, start=40.0, duration=2.0), part)
            )
    return found


def main() -> None:
    """Print the table and keep it as JSON."""
    torch.set_num_threads(1)
    rows = {**features(), **synthesis(), **decoding()}
    print(f"{'what / peer':<52}{'ours':>10}{'peer':>10}{'ratio':>8}")
    for name, (ours, theirs) in rows.items():
        print(f"{name:<52}{1e3 * ours:>7.2f} ms{1e3 * theirs:>7.1f} ms{theirs / ours:>7.2f}×")
    result = {name: {"ours_s": a, "peer_s": b, "ratio": b / a} for name, (a, b) in rows.items()}
    Path(__file__).with_name("results.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
