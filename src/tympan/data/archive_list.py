"""What the list of files of a zip archive may not say: names, links, sizes and compression that would do harm."""

import io
import stat
import zipfile

from . import storage

MAX_FILES = 50_000
"""The most files that an archive may hold."""
MAX_BYTES = 64 << 30
"""The most bytes that its files may have together."""
MAX_RATIO = 200
"""How many times more bytes than the archive its files may have, and so each of them that is larger than `SMALL`."""
SMALL = 1 << 20
"""Bytes up to which a file may be compressed however well: a silent recording is."""
MAX_DEPTH = 16
"""The most folders that lie within each other."""
MAX_LIST = 8 << 20
"""The most bytes of the list itself, which is read into memory."""


class Reader(io.BufferedReader):
    """A file of which no more is read at once than a sound archive's list has."""

    def read(self, size: int | None = -1) -> bytes:
        """As usual, within the limit."""
        if size is not None and size > MAX_LIST:
            raise zipfile.BadZipFile(f"its list of files has {size:,} bytes, where {MAX_LIST:,} are allowed")
        return super().read(MAX_LIST if size is None or size < 0 else size)


def refused(listed: list[zipfile.ZipInfo], size: int, end: int) -> str:
    """Why an archive is refused; nothing where it is sound.

    Names that lead out of the folder, absolute ones, drives, NUL, and whatever `storage.check_id` refuses; links and
    devices; names that are twice, also but for case; a file where a folder must be; encrypted files and unusual
    compression; too many files or bytes, or too good a compression; files that share their bytes (Fifield, A better zip
    bomb, 2019).

    Args:
        listed: what the list says of each file.
        size: bytes of the archive.
        end: where its files end and its list begins (bytes).
    """
    if len(listed) > MAX_FILES:
        return f"it has {len(listed):,} files, where {MAX_FILES:,} are allowed"
    if why := next((f"{info.orig_filename[:200]!r} {odd}" for info in listed if (odd := _odd(info))), ""):
        return why
    if why := _clash([info.orig_filename for info in listed]):
        return why
    total = sum(info.file_size for info in listed)
    if total > MAX_BYTES:
        return f"its files have {total:,} bytes, where {MAX_BYTES:,} are allowed"
    if total > max(SMALL, MAX_RATIO * size):
        return f"its files have {total:,} bytes, more than {MAX_RATIO} times its own"
    after = 0
    for info in sorted(listed, key=lambda info: info.header_offset):
        if info.header_offset < after:
            return f"{info.orig_filename!r} shares bytes with another file"
        after = info.header_offset + 30 + len(info.orig_filename) + info.compress_size  # 30: a file's own header
    return "its files go on into its list of them" if after > end else ""


def _odd(info: zipfile.ZipInfo) -> str:
    """What is wrong with one file by itself."""
    name = info.orig_filename  # `filename` ends at a NUL, and may come from elsewhere in the archive
    parts = name.removesuffix("/").split("/")
    try:
        for part in parts:
            storage.check_id(part)
    except ValueError:
        return "is no plain path of letters, digits, spaces and ._()- below a folder"
    if len(parts) > MAX_DEPTH:
        return f"lies deeper than {MAX_DEPTH} folders"
    folder, kind = name.endswith("/"), stat.S_IFMT(info.external_attr >> 16)  # 0 where it was not packed by a Unix
    if kind not in (0, stat.S_IFDIR if folder else stat.S_IFREG):
        return "is a link, a device, or not the folder or file that its name says"
    if info.flag_bits & 0x1:
        return "is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"is compressed by method {info.compress_type}, not by deflate"
    if (folder or info.compress_type == zipfile.ZIP_STORED) and info.file_size != info.compress_size * (not folder):
        return "has another size than it says"
    if info.file_size > max(SMALL, MAX_RATIO * info.compress_size):
        return f"has {info.file_size:,} bytes, more than {MAX_RATIO} times those that it is packed in"
    return ""


def _clash(names: list[str]) -> str:
    """Which names cannot be beside each other, on any disk."""
    spelled: dict[str, str] = {}
    files: set[str] = set()
    folders: set[str] = set()
    for name in names:
        parts = name.removesuffix("/").split("/")
        paths = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        for path in paths:
            if spelled.setdefault(path.lower(), path) != path:
                return f"{path!r} and {spelled[path.lower()]!r} are one name on some disks"
        if paths[-1] in files:
            return f"{name!r} is there twice"
        folders.update(paths if name.endswith("/") else paths[:-1])
        files.update([] if name.endswith("/") else paths[-1:])
    both = min(files & folders, default="")
    return f"{both!r} is a file and a folder" if both else ""
