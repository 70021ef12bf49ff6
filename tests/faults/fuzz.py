"""Damaged files -> readers: `python tests/faults/fuzz.py sounds`, seeded; started again, it goes on where it was.

Each mutation is a function of (SEED, kind, index). A child process reads it, with no more than MEMORY of its own and
SECONDS of computing, so that a decoder that crashes or hangs is seen. Nothing but a ValueError or an OSError that names
the file may come of it; whatever else does is kept in the folder with its bytes, and written down in failures.jsonl.
"""

import argparse
import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import traceback
import warnings
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import soundfile
from ruamel.yaml import YAML

sys.path.append(str(Path(__file__).parents[1]))  # of the tests, as pytest has it
from corpora import speech_folder, tone
from tympan.component import AssumptionWarning
from tympan.data import audio

COUNTS = {"sounds": 100_000, "files": 27_500}
"""How many mutations the full form reads; of the files, eight in eleven are CSV, YAML and JSON."""
SEED = 2026
SECONDS = 2.0
"""Of computing, in which a file is read or refused."""
PATIENCE = 30
"""Seconds after which a reader that computes nothing has hung."""
MEMORY = 1 << 30
"""Bytes that a child may take besides what its imports have."""
RATE = 16000
VALUES = (
    *("1e999", "-1", "0", "NaN", ".inf", "Infinity", "9" * 400, "9" * 5000, "0x7f", "0o17", "1_0", "٣", "null", "~"),
    *("true", '""', "[]", "{}", "[null]", '{"a": {}}', "[" * 200 + "]" * 200, "1e308", "1e-999", "a.b", "os.path"),
    *("..", "\\ud800"),
)
TOKENS = (
    *(*VALUES, "[" * 500, "{" * 500, "!!python/object/apply:os.system [id]", "!t ", "&a ", "*a", "<<: ", "? ", "- "),
    *("\t", "\r", "\0", "\ufeff", "\u2028", '"', "'", "\\", ",", ";", ":", "\n", "../", "s3://", "%", "#", "|", ">"),
    *("---\n", "...", "`", "@"),
)
RUN = {
    "data": {"type": "circular_membrane", "size": 60, "sample_rate": RATE, "duration": 0.1},
    "features": {"type": "mel", "n_mels": 16, "window": 0.02, "hop": 0.01},
    "model": {"type": "cnn", "width": 8},
    "target": {"type": "continuous", "quantities": {"diameter": "m"}},
    "training": {"max_epochs": 2, "val_check_interval": 0.5},
}
Reader = Callable[[Path], object]


def sounds(folder: Path) -> dict[str, Reader]:
    """A short synthesised sound in every format, and what reads it."""
    x = tone(300, 0.25, RATE)
    both = np.stack([x, x[::-1]], 1)
    for name, subtype in (("pcm.wav", "PCM_16"), ("deep.wav", "PCM_24"), ("float.wav", "FLOAT"), ("law.wav", "ULAW")):
        soundfile.write(folder / name, both, RATE, subtype)
    for name in ("x.flac", "x.ogg", "x.mp3", "x.aiff", "x.au", "x.caf"):
        soundfile.write(folder / name, both, RATE)
    soundfile.write(folder / "x.opus", both, RATE, format="OGG", subtype="OPUS")
    for name, codec in (("x.m4a", "aac"), ("x.aac", "aac"), ("x.webm", "libopus"), ("lossless.m4a", "alac")):
        _encode(folder / name, x, codec)

    def heard(path: Path) -> None:
        assert audio.info(path).samples > 0
        for rate, mix, part, decoder in ((8000, "mean", (0, None), "auto"), (None, "keep", (0.1, 0.05), "pyav")):
            assert np.isfinite(audio.read(path, rate, mix, *part, decoder)).all()

    return dict.fromkeys(sorted(path.name for path in folder.iterdir()), heard)


def _encode(path: Path, x: np.ndarray, codec: str) -> None:
    rate = 48000 if codec == "libopus" else RATE
    with av.open(str(path), "w", format="adts" if path.suffix == ".aac" else None) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(x[None], format="fltp", layout="mono")
        frame.sample_rate, resampler = RATE, av.AudioResampler(stream.format, "mono", rate, stream.frame_size or 1024)
        for ready in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(ready))
        container.mux(stream.encode(None))


def files(folder: Path) -> dict[str, Reader]:
    """Tables, configurations and what lies beside sounds and weights, each in a folder of its own."""
    import pyarrow
    from pyarrow import parquet

    from tympan.data.dataset_folder import about, read_about, write_about
    from tympan.data.datasets.manifest import Manifest
    from tympan.data.datasets.speech_folder import SpeechFolder
    from tympan.data.synthesizers import Synthesizer
    from tympan.runs.configuration import load
    from tympan.serving.artifact import Artifact, Config

    def listed(path: Path) -> None:
        table = Manifest(path=str(path), group_column="drum", sample_rate=8000, duration=0.25)
        for i in range(len(table)):
            table.values(i)

    def utterances(path: Path) -> None:
        derived = {"any": 'any_above(["dysarthria", "rating"], 0)'}
        told = {"derived": derived, "unknown": (-1, "x"), "positive_above": {"rating": 2}}
        source = SpeechFolder(root=str(clinic), sample_rate=8000, duration=0.25, label_file="labels.txt", **told)
        for i in range(len(source)):
            source.values(i)
        source.clip(0, 0, 0)

    rows = [{"path": f"{n}.wav", "drum": f"d{n % 3}", "size": 0.3 + n, "note": None} for n in range(6)]
    rows_as_csv = [",".join("" if cell is None else str(cell) for cell in row.values()) for row in rows]
    (folder / "t.csv").write_text("\n".join(["path,drum,size,note", *rows_as_csv]))
    parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "t.parquet")
    (folder / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    clinic = folder / "clinic"
    speech_folder.fabricate(str(clinic))
    utterance = clinic / "recordings" / "clinic-ann-0" / "metadata.json"
    (folder / "run.json").write_text(json.dumps(RUN, indent=1))
    with (folder / "run.yaml").open("w") as file:
        YAML().dump(RUN, file)
    (folder / "drums").mkdir()
    write_about(folder / "drums", {**about(Synthesizer.model_validate(RUN["data"]), "PCM_24"), "features": None})
    config = Config.model_validate(
        {
            "audio": {"sample_rate": 8000, "samples": 4000, "channels": "mean", "crop": "all", "padding": "left"},
            **{"features": RUN["features"], "model": RUN["model"], "outputs": {"size": {"target": RUN["target"]}}},
        }
    )
    Artifact(config, config.build()).save(folder / "model")
    read: Mapping[Path, Reader] = {
        folder / "t.csv": listed,
        folder / "t.jsonl": listed,
        folder / "t.parquet": listed,
        clinic / "train.csv": utterances,
        clinic / "labels.txt": utterances,
        utterance: utterances,
        folder / "run.yaml": load,
        folder / "run.json": load,
        folder / "drums" / "dataset.yaml": lambda path: read_about(str(path.parent)),
        folder / "model" / "config.json": lambda path: Artifact.load(path.parent),
        folder / "model" / "model.safetensors": lambda path: Artifact.load(path.parent),
    }
    return {str(path.relative_to(folder)): reader for path, reader in read.items()}


KINDS: dict[str, Callable[[Path], dict[str, Reader]]] = {"sounds": sounds, "files": files}


def mutant(kind: str, index: int, seeds: Mapping[str, bytes]) -> tuple[str, bytes]:
    """The name of the seed that mutation `index` is made of, and its bytes."""
    rng = np.random.default_rng([SEED, zlib.crc32(kind.encode()), index])
    names = list(seeds)
    name, other = (names[rng.integers(len(names))] for _ in range(2))
    data = bytearray(seeds[name])
    if name.endswith((".csv", ".json", ".jsonl", ".txt", ".yaml")) and rng.random() < 0.6:
        return name, _reworded(rng, bytes(data), seeds[other])
    for _ in range(rng.integers(1, 5)):
        begins = rng.random() < 0.5  # where the headers are
        place = int(rng.integers(min(len(data), 256) if begins else len(data))) if data else 0
        length = int(rng.integers(1, max(len(data) // 4, 2)))
        match rng.integers(7 if kind == "files" else 6):
            case 0:
                for at in rng.integers(place, max(len(data), place + 1), rng.integers(1, 9)) if data else ():
                    data[at] ^= 1 << rng.integers(8)
            case 1:
                width = int(2 ** rng.integers(4))
                half = 1 << 8 * width - 1
                value = (0, 1, half - 1, half, 2 * half - 1)[rng.integers(5)]
                data[place : place + width] = value.to_bytes(width, ("little", "big")[rng.integers(2)])
            case 2:
                del data[place:]
            case 3:
                del data[place : place + length]
            case 4:
                data[place:place] = data[place : place + length] * int(rng.integers(1, 20))
            case 5:
                data[place:] = seeds[other][int(rng.integers(len(seeds[other]))) :]
            case _:
                data[place : place + int(rng.integers(0, 5))] = TOKENS[rng.integers(len(TOKENS))].encode()
    if name.endswith((".ogg", ".opus")) and rng.random() < 0.7:
        _sum_pages(data)
    return name, bytes(data)


def _reworded(rng: np.random.Generator, data: bytes, other: bytes) -> bytes:
    """A text with other values in it, or with lines twice, lost or in another order: it stays one that can be read."""
    for _ in range(rng.integers(1, 4)):
        if rng.random() < 0.8:
            words = list(re.finditer(rb"[\w.+-]+", data)) or [re.search(b"", data)]
            theirs = re.findall(rb'"?[\w.+-]+"?', data if rng.random() < 0.5 else other) or [b""]
            word, value = words[rng.integers(len(words))], VALUES[rng.integers(len(VALUES))].encode()
            begin, end = word.span()
            if rng.random() < 0.5 and data[begin - 1 : begin] == data[end : end + 1] == b'"':
                begin, end = begin - 1, end + 1
            data = data[:begin] + (value if rng.random() < 0.6 else theirs[rng.integers(len(theirs))]) + data[end:]
        else:
            lines = data.split(b"\n")
            at, to = rng.integers(len(lines)), rng.integers(len(lines))
            lines[to : to + rng.integers(2)] = lines[at : at + rng.integers(3)]
            data = b"\n".join(lines)
    return data


_MIRRORED = bytes(int(f"{i:08b}"[::-1], 2) for i in range(256))


def _sum_pages(data: bytearray) -> None:
    """Make the checksums of an Ogg file's pages true, so that its damage reaches what is inside of them."""
    begin = data.find(b"OggS")
    while begin >= 0:
        end = data.find(b"OggS", begin + 4)
        page = data[begin : end if end >= 0 else len(data)]
        if len(page) > 26:
            page[22:26] = bytes(4)
            checked = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
            data[begin + 22 : begin + 26] = checked.to_bytes(4, "little").translate(_MIRRORED)[::-1]
        begin = end


def child(kind: str, first: int, last: int, folder: Path) -> None:
    """Read mutations `first` to `last` in this process, which dies of what it cannot survive."""
    place = folder / "files"
    shutil.rmtree(place, ignore_errors=True)  # of a child that died
    place.mkdir()
    readers = KINDS[kind](place)
    seeds = {name: (place / name).read_bytes() for name in readers}
    for name, read in readers.items():  # imports whatever they need, which is not the damage's doing
        with suppress(ValueError, OSError):
            read(place / name)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, resource.RLIM_INFINITY))
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", AssumptionWarning)
    for index in range(first, last):
        name, data = mutant(kind, index, seeds)
        (place / name).write_bytes(data)
        (folder / "at").write_text(str(index))
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        signal.alarm(PATIENCE)
        try:
            readers[name](place / name)
        except (ValueError, OSError) as error:
            if not any(named in str(error) for named in (Path(name).name, str(place / Path(name).parts[0]))):
                note(folder, kind, index, f"the file is not named: {traceback.format_exc()}")
        except BaseException:  # noqa: BLE001  # this is what is looked for
            note(folder, kind, index, traceback.format_exc())
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)
            (place / name).write_bytes(seeds[name])
    (folder / "at").write_text(str(last))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{kind} {first} to {last}: {peak} MiB at most, imports included")


def note(folder: Path, kind: str, index: int, what: str) -> None:
    """Write down a failure."""
    with (folder / "failures.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"kind": kind, "index": index, "what": what}) + "\n")


def fuzz(kind: str, count: int, folder: Path, program: tuple[str, ...] = (__file__,)) -> list[dict]:
    """Read the mutations up to `count` that were not read yet; what failed of all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    at = folder / "at"
    first = int(at.read_text()) if at.exists() else 0
    while first < count:
        ask = [sys.executable, *program, "--child", f"{first}", f"--count={count}", f"--folder={folder}", kind]
        with (folder / "said").open("wb") as said:  # decoders are talkative
            code = subprocess.run(ask, stderr=said, check=False).returncode
        if code > 0:
            raise RuntimeError((folder / "said").read_text(errors="replace")[-2000:])
        if code < 0:
            index = int(at.read_text())
            note(folder, kind, index, f"ended by {signal.Signals(-code).name}")
            at.write_text(str(index + 1))
        first = int(at.read_text())
    failed = folder / "failures.jsonl"
    return [json.loads(line) for line in failed.read_text().splitlines()] if failed.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--count", type=int)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    count = COUNTS[asked.kind] if asked.count is None else asked.count
    if asked.child is not None:
        child(asked.kind, asked.child, count, asked.folder)
        return
    failed = fuzz(asked.kind, count, asked.folder)
    print(f"{count} mutated {asked.kind}, {len(failed)} failures{f': {failed}' if failed else ''}")


if __name__ == "__main__":
    main()
