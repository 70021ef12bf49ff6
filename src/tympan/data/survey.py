"""What is found in a corpus of files: recordings, what is left out and why, what is odd; tables; names by pattern."""

import re
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from ..component import AssumptionWarning
from ..electrodermal import read
from . import cache, storage
from .recordings import Recording
from .table import some

AT_ONCE = 16
"""How many files of a bucket are fetched at once."""

Columns = dict[str, Float[np.ndarray, " frames"]]


@dataclass
class Survey:
    """What was found in a corpus."""

    rows: list[Recording] = field(default_factory=list)
    left_out: dict[str, dict[str, str]] = field(default_factory=dict)
    """By what is wrong: the recordings or files that are no examples for it, each with what is to be said of it."""
    odd: dict[str, list[str]] = field(default_factory=dict)
    """By what was found or assumed: the recordings, songs or files that it is about."""

    def leave_out(self, why: str, what: str, detail: str = "") -> None:
        self.left_out.setdefault(why, {})[what] = detail

    def note(self, what: str, *about: str) -> None:
        self.odd.setdefault(what, []).extend(about)

    def told(self) -> list[str]:
        """One sentence for everything that was left out, or is odd."""
        told = []
        for why, found in self.left_out.items():
            each = [f"{what} ({detail})" if detail else what for what, detail in found.items()]
            told.append(f"{len(found)} left out, {why}: {some(each, 3)}")
        return told + [
            f"{what} ({len(about)}): {some(about, 3)}" if about else what for what, about in self.odd.items()
        ]


def pattern(text: str, suffix: str, needs: Sequence[str], **fixed: str) -> re.Pattern[str]:
    """The expression that matches paths like `{listener}/{folder}/{number}_{song}` in any folder, by these names.

    Raises:
        ValueError: a name that it needs is missing, or there twice, or another one is there.
    """
    pieces = re.split(r"\{(\w+)\}", text)
    if sorted(name for name in pieces[1::2] if name not in fixed) != sorted(needs):
        allowed = ", ".join(f"{{{name}}}" for name in (*needs, *fixed))
        raise ValueError(f"the pattern {text!r} must name each of {allowed} once, and nothing else")
    kinds = {"number": r"\d+"}
    parts = [
        re.escape(fixed.get(piece, piece))
        if i % 2 == 0 or piece in fixed
        else f"(?P<{piece}>{kinds.get(piece, '[^/]+?')})"
        for i, piece in enumerate(pieces)
    ]
    return re.compile(rf"(?:.*/)?{''.join(parts)}{re.escape(suffix)}")


def tables(uris: list[str], survey: Survey, header: bool) -> Iterator[tuple[str, Columns]]:
    """The columns of each file, those of a bucket fetched several at once; what cannot be read is left out."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        paths = pool.map(cache.local, uris) if uris and storage.is_remote(uris[0]) else map(cache.local, uris)
        for uri, path in zip(uris, paths, strict=True):
            try:
                with warnings.catch_warnings(record=True, category=AssumptionWarning) as said:
                    warnings.simplefilter("always", AssumptionWarning)
                    columns = read(path.read_bytes(), uri, header=header)
            except ValueError as error:
                survey.leave_out("files that cannot be read", uri, str(error).removeprefix(f"{uri}, "))
                continue
            for each in said:  # the same of hundreds of files is one remark
                survey.note(str(each.message).removeprefix(f"{uri}: "), uri)
            yield uri, columns
