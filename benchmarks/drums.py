"""Real toms beside a spectral peak: which of two is larger, and what its fundamental is; and a piece, orchestrated.

    python benchmarks/drums.py RUN RUN ... [--drums FOLDER]

Runs are of configs/tom_pitch.yaml, one for each seed; they measure `f0` and never heard a real stroke. FOLDER holds
index.csv (file, kit, drum, diameter_m, position, velocity) and the strokes. The table goes into README.md.
"""

import argparse
import csv
import itertools
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tympan.data import audio
from tympan.data.crop import onset
from tympan.data.onsets import onsets
from tympan.data.synthesizers.tom import Tom
from tympan.serving.artifact import Artifact
from tympan.serving.instrument import Instrument
from tympan.serving.orchestrate import RATE, RINGS, orchestrate

HERE = Path(__file__).parent
BEGIN, END = "<!-- drums -->", "<!-- /drums -->"
LOW, HIGH = 40.0, 400.0  # Hz, where the fundamental of a tom is sought
STRONG = 15.0  # dB below the strongest partial
Stroke = dict[str, str]


def strokes(folder: Path) -> list[Stroke]:
    """Centre strokes on toms and floor toms."""
    with (folder / "index.csv").open(newline="") as lines:
        rows = [r for r in csv.DictReader(lines) if r["drum"] in ("tom", "floortom") and r["position"] == "centre"]
    return [{**row, "file": str(folder / row["file"])} for row in rows]


def spectrum(x: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (Hz) within the search, and the power there of the whole of a sound, weighted by Hann's window."""
    n = 1 << 19
    hz = np.fft.rfftfreq(n, 1 / rate)
    power = np.abs(np.fft.rfft(x * np.hanning(len(x)), n)) ** 2
    inside = (hz >= LOW) & (hz <= HIGH)
    return hz[inside], power[inside]


def fundamentals(rows: Sequence[Stroke]) -> dict[tuple[str, str], float]:
    """Of each drum the lowest partial that is strong once its pitch has settled (Hz).

    Of every stroke, what lies 0.5 s and more after its onset, with its strongest partial at 0 dB; of those the mean
    power; of that the lowest peak within 15 dB of the highest.
    """
    drums: dict[tuple[str, str], list[np.ndarray]] = defaultdict(list)
    hz = np.empty(0)
    for row in rows:
        x = audio.read(row["file"], 44100)[0]
        hz, power = spectrum(x[onset(x[None], 44100.0) + 22050 :], 44100)
        drums[row["kit"], row["diameter_m"]].append(power / power.max())
    found = {}
    for drum, each in drums.items():
        mean = np.mean(each, 0)
        peaks = (mean[1:-1] > mean[:-2]) & (mean[1:-1] >= mean[2:]) & (mean[1:-1] > mean.max() * 10 ** (-STRONG / 10))
        found[drum] = float(hz[1 + np.flatnonzero(peaks)[0]])
    return found


def peak(row: Stroke, seconds: float | None) -> float:
    """The highest spectral peak (Hz) of a stroke, of all of it or of so much from its onset on."""
    x = audio.read(row["file"], 44100)[0]
    x = x[onset(x[None], 44100.0) :][: None if seconds is None else round(seconds * 44100)]
    hz, power = spectrum(x, 44100)
    return float(hz[power.argmax()])


def ranked(rows: Sequence[Stroke], f0: Sequence[float]) -> tuple[int, int]:
    """How many pairs of strokes on drums of different diameter of one kit have the lower pitch on the larger, of how
    many."""
    pairs = [
        (float(a["diameter_m"]) - float(b["diameter_m"]), x - y)
        for (a, x), (b, y) in itertools.combinations(zip(rows, f0, strict=True), 2)
        if a["kit"] == b["kit"] and a["diameter_m"] != b["diameter_m"]
    ]
    return sum(larger * higher < 0 for larger, higher in pairs), len(pairs)


def line(who: str, rows: Sequence[Stroke], f0: Sequence[float], true: dict[tuple[str, str], float]) -> str:
    """A line of the table."""
    right, pairs = ranked(rows, f0)
    truth = np.array([true[row["kit"], row["diameter_m"]] for row in rows])
    cents = 1200 * np.log2(np.array(f0) / truth)
    near = np.mean(np.abs(cents) <= 50)
    return (
        f"| {who} | {right / pairs:.3f} ({right} of {pairs}) | {np.median(np.abs(cents)):.0f} | "
        f"{np.abs(cents).mean():.0f} | {np.median(cents):+.0f} | {near:.2f} |"
    )


def heard(run: str, rows: Sequence[Stroke]) -> list[float]:
    """What a run says of each stroke (Hz)."""
    artifact = Artifact.load(run)
    listening = artifact.config.audio
    waveforms = (audio.read(row["file"], listening.sample_rate, listening.channels) for row in rows)
    return [float(artifact.decode(said)["f0"][0, 0]) for said in artifact.hear(waveforms)]


def table(runs: Sequence[str], rows: Sequence[Stroke]) -> str:
    """The table: a spectral peak of several lengths, and every run."""
    true = fundamentals(rows)
    for (kit, diameter), f0 in sorted(true.items()):
        print(f"{kit}, {float(diameter):.4g} m: {f0:.1f} Hz")
    head = ["who, on strokes of real toms", "pairs ranked right", "median error (cents)", "mean", "bias", "within 50"]
    lines = [f"| {' | '.join(head)} |", "|---|---|---:|---:|---:|---:|"]
    for seconds in (0.1, 0.25, 0.5, None):
        what = f"the first {seconds:g} s" if seconds else "the whole stroke"
        lines.append(line(f"spectral peak of {what}", rows, [peak(row, seconds) for row in rows], true))
    for run in runs:
        seed = Artifact.load(run).config.provenance.get("seed")
        lines.append(line(f"tom_pitch, the first 0.5 s, seed {seed}", rows, heard(run, rows), true))
    return "\n".join(lines)


def piece(run: str, drums: int = 8, seed: int = 1) -> str:
    """A piece of toms of known pitch, orchestrated: F1 of its onsets (25 ms), the median error of f0 (cents)."""
    rng = np.random.default_rng(seed)
    fields = Artifact.load(run).config.provenance["data"]
    source = Tom.model_validate(
        {**fields, "seed": 1000 + seed, "sample_rate": RATE, "duration": 1.5, "size": 5 * drums}
    )
    times = 0.3 + np.cumsum(rng.uniform(0.25, 0.7, len(source)))
    sound = np.zeros(round((times[-1] + 2) * RATE), np.float32)
    for i, time in enumerate(times):
        stroke = source[i].waveform[0] * np.float32(10 ** (rng.uniform(-20, 0) / 20))
        sound[round(time * RATE) :][: len(stroke)] += stroke
    sound += np.float32(1e-3) * rng.standard_normal(len(sound)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        audio.write(Path(folder) / "piece.wav", sound / np.abs(sound).max(), RATE)
        artifact = Artifact.load(run)
        plays = Instrument.of(artifact, RATE, RINGS)
        found = orchestrate(artifact, str(Path(folder) / "piece.wav"), Path(folder) / "out", plays)
        again = onsets(audio.read(Path(folder) / "out" / "piece.wav", 22050), 22050)
    hits, cents = 0, []
    for i, time in enumerate(times):
        near = min(found, key=lambda stroke: abs(stroke.time - time))
        if abs(near.time - time) <= 0.025:
            hits += 1
            cents.append(1200 * np.log2(near.measured["f0 (Hz)"] / source.values(i)["f0"]))
    return (
        f"{len(times)} strokes with what still rings of those before, -20 to 0 dB: onsets F1 "
        f"{2 * hits / (len(times) + len(found)):.3f} at 25 ms, f0 {np.median(np.abs(cents)):.0f} cents (median), "
        f"{len(again)} onsets in what is played"
    )


def main() -> None:
    """Print the table, and put it into the README between its marks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--drums", type=Path, default=HERE.parent / "shared" / "data" / "drums")
    arguments = parser.parse_args()
    made = table(arguments.runs, strokes(arguments.drums))
    print(made)
    print(piece(arguments.runs[0]))
    readme = (HERE / "README.md").read_text()
    before, after = readme.index(BEGIN) + len(BEGIN), readme.index(END)
    (HERE / "README.md").write_text(f"{readme[:before]}\n{made}\n{readme[after:]}")


if __name__ == "__main__":
    main()
