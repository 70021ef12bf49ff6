"""What is generated is the same for any number of workers, goes on where it stopped, and is read back as it was."""

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from corpora.recorded import fabricate
from tympan.data.dataset_folder import alone
from tympan.data.datasets import Dataset
from tympan.data.generate import generate, spread
from tympan.data.synthesizers import Synthesizer

DRUMS = {"type": "circular_membrane", "size": 7, "sample_rate": 8000, "duration": 0.1, "seed": 5}


def source(**changes):
    return Synthesizer.model_validate({**DRUMS, **changes})


def contents(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def recorded(folder):
    return Dataset.model_validate({"type": "recorded", "root": str(folder), "sample_rate": 8000, "duration": 0.1})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return generate(source(), tmp_path_factory.mktemp("drums") / "new")


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_no_byte(folder, tmp_path, workers):
    done = []
    generate(source(), tmp_path, workers=workers, progress=lambda n, of: done.append((n, of)))
    assert contents(tmp_path) == contents(folder)
    assert done == [(n, 7) for n in range(1, 8)]


def test_what_was_drawn_is_read_back(folder):
    drums, read = source(), recorded(folder)
    assert len(read) == 7 and read.units == drums.units and read.group == "drum"
    for i in range(7):
        a, b = drums[i], read[i]
        assert (a.id, a.groups, a.values) == (b.id, b.groups, b.values)
        assert np.abs(a.waveform - b.waveform).max() <= 2**-23
        assert read.describe(i) == drums.describe(i)


def test_interrupted_generation_goes_on(folder, tmp_path):
    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(source(), tmp_path, progress=stop)
    with pytest.raises(ValueError, match="not complete"):
        len(recorded(tmp_path))
    (tmp_path / "sample_000001.wav").write_bytes((folder / "sample_000001.wav").read_bytes()[:500])
    kept = (tmp_path / "sample_000000.wav").stat().st_mtime_ns
    generate(source(), tmp_path)
    assert contents(tmp_path) == contents(folder)
    assert (tmp_path / "sample_000000.wav").stat().st_mtime_ns == kept


@pytest.mark.parametrize("change", [{"seed": 6}, {"diameter": 0.5}, {"size": 8}])
def test_another_configuration_is_refused_and_nothing_touched(folder, tmp_path, change):
    copy = shutil.copytree(folder, tmp_path / "copy")
    with pytest.raises(ValueError, match=f"another configuration.*{next(iter(change))}"):
        generate(source(**change), copy)
    with pytest.raises(ValueError, match="subtype"):
        generate(source(), copy, subtype="FLOAT")
    assert contents(copy) == contents(folder)


def test_foreign_samples_are_left_alone(tmp_path):
    (tmp_path / "mine.wav").write_bytes(b"mine")
    with pytest.raises(ValueError, match="choose an empty folder"):
        generate(source(), tmp_path)
    assert contents(tmp_path) == {"mine.wav": b"mine"}


def test_changed_metadata_is_refused(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "metadata.parquet").write_bytes((copy / "metadata.parquet").read_bytes() + b"\0")
    with pytest.raises(ValueError, match="sha256"):
        len(recorded(copy))


def test_float_samples_are_exact(tmp_path):
    generate(source(size=2), tmp_path, subtype="FLOAT")
    assert np.array_equal(recorded(tmp_path)[1].waveform, source()[1].waveform)


def test_a_recorded_folder_can_be_generated_again(folder, tmp_path):
    again = recorded(generate(recorded(folder), tmp_path))
    assert [again[i].values for i in range(7)] == [recorded(folder)[i].values for i in range(7)]


def test_sounds_without_values_are_read_back(tmp_path):
    sweep = Synthesizer.model_validate({"type": "sweep", "size": 2, "sample_rate": 8000, "duration": 0.1})
    generate(sweep, tmp_path)
    assert recorded(tmp_path)[1].values == {} and recorded(tmp_path).group == "example"


def test_remote_output_is_refused():
    with pytest.raises(ValueError, match="local folder"):
        generate(source(), "s3://bucket/drums")


def test_fabricated_corpus_is_small_and_whole(tmp_path):
    configuration = fabricate(tmp_path / "corpus")
    read = Dataset.model_validate(json.loads(json.dumps(configuration)))
    assert len(read) == 6 and len({read.describe(i).groups["drum"] for i in range(6)}) == 2


def flip(file, at=-7):
    """Change one bit of a file, which keeps its length."""
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(bytes(data))


def stopped(folder, at):
    """A folder whose generation was interrupted after some samples."""

    def stop(done, total):
        if done == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(source(), folder, progress=stop)
    return folder


@pytest.mark.parametrize("complete", [True, False])
def test_samples_that_changed_or_were_lost_are_made_again(folder, tmp_path, complete):
    copy = shutil.copytree(folder, tmp_path / "copy") if complete else stopped(tmp_path / "copy", 5)
    flip(copy / "sample_000001.wav")
    (copy / "sample_000002.wav").write_bytes((folder / "sample_000002.wav").read_bytes()[:-2])
    (copy / "sample_000003.wav").unlink()
    kept = {name: (copy / name).stat().st_mtime_ns for name in ("sample_000000.wav", "sample_000004.wav")}
    generate(source(), copy)
    assert contents(copy) == contents(folder)
    assert kept == {name: (copy / name).stat().st_mtime_ns for name in kept}


def test_a_sample_that_changed_is_refused_by_its_reader(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    flip(copy / "sample_000001.wav")
    read = recorded(copy)
    assert read[0].waveform.any()
    with pytest.raises(ValueError, match=r"sample_000001\.wav is not as it was generated.*run the same"):
        read[1]


@pytest.mark.parametrize("name", ["metadata.parquet", "dataset.yaml"])
@pytest.mark.parametrize("how", ["lost", "cut", "empty"])
def test_a_table_that_was_lost_or_damaged_is_made_again(folder, tmp_path, name, how):
    copy = shutil.copytree(folder, tmp_path / "copy")
    if how == "lost":
        (copy / name).unlink()
    else:
        (copy / name).write_bytes((copy / name).read_bytes()[: 300 if how == "cut" else 0])
    if name == "dataset.yaml":  # nothing says whose the samples are
        with pytest.raises(ValueError, match=r"dataset\.yaml"):
            generate(source(), copy)
        return
    generate(source(), copy)
    assert contents(copy) == contents(folder)


def test_what_is_whole_is_not_written_again(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    before = {p.name: p.stat().st_mtime_ns for p in copy.iterdir()}
    generate(source(), copy)
    assert {p.name: p.stat().st_mtime_ns for p in copy.iterdir()} == before


def test_only_some_entries_are_made_again(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    for file in copy.glob("*.wav"):
        flip(file)
    left, done = contents(copy), []
    generate(source(), copy, only=[5, 2, 5], progress=lambda n, of: done.append((n, of)))
    assert done == [(1, 2), (2, 2)]
    for name, data in contents(copy).items():
        made = name in ("sample_000002.wav", "sample_000005.wav")
        assert data == (contents(folder)[name] if made else left[name])


def test_metadata_stay_true_where_an_entry_is_another_now(folder, tmp_path, monkeypatch):
    copy = shutil.copytree(folder, tmp_path / "copy")
    with monkeypatch.context() as patch:  # the code of an instrument has changed
        plain = type(source()).synthesize

        def other(self, rng, index):
            example = plain(self, rng, index)
            return dataclasses.replace(example, waveform=example.waveform / 2, values={**example.values, "f0": 5.0})

        patch.setattr(type(source()), "synthesize", other)
        generate(source(), copy, only=[3])
        read, old = recorded(copy), recorded(folder)
        assert read.values(3)["f0"] == 5.0 and read.values(2) == old.values(2)
        np.testing.assert_allclose(read[3].waveform, old[3].waveform / 2, atol=1e-6)
    generate(source(), copy)  # an entry that is as its row says stays
    assert recorded(copy).values(3)["f0"] == 5.0
    generate(source(), copy, only=[3])
    assert contents(copy) == contents(folder)


@pytest.mark.parametrize(("only", "told"), [([7], "no entry 7"), ([-1, 2, 99], "no entry -1, 99"), ([], "no entry is")])
def test_entries_that_are_not_there_are_refused(folder, tmp_path, only, told):
    copy = shutil.copytree(folder, tmp_path / "copy")
    with pytest.raises(ValueError, match=f"{told}.*; its entries are 0 to 6"):
        generate(source(), copy, only=only)
    assert contents(copy) == contents(folder)


def test_a_file_is_no_folder_to_fill(tmp_path):
    (tmp_path / "run.yaml").write_text("data: tone")
    with pytest.raises(ValueError, match=r"run\.yaml is a file, not a folder"):
        generate(source(), tmp_path / "run.yaml")


def test_folders_of_others_are_no_leftovers(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    left = copy / ".tmp-elsewhere-1-abcd.unpacked"
    left.mkdir()
    generate(source(), copy)
    assert left.is_dir()


def test_a_process_that_is_ended_is_told_in_a_sentence():
    with pytest.raises(OSError, match="one of 2 processes was ended"):
        list(spread(os._exit, [1, 1], 2))


def test_entries_of_no_complete_folder_are_refused(tmp_path):
    with pytest.raises(ValueError, match="generate all of it first"):
        generate(source(), tmp_path / "new", only=[1])
    assert not (tmp_path / "new").exists()
    with pytest.raises(ValueError, match="is not complete; generate all of it first"):
        generate(source(), stopped(tmp_path / "half", 3), only=[1])


def test_two_do_not_write_into_one_folder(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    with alone(copy), pytest.raises(ValueError, match="is being written by another tympan"):
        generate(source(), copy)
    generate(source(), copy)
    assert contents(copy) == contents(folder)


def test_what_died_half_written_is_swept(folder, tmp_path):
    left = stopped(tmp_path / "new", 2) / ".tmp-host-1-0a1b2c3d.wav"
    left.write_bytes(b"half")
    generate(source(), tmp_path / "new")
    assert contents(tmp_path / "new") == contents(folder)


KILLED = """
import itertools, json, os, signal, sys
from pathlib import Path
from tympan.data.generate import generate
from tympan.data.synthesizers import Synthesizer

source, place, only = Synthesizer.model_validate(json.loads(sys.argv[1])), Path(sys.argv[2]), json.loads(sys.argv[3])
contents = lambda folder: {p.name: p.read_bytes() for p in folder.iterdir()}
whole, other = contents(generate(source, place / "whole")), "sample_000000.wav"

def dying(plain, calls, at):
    def call(*arguments, **named):
        if next(calls) == at:
            os.kill(os.getpid(), signal.SIGKILL)
        said = plain(*arguments, **named)
        if next(calls) == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return said
    return call

for at in itertools.count(1):
    folder = place / str(at)
    if only:
        generate(source, folder)
        for file in folder.glob("*.wav"):
            file.write_bytes(file.read_bytes()[:-2])
        before = contents(folder)
    child = os.fork()
    if child == 0:
        calls = itertools.count(1)
        for owner, name in ((os, "fsync"), (os, "write"), (Path, "replace"), (Path, "unlink")):
            setattr(owner, name, dying(getattr(owner, name), calls, at))
        if only:  # the tables change as well
            plain = type(source).parameters
            type(source).parameters = lambda *given: {**plain(*given), "f0": 5.0}
        generate(source, folder, only=only)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL), status
    if only:
        assert all((folder / name).exists() for name in whole), at
        assert (folder / other).read_bytes() == before[other], at
    elif (folder / "dataset.yaml").exists() and "metadata_sha256" in (folder / "dataset.yaml").read_text():
        assert whole.items() <= contents(folder).items(), at  # what says that it is complete is so
    assert status or only or contents(folder) == whole, at
    if only:
        generate(source, folder, only=only)
        assert contents(folder) == {**whole, other: before[other]}, at
    assert contents(generate(source, folder)) == whole, at
    if status == 0:
        print(at)
        break
"""


@pytest.mark.parametrize("only", [None, [1]])
def test_a_death_at_every_step_of_writing_loses_nothing(tmp_path, only):
    """Before and after each time that a file is written through, noted, renamed or deleted, the tables among them."""
    command = [sys.executable, "-c", KILLED, json.dumps({**DRUMS, "size": 2}), str(tmp_path), json.dumps(only)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 15


def children(pid):
    """The processes that a process has started, and those that they have."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, _, fields = stat.read_text().rpartition(")")
            parents[int(name.split()[0])] = int(fields.split()[1])
    own = [child for child, parent in parents.items() if parent == pid]
    return own + [below for child in own for below in children(child)]


def gone(pid):
    """Whether a process has ended, be it that nobody has asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="it looks for processes in /proc")
@pytest.mark.slow
@pytest.mark.parametrize("kills", [2, 50])
def test_kills_at_random_moments_lose_nothing_and_leave_nobody(tmp_path, kills):
    drums = {**DRUMS, "size": 1500 if kills > 2 else 200, "sample_rate": 16000}
    (tmp_path / "drums.json").write_text(json.dumps({"data": drums}))
    whole = contents(generate(Synthesizer.model_validate(drums), tmp_path / "whole"))
    folder, rng, killed, rounds = tmp_path / "new", np.random.default_rng(kills), 0, 0
    command = [sys.executable, "-m", "tympan", "generate", str(tmp_path / "drums.json"), str(folder), "--workers", "2"]
    began = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    took = time.monotonic() - began
    while killed < kills:
        if folder.exists() and contents(folder) == whole:
            rounds += 1
            shutil.rmtree(folder)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(0, took))
        if process.poll() is None:
            process.send_signal(signal.SIGSTOP)
            workers = children(process.pid)
            process.kill()
            killed += 1
            until = time.monotonic() + 20
            while not all(map(gone, workers)):
                assert time.monotonic() < until, f"{workers} outlive {process.pid}"
                time.sleep(0.01)
        else:
            assert process.returncode == 0, process.stderr.read()
        process.wait()
        process.stderr.close()
    subprocess.run(command, check=True, capture_output=True)
    assert contents(folder) == whole
    print(f"{killed} kills, {rounds} times whole between them; undisturbed it takes {took:.1f} s")
