"""What is found in a corpus of files: its recordings, what was left out and why, what is odd; and patterns of names."""

import re
from dataclasses import dataclass, field

from .recordings import Recording
from .table import some


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


def pattern(text: str, suffix: str, **fixed: str) -> re.Pattern[str]:
    """The expression that matches paths like `{listener}/{folder}/{number}_{song}` in any folder, by these names."""
    pieces = re.split(r"\{(\w+)\}", text)
    kinds = {"number": r"\d+"}
    parts = [
        re.escape(fixed.get(piece, piece))
        if i % 2 == 0 or piece in fixed
        else f"(?P<{piece}>{kinds.get(piece, '[^/]+?')})"
        for i, piece in enumerate(pieces)
    ]
    return re.compile(rf"(?:.*/)?{''.join(parts)}{re.escape(suffix)}")
