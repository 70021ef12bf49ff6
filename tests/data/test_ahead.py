"""Files of a bucket are fetched before they are wanted, each once, and what is heard stays the same."""

import time
from collections.abc import Callable

import pytest
import torch

from data.test_prepare import corpus, uploaded
from servers.faulty import Fault, faulty_gcs, faulty_s3  # noqa: F401
from servers.gcs import gcs, gcs_server  # noqa: F401
from servers.s3 import s3, s3_server  # noqa: F401
from tympan.data import cache, client
from tympan.data.ahead import Ahead, ahead
from tympan.data.batch import Clips


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TYMPAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_known", {})
    monkeypatch.setattr(client, "PAUSES", (0.0, 0.0, 0.0))


def clips_of(source, epochs: int = 1) -> Clips:
    return Clips(source, range(len(source)), lambda example: {"x": torch.tensor([[example.values["x"]]])}, 0, epochs)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("kind", ["s3", "gcs"])
def test_the_next_files_are_fetched_while_a_step_is_made_and_no_more(kind, tmp_path, request):
    proxy, root = request.getfixturevalue(f"faulty_{kind}")
    local = corpus(tmp_path / "corpus", 8)
    clips, plain = clips_of(uploaded(local, root), 2), clips_of(local, 2)
    proxy.rate, proxy.asked = 2e5, []
    body = {"s3": r"\.wav", "gcs": r"\.wav\?alt=media"}[kind]
    with ahead(clips, 3) as coming:
        assert isinstance(coming, Ahead) and len(coming) == 16
        coming[0]
        until(lambda: proxy.count(body, "GET") >= 4)
        time.sleep(0.2)
        assert proxy.count(body, "GET") == 4
        for position in range(16):
            here, there = coming[position], plain[position]
            assert torch.equal(here["waveform"], there["waveform"]) and torch.equal(here["key"], there["key"])
    assert proxy.count(body, "GET") == 8  # each once in two epochs


def test_a_file_that_cannot_be_fetched_is_told_where_it_is_wanted(tmp_path, faulty_s3):  # noqa: F811
    proxy, root = faulty_s3
    clips = clips_of(uploaded(corpus(tmp_path / "corpus", 3), root))
    name = f"{clips.at(1)[1]}.wav"
    proxy.faults = [Fault(404, name)]
    with ahead(clips, 2) as coming:
        coming[0]
        with pytest.raises(ValueError, match=f"{name} does not exist"):
            coming[1]
        coming[2]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_workers_ask_nothing_that_another_has_asked(tmp_path, faulty_s3):  # noqa: F811
    proxy, root = faulty_s3
    clips = clips_of(uploaded(corpus(tmp_path / "corpus", 8), root), epochs=5)
    with cache.asked_once():
        loader = iter(torch.utils.data.DataLoader(clips, 2, num_workers=2, prefetch_factor=1))
        for _ in range(10):  # two epochs: where they meet, two workers may want one file at once
            next(loader)
        until(lambda: proxy.count(r"\.wav", "GET") >= 8)
        asked = len(proxy.asked)
        assert len(list(loader)) == 10
    assert len(proxy.asked) == asked


def test_local_files_are_read_when_they_are_wanted(tmp_path):
    clips = clips_of(corpus(tmp_path / "corpus"))
    with ahead(clips, 4) as coming:
        assert coming is clips


def test_going_on_in_the_middle_fetches_nothing_before_it(tmp_path, faulty_s3):  # noqa: F811
    proxy, root = faulty_s3
    clips = clips_of(uploaded(corpus(tmp_path / "corpus", 6), root))
    proxy.asked = []
    with ahead(clips, 2) as coming:
        for position in range(3, 6):
            coming[position]
    asked = {clips.at(p)[1] for p in range(6) if proxy.count(f"/{clips.at(p)[1]}.wav", "GET")}
    assert asked == {clips.at(p)[1] for p in range(3, 6)}
