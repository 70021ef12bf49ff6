"""Freed memory is kept for what comes next, in this process alone, and can be given back."""

import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tympan import memory

GLIBC = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")

CHILD = """
import os, resource
import numpy as np
from tympan import memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        np.ones(1 << 24)  # 128 MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def held():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20

faults()
plain = faults()
memory.keep()
memory.keep()
faults()
kept = faults()
before = held()
read, write = os.pipe()
if not os.fork():
    os.write(write, str(faults()).encode())
    os._exit(0)
os.wait()
forked = int(os.read(read, 99))
memory.give_back()
print(plain, kept, forked, before, held(), faults())
"""


@GLIBC
def test_what_is_freed_is_not_asked_for_again_but_in_forked_processes_and_can_be_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    plain, kept, forked, before, after, again = map(int, done.stdout.split())
    # Pages may be of 4 KiB, or be given out by 64 KiB and more.
    assert kept < 0.1 * plain
    assert forked > 0.5 * plain
    assert after < before - 100
    assert kept < again, "what was given back is asked for once, and kept again"


@pytest.mark.parametrize("libc", [SimpleNamespace(), SimpleNamespace(mallopt=lambda name, value: 0)])
def test_another_allocator_is_left_alone(libc: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_kept", False)
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: libc)
    memory.keep()
    memory.give_back()
    assert not memory._kept
