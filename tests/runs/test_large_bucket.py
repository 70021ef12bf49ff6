"""Before its first step a run asks a bucket for the tables and for the clips of that step, however large the corpus."""

import base64
import gc
import hashlib
import io
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from rich.console import Console
from transformers import TrainerCallback

from runs_helpers import run_of
from servers.faulty import Faulty, faulty_gcs  # noqa: F401
from servers.gcs import Gcs, gcs, gcs_server  # noqa: F401
from tympan.component import AssumptionWarning
from tympan.data import cache
from tympan.runs.obtain import obtain
from tympan.runs.run import Run
from tympan.runs.train import train

BATCH = 8
MOST = 40 + 4 * BATCH
HEADER = "uid,subject,age,dysarthria"
WORDS = {
    "data": {"type": "speech_folder", "sample_rate": 8000, "duration": 0.5, "label_file": "labels.txt"},
    "features": {"type": "mel", "n_mels": 16, "window": 0.032, "hop": 0.016},
    "target": {"type": "binary"},
    "training": {"batch_size": BATCH, "max_epochs": 2},
}


class Endless(dict[str, Any]):
    """A bucket that holds every utterance that is asked for."""

    def __init__(self) -> None:
        made = io.BytesIO()
        sound = np.random.default_rng(0).normal(0, 0.1, 4000)
        soundfile.write(made, sound, 8000, format="FLAC", subtype="PCM_16")
        self.files = {".flac": made.getvalue(), ".json": b'{"encoding": "FLAC", "sample_rate_hz": 8000}'}

    def get(self, name: str, default: Any = None) -> Any:
        data = self.files.get(Path(name).suffix)
        if data is None:
            return super().get(name, default)
        md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
        return data, {"name": name, "generation": "1", "size": str(len(data)), "md5Hash": md5}


class Ended(Exception):
    """The first step was made."""


class First(TrainerCallback):
    """Counts what was asked until the first step, and ends the run there."""

    def __init__(self, proxy: Faulty) -> None:
        self.proxy, self.asked, self.memory, self.objects = proxy, [], 0.0, 0

    def on_step_end(self, *arguments: Any, **named: Any) -> None:
        time.sleep(0.3)  # for what is on its way
        self.asked, self.memory = list(self.proxy.asked), resident()
        self.objects = tracemalloc.get_traced_memory()[0] if tracemalloc.is_tracing() else 0
        raise Ended


def resident() -> float:
    """Bytes that this process has in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TYMPAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_known", {})


def bucket_of(rows: int, place: tuple[Faulty, str], server: Gcs, folder: Path, **sections: Any) -> Run:
    """A run on a bucket with so many training recordings."""
    root = place[1]
    bucket = root.removeprefix("gs://")
    server.buckets[bucket] = Endless()
    train_rows = [f"uid-{i:06d},subject-{i // 10:05d},{30 + i % 50},{i // 10 % 2}" for i in range(rows)]
    test_rows = [f"t-{i},ts-{i // 3},{i},{i // 3 % 2}" for i in range(30)]
    server.put(bucket, "train.csv", "\n".join([HEADER, *train_rows]).encode())
    server.put(bucket, "test.csv", "\n".join([HEADER, *test_rows]).encode())
    server.put(bucket, "labels.txt", b"dysarthria\n")
    return run_of(folder, **{**WORDS, **sections, "data": {**WORDS["data"], "root": root}})


def begun(rows: int, place: tuple[Faulty, str], server: Gcs, folder: Path, **sections: Any) -> First:
    """What a run on so many training recordings asked until its first step."""
    run, proxy = bucket_of(rows, place, server, folder, **sections), place[0]
    proxy.asked = []
    first = First(proxy)
    with pytest.raises(Ended):
        train(run, console=Console(quiet=True), callbacks=[first])
    assert not [path for _, path in first.asked if path.partition("?")[0].endswith("/o")]  # a listing
    assert len([path for _, path in first.asked if "waveform.flac" in path]) >= BATCH
    return first


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("workers", [0, 2, 4])
def test_reading_ahead_begins_after_the_first_step(workers, tmp_path, faulty_gcs, gcs_server):  # noqa: F811
    loader = {"num_workers": workers, "prefetch_size": 3}
    assert len(begun(400, faulty_gcs, gcs_server, tmp_path, loader=loader).asked) <= MOST


def test_the_features_of_the_first_step_are_the_statistics(tmp_path, faulty_gcs, gcs_server):  # noqa: F811
    features = {**WORDS["features"], "standardize": "dataset"}
    with pytest.warns(AssumptionWarning, match="of the 16 recordings that the first step hears"):
        first = begun(400, faulty_gcs, gcs_server, tmp_path, features=features)
    assert len(first.asked) <= MOST


@pytest.mark.parametrize("rows", [10_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_many_recordings_cost_no_more_than_few(rows, tmp_path, faulty_gcs, gcs_server):  # noqa: F811
    few = begun(1000, faulty_gcs, gcs_server, tmp_path / "few")
    before = resident()
    many = begun(rows, faulty_gcs, gcs_server, tmp_path / "many")
    assert len(many.asked) <= MOST
    assert len(many.asked) <= len(few.asked) + 1
    assert many.memory - before < 2500 * rows + 30_000_000  # bytes for each row of the table, and nothing else


@pytest.mark.slow
def test_beyond_its_table_a_run_holds_the_same_for_many_recordings_as_for_few(
    tmp_path,
    faulty_gcs,  # noqa: F811
    gcs_server,  # noqa: F811
):
    begun(100, faulty_gcs, gcs_server, tmp_path / "once")  # what is imported and kept once
    held = {}
    tracemalloc.start()
    try:
        for rows in (1000, 4000):
            run = bucket_of(rows, faulty_gcs, gcs_server, tmp_path / f"table-{rows}")
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            with cache.asked_once():
                source = obtain(run)
                parts = source.divide()
            gc.collect()
            alone = tracemalloc.get_traced_memory()[0] - before
            del run, source, parts
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            held[rows] = alone, begun(rows, faulty_gcs, gcs_server, tmp_path / f"run-{rows}").objects - before
    finally:
        tracemalloc.stop()
    (few, with_few), (many, with_many) = held.values()
    assert many > 2 * few
    assert with_many - with_few < 1.1 * (many - few)
