"""A whole corpus is brought into the cache: in parallel, once, past bad files, on from where it stopped."""

import json
import os
import resource
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile

from servers.faulty import Fault, faulty_gcs, faulty_s3  # noqa: F401
from servers.gcs import gcs, gcs_server  # noqa: F401
from servers.s3 import s3, s3_server  # noqa: F401
from tympan.component import AssumptionWarning
from tympan.data import audio, cache, storage
from tympan.data.datasets.manifest import Manifest
from tympan.data.prepare import prepare
from tympan.data.synthesizers import Synthesizer


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TYMPAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_known", {})


def corpus(folder: Path, count: int = 4, kind: type[Manifest] = Manifest, **fields) -> Manifest:
    """Recordings of noise, each with a label, at another rate than is asked for."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for i in range(count):
        soundfile.write(folder / f"{i}.wav", rng.normal(0, 0.1, (3000, 2)), 12000)
    (folder / "table.csv").write_text("\n".join(["path,x", *(f"{i}.wav,{i}" for i in range(count))]) + "\n")
    return kind(path=str(folder / "table.csv"), sample_rate=8000, duration=0.1, **fields)


def uploaded(source: Manifest, root: str) -> Manifest:
    """The same corpus in a bucket."""
    folder = Path(source.path).parent
    for file in folder.iterdir():
        storage.write_bytes(f"{root}/{file.name}", file.read_bytes())
    return source.model_copy(update={"path": f"{root}/table.csv"})


def entries() -> set[str]:
    return {path.name for path in (cache.folder() / "decoded").iterdir()}


def test_what_is_prepared_is_what_training_reads(tmp_path, monkeypatch):
    source = corpus(tmp_path / "corpus")
    told = []
    kept = prepare(source, workers=2, progress=lambda done, total: told.append((done, total)))
    assert (kept.files, kept.new, kept.bad, kept.quarantine) == (4, 4, [], None)
    assert told == [(i, 4) for i in range(1, 5)]
    before = entries()
    monkeypatch.setattr(audio, "read", lambda *a, **k: pytest.fail("decoded again"))
    assert all(source[i].waveform.shape == (1, 2000) for i in range(4))
    assert entries() == before and len(before) == 4


def test_what_is_there_is_not_made_again(tmp_path):
    source = corpus(tmp_path / "corpus")
    source[1], source[3]
    assert prepare(source, workers=1).new == 2
    inodes = {path.stat().st_ino for path in (cache.folder() / "decoded").iterdir()}
    assert prepare(source, workers=1).new == 0
    assert {path.stat().st_ino for path in (cache.folder() / "decoded").iterdir()} == inodes


def test_what_was_interrupted_goes_on_where_it_stopped(tmp_path):
    source = corpus(tmp_path / "corpus", 8)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(source, workers=1, progress=stop)
    there = len(entries())
    assert 1 <= there < 8 and not list(cache.folder().rglob(f"{storage.ASIDE}*"))
    assert prepare(source, workers=1).new == 8 - there


def test_stretches_of_one_file_are_one_file(tmp_path):
    source = corpus(tmp_path / "corpus", 2)
    table = Path(source.path)
    table.write_text("path,x,name\n0.wav,1,a\n0.wav,2,b\n1.wav,3,c\n")
    source = source.model_copy(update={"id_column": "name"})
    assert source.files() == {str(tmp_path / "corpus" / "0.wav"): [0, 1], str(tmp_path / "corpus" / "1.wav"): [2]}
    assert prepare(source, workers=1).files == 2


def test_a_bad_file_is_listed_with_its_reason_and_stops_nothing(tmp_path):
    source = corpus(tmp_path / "corpus", 5)
    (tmp_path / "corpus" / "1.wav").write_bytes(b"not a sound")
    (tmp_path / "corpus" / "3.wav").unlink()
    kept = prepare(source, workers=2)
    assert kept.new == 3
    assert [(Path(bad.uri).name, bad.recordings) for bad in kept.bad] == [("1.wav", ("1.wav",)), ("3.wav", ("3.wav",))]
    lines = [json.loads(line) for line in kept.quarantine.read_text().splitlines()]
    assert [line["uri"] for line in lines] == [bad.uri for bad in kept.bad]
    for line, i in zip(lines, (1, 3), strict=True):
        with pytest.raises(ValueError) as caught:  # the words of training
            source[i]
        assert line["reason"] == str(caught.value)
    soundfile.write(tmp_path / "corpus" / "1.wav", np.ones(3000), 12000)
    soundfile.write(tmp_path / "corpus" / "3.wav", np.ones(3000), 12000)
    again = prepare(source, workers=1)
    assert (again.new, again.bad) == (2, []) and not kept.quarantine.exists()


class Deadly(Manifest):
    """A corpus in which one file kills who reads it."""

    def fetch(self, index: int) -> bool:
        if index == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fetch(index)


def test_a_file_at_which_processes_die_is_listed_and_stops_nothing(tmp_path):
    kept = prepare(corpus(tmp_path / "corpus", 4, Deadly), workers=1)
    assert kept.new == 3
    (bad,) = kept.bad
    assert bad.uri.endswith("2.wav") and "ends the process that decodes it" in bad.reason


def test_what_was_assumed_is_said(tmp_path):
    source = corpus(tmp_path / "corpus", 2)
    (tmp_path / "corpus" / "0.wav").rename(tmp_path / "corpus" / "0.flac")
    Path(source.path).write_text("path,x\n0.flac,1\n1.wav,2\n")
    with pytest.warns(AssumptionWarning, match=r"0\.flac is called \.flac but holds WAV"):
        prepare(source, workers=1)


def test_a_full_disk_stops_it_and_is_no_fault_of_a_file(tmp_path):
    source = corpus(tmp_path / "corpus", 2)
    assert len(source) == 2
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, before[1]))  # of this process and of those that it starts
    try:
        with pytest.raises(OSError, match=r"\.wav could not be kept .*: it needs 8,000 bytes in .*, where .* are free"):
            prepare(source, workers=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TYMPAN_CACHE", str(tmp_path / "file"))
    with pytest.raises(OSError, match=r"file/quarantine/manifest-.*"):
        prepare(corpus(tmp_path / "corpus", 2))


def test_sound_that_is_made_needs_no_preparation():
    source = Synthesizer.model_validate({"type": "tone", "size": 3, "sample_rate": 8000, "duration": 0.1})
    assert prepare(source).files == 0


@pytest.mark.parametrize("kind", ["s3", "gcs"])
def test_a_bucket_is_prepared_past_faults_and_asked_for_each_body_once(kind, tmp_path, request):
    proxy, root = request.getfixturevalue(f"faulty_{kind}")
    source = uploaded(corpus(tmp_path / "corpus"), root)
    assert len(source) == 4
    proxy.faults = [Fault(503, r"2\.wav", 1), Fault("reset", r"3\.wav", 1, ("GET",)), Fault(403, r"1\.wav")]
    kept = prepare(source, workers=1)
    assert kept.new == 3
    (bad,) = kept.bad
    assert bad.uri == f"{root}/1.wav" and "may not be accessed" in bad.reason
    proxy.faults, proxy.asked = [], []
    again = prepare(source, workers=1)
    assert (again.new, again.bad) == (1, [])
    body = {"s3": r"\.wav", "gcs": r"\.wav\?alt=media"}[kind]
    assert proxy.count(body, "GET") == 1
    proxy.asked = []
    assert source[0].waveform.shape == (1, 2000)
    assert proxy.count(body, "GET") == 0


def test_files_that_are_not_to_be_kept_decoded_are_fetched(tmp_path, s3):  # noqa: F811
    source = uploaded(corpus(tmp_path / "corpus", cache=False), s3)
    assert [source.fetch(i) for i in range(4)] == [True] * 4
    assert not (cache.folder() / "decoded").exists() and len(list((cache.folder() / "files").glob("*.wav"))) == 4
    assert [source.fetch(i) for i in range(4)] == [False] * 4
