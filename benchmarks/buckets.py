"""Epochs from a bucket slowed to 2 MB/s beside epochs from local disk: how long each is, and what is asked."""

import logging
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import soundfile
import torch
from moto.server import ThreadedMotoServer

from tympan.data import cache, storage
from tympan.data.ahead import ahead
from tympan.data.batch import Clips
from tympan.data.datasets.manifest import Manifest

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from servers.faulty import Faulty  # pyright: ignore[reportMissingImports]

FILES, RATE, SECONDS, SLOW = 32, 16000, 4.0, 2e6
REPEATS = 31


def measured() -> dict[str, dict[str, Any]]:
    """Seconds of an epoch without any training: the first from the bucket, and later ones interleaved with local."""
    with tempfile.TemporaryDirectory() as name:
        folder, before = Path(name), dict(os.environ)
        moto = ThreadedMotoServer(port=0, verbose=False)
        moto.start()
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        with Faulty("http://{}:{}".format(*moto.get_host_and_port())) as proxy:
            threading.Thread(target=proxy.serve_forever, daemon=True).start()
            os.environ |= {
                "AWS_ENDPOINT_URL": proxy.address, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
                "AWS_DEFAULT_REGION": "us-east-1", "TYMPAN_CACHE": str(folder / "cache"),
            }  # fmt: skip
            try:
                return _measured(folder, proxy)
            finally:
                os.environ.clear()
                os.environ |= before
                proxy.shutdown()
                moto.stop()


def _measured(folder: Path, proxy: Faulty) -> dict[str, dict[str, Any]]:
    boto3.client("s3").create_bucket(Bucket="corpus")
    rng, lines = np.random.default_rng(0), ["path,x"]
    for i in range(FILES):
        soundfile.write(folder / f"{i}.wav", rng.normal(0, 0.1, round(RATE * SECONDS)), RATE, "PCM_16")
        lines.append(f"{i}.wav,{i}")
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    for file in [*folder.glob("*.wav"), folder / "table.csv"]:
        storage.write_bytes(f"s3://corpus/{file.name}", file.read_bytes())
    proxy.rate = SLOW

    def clips(path: str) -> Clips:
        source = Manifest(path=path, sample_rate=RATE, duration=SECONDS)
        return Clips(source, range(len(source)), lambda e: {"x": torch.tensor([[e.values["x"]]])}, 0, REPEATS + 1)

    def epoch(heard: Any, number: int) -> float:
        began = time.perf_counter()
        for position in range(number * FILES, (number + 1) * FILES):
            heard[position]
        return time.perf_counter() - began

    local = clips(str(folder / "table.csv"))
    with cache.asked_once(), ahead(clips("s3://corpus/table.csv"), 8) as bucket:
        epoch(local, 0)
        first = epoch(bucket, 0)
        asked = len(proxy.asked)
        times = np.array([[epoch(bucket, n), epoch(local, n)] for n in range(1, REPEATS + 1)])
    (ours, peer), requests = map(float, times.min(0)), len(proxy.asked) - asked
    what = f"{FILES} × {SECONDS:g} s from a bucket at {SLOW / 1e6:g} MB/s, second epoch on"
    return {
        f"{what} / local disk": {"ours_s": ours, "peer_s": peer, "ratio": peer / ours, "requests": requests},
        f"{what} / its first epoch": {"ours_s": ours, "peer_s": first, "ratio": first / ours},
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, row in measured().items():
        print(name, row)
