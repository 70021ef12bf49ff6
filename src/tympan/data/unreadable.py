"""Why a file cannot be read as sound, in words for people."""

from pathlib import Path


def unknown(path: Path, name: str) -> str:
    """What is wrong with a file that no decoder knows, by how it begins."""
    with path.open("rb") as file:
        start = file.read(512)
    if start[:4] in (b"RIFF", b"fLaC", b"OggS", b"FORM", b"RF64", b"\x1aE\xdf\xa3") or start[4:8] == b"ftyp":
        return f"{name} begins like a recording but is truncated or damaged; copy it again"
    if b"\0" not in start:
        return f"{name} is no sound: it looks like a text; name the recording itself, or copy it here"
    if not any(start):
        return f"{name} is no sound: it begins with nothing but zeros, as an unfinished copy does; copy it again"
    return f"{name} is no sound that is known here; convert it to wav or flac"


def damaged(name: str, got: int | None = None, wanted: int | None = None) -> ValueError:
    """The error about a file that holds fewer samples than it says, or cannot be decoded to its end."""
    detail = "" if got is None else f": {wanted:,} samples are declared, {got:,} can be decoded"
    return ValueError(f"{name} is truncated or damaged, or its header lies{detail}; copy or encode it again")
