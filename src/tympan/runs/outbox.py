"""A thread that gives a run's figures to one tracker, so that one that is slow, silent or down holds nothing up."""

import queue
import threading
import time
import warnings
from collections.abc import Callable

Line = dict[str, float | int]
Opened = tuple[Callable[[Line], None], Callable[[], None]]
"""What writes a line, and what closes the tracker."""

OPENING = 3.0
"""The most seconds that training waits for a tracker to be opened."""
CLOSING = 5.0
"""The most seconds that the end of training waits for a tracker to take what is left."""
MOST = 1000
"""Lines that wait for a tracker; others are dropped."""
# What a tracker's own code may raise when its server, disk or installation fails; none of it may stop a run.
FAILURES = (AttributeError, ImportError, LookupError, OSError, RuntimeError, TypeError, ValueError)

_last: "dict[str, Outbox]" = {}
"""What each tracker had last in this process, which may be closing it still, or was left by a training that failed."""


class TrackerWarning(UserWarning):
    """A tracker failed or is too slow; the run goes on."""


class Outbox:
    """Lines on their way to a tracker, which is opened, written and closed by a thread. Of what goes wrong one warning
    is given, by the thread that calls."""

    def __init__(self, name: str, open: Callable[[Callable[[str], None]], Opened]) -> None:
        """Args:
        open: opens the tracker; it is given what says something that should be known of it.
        """
        self.name = name
        self._told, self._warned = "", False
        self._lines: queue.SimpleQueue[Line | None] = queue.SimpleQueue()
        self._ready, before = threading.Event(), _last.get(name)
        self._thread = threading.Thread(target=self._work, args=(open, before), name=f"tracker-{name}", daemon=True)
        _last[name] = self
        self._thread.start()
        self._ready.wait(OPENING)
        self._warn()

    def put(self, line: Line) -> None:
        """Send a line, without waiting for it."""
        if self._thread.is_alive():
            if self._lines.qsize() < MOST:
                self._lines.put(line)
            else:
                self._say(f"is {MOST:,} lines behind, and lines are left out until it is not")
        self._warn()

    def end(self) -> None:
        """Let the tracker be closed after what was sent."""
        self._lines.put(None)

    def close(self, until: float) -> None:
        """Wait for what was sent, until a time of `time.monotonic`; what is not taken then is not waited for."""
        self._thread.join(max(until - time.monotonic(), 0.0))
        if self._thread.is_alive():
            self._say(f"is slow: after {CLOSING:g} s it has not taken all that was logged; the run goes on")
        self._warn()

    def _say(self, text: str) -> None:
        self._told = self._told or text

    def _warn(self) -> None:
        if self._told and not self._warned:
            self._warned = True
            warnings.warn(f"{self.name} {self._told}", TrackerWarning, stacklevel=3)

    def _work(self, open: Callable[[Callable[[str], None]], Opened], before: "Outbox | None") -> None:
        if before is not None:
            before.end()
            before._thread.join()
        try:
            write, close = open(self._say)
            self._ready.set()
            while (line := self._lines.get()) is not None:
                write(line)
            close()
        except FAILURES as error:
            self._say(f"is left out of this run from here on: {error}")
        finally:
            self._ready.set()


def close(boxes: list[Outbox]) -> None:
    """Close trackers, together within `CLOSING` seconds."""
    for box in boxes:
        box.end()
    until = time.monotonic() + CLOSING
    for box in boxes:
        box.close(until)
