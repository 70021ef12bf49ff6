"""Whether anybody still writes at what was begun aside, by the machine and the process in its name."""

import os
import re
import socket
import time
from pathlib import Path

from .storage import ASIDE

STALE = 86400.0
"""Seconds after which a half-written file of another machine has no writer any more."""
_WRITER = re.compile(r"(.+)-(\d+)-[0-9a-f]+")
"""The machine and the process in the name of what is written aside."""


def gone(left: Path) -> bool:
    """Whether nobody writes any more at what was begun aside."""
    named = _WRITER.match(left.name.removeprefix(ASIDE))
    if named is None:  # somebody else's
        return False
    if named[1] == socket.gethostname():
        return not _alive(int(named[2]))
    return time.time() - left.stat().st_mtime > STALE


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
