"""Speed beside the named peer, in one run, as ratios: the best of many interleaved repeats on one thread."""

import json
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import buckets
import crepe
import grids
import numpy as np
import soundfile
import soxr
import torch
import torchaudio
import training
import wavenet
from dtaidistance import dtw as dtaidistance
from scipy.signal import lfilter
from tslearn.metrics import SoftDTWLossPyTorch

import augmentations
from tympan.acoustics import draws, finite_element, strike
from tympan.acoustics.modes import circle_frequencies, circle_shapes
from tympan.data import audio
from tympan.data.datasets.manifest import Manifest
from tympan.data.synthesizers.circular_membrane import CircularMembrane
from tympan.features.fbank import Fbank
from tympan.features.mel import Mel
from tympan.features.mfcc import MFCC
from tympan.objectives import alignment
from tympan.objectives.losses.soft_dtw import soft_dtw
from tympan.signals import Signal

REPEATS = 9
BEGIN, END = "<!-- speed -->", "<!-- /speed -->"
RATE, SECONDS, BATCH = 16000, 10.0, 32


def best(*actions: Callable[[], object]) -> list[float]:
    """The best time of each action (s); one after the other in every repeat, so that the machine's moods are shared."""
    torch.set_num_threads(1)  # some peers change it
    times = [[] for _ in actions]
    for _ in range(REPEATS):
        for action, seen in zip(actions, times, strict=True):
            begin = time.perf_counter()
            action()
            seen.append(time.perf_counter() - begin)
    return [min(seen) for seen in times]


def features() -> dict[str, list[float]]:
    """Batches of 32 clips of 10 s: ours and torchaudio's at the same transform."""
    x = torch.randn(BATCH, 1, round(RATE * SECONDS))
    signal = Signal(("mono",), float(RATE), SECONDS)
    sizes: dict[str, Any] = {"win_length": 400, "hop_length": 160}
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
            "log-mel 80, 32 × 10 s / torchaudio": best(lambda: mel(x), lambda: decibel(theirs(x))),
            "MFCC 40 of 80, 32 × 10 s / torchaudio": best(lambda: mfcc(x), lambda: their_mfcc(x)),
            "Kaldi fbank 80, 32 × 10 s / torchaudio, looped": best(lambda: fbank(x), looped),
        }


def synthesis() -> dict[str, tuple[float, float]]:
    """One second of 100 modes: block products, the direct sum of sines, and a recursive filter for each; and a drum."""
    rng = np.random.default_rng(0)
    modal = {
        "frequencies": rng.uniform(50, 20000, 100),
        "amplitudes": rng.normal(0, 1, 100),
        "rates": rng.uniform(3, 30, 100),
    }
    arguments = (modal["frequencies"], modal["amplitudes"], modal["rates"], 48000, 48000)
    impulse = np.zeros(48000)
    impulse[0] = 1.0

    def filtered() -> np.ndarray:
        z = np.exp((2j * np.pi * modal["frequencies"] - modal["rates"]) / 48000)
        heard = [
            lfilter([0.0, a * p.imag], [1.0, -2 * p.real, abs(p) ** 2], impulse)
            for a, p in zip(modal["amplitudes"], z, strict=True)
        ]
        return np.sum(heard, 0)

    ours, theirs, filters = best(
        lambda: strike.waveform(*arguments), lambda: strike.waveform_direct(*arguments), filtered
    )
    return {
        "100 modes, 1 s at 48 kHz / numpy's direct sum": (ours, theirs),
        "100 modes, 1 s at 48 kHz / scipy's lfilter, mode by mode": (ours, filters),
        "a round drum of 1 s at 48 kHz, drawn, struck, written in 24 bit / the direct sum, and soundfile": drums(),
    }


def drums() -> tuple[float, float]:
    """A drum of `circular_membrane` after the other, as files; and their modes added one by one."""
    source, index = CircularMembrane(size=10**6), iter(range(10**6))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "drum.wav")

        def ours() -> None:
            audio.write(path, source[next(index)].waveform, 48000)

        def direct() -> None:
            f, r = circle_frequencies(0.3, 100.0).ravel(), 0.7
            struck, heard = circle_shapes(r, 1.0)[0].ravel(), circle_shapes(0.5, 0.0)[0].ravel()
            a, rates = strike.amplitudes(f, struck, heard, 100.0), strike.decay_rates(f, 2.0)
            y = strike.to_peak(strike.waveform_direct(f, a, rates, 48000, 48000), 1.0)
            soundfile.write(path, y, 48000, "PCM_24")

        first, second = best(ours, direct)
    return first, second


def polygons() -> dict[str, dict[str, Any]]:
    """The 40 lowest modes of a random polygon; the peer is a finer mesh, from which they differ by some cents."""
    found = {}
    kinds = {"convex polygon": (draws.convex_polygon, 8), "star": (draws.star, 12)}
    for name, (draw, corners) in {**kinds, "round trip": (draws.travelling_salesman, 20)}.items():
        shape = draw(np.random.default_rng(0), corners)
        usual, finer = partial(finite_element.modes, shape), partial(finite_element.modes, shape, fineness=1.6)
        ours, peer = best(usual, finer)
        ratios = usual().wave_numbers / finer().wave_numbers
        row = {"cents": 1200 * float(np.abs(np.log2(ratios)).max())}
        found[f"40 modes of a {name} of {corners} corners / a finer mesh"] = training.beside(ours, peer) | row
    return found


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


def files() -> dict[str, tuple[float, float]]:
    """From a 10 s stereo file at 44.1 kHz to its filter bank: the first epoch, and every later one, per file."""
    count, found = 8, {}
    with tempfile.TemporaryDirectory() as folder, cache_in(Path(folder) / "cache"):
        rng, paths = np.random.default_rng(0), [Path(folder) / f"{i}.wav" for i in range(count)]
        for path in paths:
            soundfile.write(path, rng.normal(0, 0.1, (441000, 2)), 44100, "PCM_16")
        (Path(folder) / "table.csv").write_text("\n".join(["path,x", *(f"{i}.wav,1" for i in range(count))]) + "\n")
        fbank, _ = Fbank(n_mels=128, empty_filters="keep").build(Signal(("mono",), float(RATE), SECONDS))
        kaldi = {"num_mel_bins": 128, "sample_frequency": RATE, "window_type": "hanning", "dither": 0.0}

        def ours() -> None:
            source = Manifest(path=str(Path(folder) / "table.csv"), sample_rate=RATE, duration=SECONDS)
            for i in range(count):
                fbank(torch.from_numpy(source.clip(i, 0, 0).waveform)[None])

        def first() -> None:
            shutil.rmtree(Path(folder) / "cache", ignore_errors=True)
            ours()

        def by_hand() -> None:
            for path in paths:
                sound = soundfile.read(path, dtype="float32")[0].mean(1)
                mono = soxr.resample(sound, 44100, RATE, quality="HQ")
                torchaudio.compliance.kaldi.fbank(torch.from_numpy(mono)[None], **kaldi)

        with torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name, action in (("first epoch", first), ("second epoch on", ours)):
                a, b = best(action, by_hand)
                found[f"10 s stereo file to fbank 128, {name} / soundfile, soxr, Kaldi by hand"] = (
                    a / count,
                    b / count,
                )
    return found


def curves() -> dict[str, tuple[float, float]]:
    """32 pairs of curves of 2,000 values, and soft-DTW with its gradient of four of them."""
    a, b = np.random.default_rng(0).normal(size=(2, BATCH, 2000))
    pairs, single = list(zip(a, b, strict=True)), list(zip(a.astype("f4"), b.astype("f4"), strict=True))
    double, half, curve, peer = best(
        lambda: [alignment.dtw(*pair) for pair in pairs],
        lambda: [alignment.dtw(*pair) for pair in single],
        lambda: [alignment.frechet(*pair) for pair in pairs],
        lambda: [dtaidistance.distance_fast(*pair, inner_dist="euclidean") for pair in pairs],
    )
    x, y = (torch.from_numpy(c[:4]).float()[..., None].requires_grad_() for c in (a, b))
    theirs = SoftDTWLossPyTorch(gamma=1.0)
    soft, their_soft = best(
        lambda: soft_dtw(x.flatten(), y.flatten(), torch.full((4,), 2000), 1.0).sum().backward(),
        lambda: theirs(x, y).sum().backward(),
    )
    return {
        "DTW, 32 pairs of 2,000 / dtaidistance's C": (double, peer),
        "the same in float32 / dtaidistance's C": (half, peer),
        "discrete Fréchet, 32 pairs of 2,000 / dtaidistance's C for DTW": (curve, peer),
        "soft-DTW and its gradient, 4 pairs of 2,000 / tslearn": (soft, their_soft),
    }


@contextmanager
def cache_in(folder: Path) -> Iterator[None]:
    """A decoded-sound cache of its own."""
    before = os.environ.get("TYMPAN_CACHE")
    os.environ["TYMPAN_CACHE"] = str(folder)
    yield
    os.environ.pop("TYMPAN_CACHE")
    if before is not None:
        os.environ["TYMPAN_CACHE"] = before


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = ["| what / peer | ours (ms) | peer (ms) | ratio |", "|---|---:|---:|---:|"]
    for name, row in rows.items():
        ratio = f"{row['overhead']:.3f} of the bare step" if "overhead" in row else f"{row['ratio']:.2f}"
        notes = [f"waiting for data {row['waiting']:.1%}"] if "waiting" in row else []
        notes += [f"{row['requests']} requests"] if "requests" in row else []
        notes += [f"took {row['precision']}{', channels_last' * row['channels_last']}"] if "precision" in row else []
        notes += [f"{row['updates'] / 1e9:.1f} billion points a second"] if "updates" in row else []
        notes += [f"{row['cents']:.2f} cents apart"] if "cents" in row else []
        ratio += f" ({'; '.join(notes)})" if notes else ""
        lines.append(f"| {name} | {1e3 * row['ours_s']:.3g} | {1e3 * row['peer_s']:.3g} | {ratio} |")
    return "\n".join(lines)


def beside(timed: Callable[[], Mapping[str, Sequence[float]]]) -> Callable[[], dict[str, dict[str, Any]]]:
    """Rows of ours and a peer's, from a pair of milliseconds each."""
    return lambda: {name: training.beside(ours, peer) for name, (ours, peer) in timed().items()}


SECTIONS: dict[str, Callable[[], dict[str, dict[str, Any]]]] = {
    "features": beside(features),
    "synthesis": beside(synthesis),
    "decoding": beside(decoding),
    "files": beside(files),
    "augmentations": lambda: augmentations.measured(best),
    "curves": beside(curves),
    "wavenet": beside(lambda: wavenet.generation(best)),
    "crepe": beside(lambda: crepe.hearing(best)),
    "polygons": polygons,
    "grids": lambda: grids.measured(best),
    "buckets": buckets.measured,
    "training": training.measured,
}


def main() -> None:
    """Print the table, keep it as JSON, and put it into the README between its marks; of some sections alone where
    their names are given, beside what was measured before of the others."""
    torch.set_num_threads(1)
    here = Path(__file__).parent
    chosen = sys.argv[1:] or list(SECTIONS)
    unknown = set(chosen) - set(SECTIONS)
    if unknown:
        raise SystemExit(f"no section {', '.join(sorted(unknown))}; there are: {', '.join(SECTIONS)}")
    kept = here / "results.json"
    rows: dict[str, dict[str, Any]] = json.loads(kept.read_text()) if sys.argv[1:] else {}
    for name in chosen:
        rows |= SECTIONS[name]()
    print(table(rows))
    kept.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    readme = (here / "README.md").read_text()
    before, after = readme.index(BEGIN) + len(BEGIN), readme.index(END)
    (here / "README.md").write_text(f"{readme[:before]}\n{table(rows)}\n{readme[after:]}")


if __name__ == "__main__":
    main()
