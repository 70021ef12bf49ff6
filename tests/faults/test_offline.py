"""Everything but buckets and downloads works with the network cut, and nobody tries to reach it."""

import json
import os
import subprocess
import sys

import offline
import pytest

from runs_helpers import ONE_EPOCH, write

SECRET = dict.fromkeys(("AWS_SECRET_ACCESS_KEY", "WANDB_API_KEY", "HF_TOKEN"), "canary7f3a")


@pytest.mark.slow
def test_nothing_connects(tmp_path):
    write(tmp_path / "run.yaml", training=ONE_EPOCH, checkpoint={"checkpoint_dir": str(tmp_path / "runs")})
    ask = [sys.executable, offline.__file__, str(tmp_path)]
    done = subprocess.run(ask, capture_output=True, text=True, check=False, env={**os.environ, **SECRET})
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == []
    assert "canary7f3a" not in done.stdout + done.stderr  # no command tells of the environment's secrets
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and b"canary7f3a" in p.read_bytes()]
    assert (tmp_path / "answers.csv").read_text().count("\n") > 1


CUT = """
import socket, sys, urllib.request
sys.path.insert(0, {folder!r})
import offline
offline.cut()
for ask in (
    lambda: socket.create_connection(("127.0.0.1", 9)),
    lambda: socket.socket().connect(("127.0.0.1", 9)),
    lambda: urllib.request.urlopen("http://example.org"),
):
    try:
        ask()
    except OSError:
        pass
print(len(offline.tried))
"""


def test_an_attempt_would_be_seen():
    code = CUT.format(folder=str(os.path.dirname(offline.__file__)))  # noqa: PTH120
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "3\n"
