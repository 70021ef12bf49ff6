"""Damaged files are read or refused by name: nothing crashes, hangs, or fills the memory."""

from pathlib import Path

import fuzz
import numpy as np
import pytest


def test_damaged_sounds_are_read_or_refused_by_name(tmp_path):
    assert fuzz.fuzz("sounds", 300, tmp_path) == []


def test_damaged_tables_configurations_and_artifacts_are_read_or_refused_by_name(tmp_path):
    assert fuzz.fuzz("files", 200, tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", fuzz.KINDS)
def test_many_damaged_files_are_read_or_refused_by_name(kind, tmp_path):
    assert fuzz.fuzz(kind, fuzz.COUNTS[kind], tmp_path) == []


PLANTED = """
import ctypes, sys
sys.path.insert(0, {folder!r})
import fuzz
import numpy as np

def read(path):
    data = path.read_bytes()
    if data == b"crash":
        ctypes.string_at(0)
    while data == b"hang":
        pass
    if data == b"fill":
        np.ones(2 * fuzz.MEMORY, np.uint8)
    raise ValueError("no name" if data == b"silent" else str(path))

def seeds(folder):
    (folder / "x").write_bytes(b"")
    return {{"x": read}}

fuzz.SECONDS = 0.2
fuzz.KINDS["sounds"] = seeds
fuzz.mutant = lambda kind, index, seeds: ("x", [b"fine", b"crash", b"hang", b"fill", b"silent", b"fine"][index])
fuzz.main()
"""


def test_the_fuzzer_sees_what_it_looks_for_and_goes_on_where_it_was(tmp_path):
    program = ("-c", PLANTED.format(folder=str(Path(fuzz.__file__).parent)))
    assert len(fuzz.fuzz("sounds", 2, tmp_path, program)) == 1
    failed = fuzz.fuzz("sounds", 6, tmp_path, program)
    assert [each["index"] for each in failed] == [1, 2, 3, 4]
    for each, what in zip(failed, ("SIGSEGV", "SIGPROF", "MemoryError", "not named"), strict=True):
        assert what in each["what"]


def test_a_mutation_is_a_function_of_its_number():
    seeds = {"x.ogg": b"OggS" + bytes(60), "y.csv": b"a,b\n1,2\n"}
    made = [fuzz.mutant("files", i, seeds) for i in range(200)]
    assert made == [fuzz.mutant("files", i, seeds) for i in range(200)] and len(set(made)) > 150
    page = bytearray(np.random.default_rng(0).bytes(200))
    page[:4] = b"OggS"
    fuzz._sum_pages(page)
    crc = 0  # as RFC 3533 defines it
    for byte in page[:22] + bytes(4) + page[26:]:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    assert int.from_bytes(page[22:26], "little") == crc
