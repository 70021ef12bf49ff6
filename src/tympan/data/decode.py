"""Recordings as frames: libsndfile for wav, flac, mp3 and ogg, FFmpeg for what it lacks; every fault by its name."""

import os
import re
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile
from av.container import InputContainer
from av.error import FFmpegError
from jaxtyping import Shaped

from ..component import assume
from .client import fault
from .decoders import Decoder
from .unreadable import damaged, unknown

RATES = (100, 768_000)
"""Samples per second (Hz) between which a sample rate can be meant."""
CHANNELS = 64
"""The most channels."""
SUBTYPES = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW", "VORBIS", "OPUS", "MPEG_LAYER_")
"""What libsndfile decodes here; the rest of it is little used and has known holes."""
BLOCK = 1 << 22
"""Values (frames times channels) that are decoded at once: 48 s of 44.1 kHz stereo, 16 MiB of float32."""
DENSEST = 8192
"""Frames that a byte can hold: FLAC's silence comes near 5000."""
PREROLL = 16384
"""Frames that a decoder is given before the first one that is wanted, so that its filters have settled."""
TOLERANCE = 4096
"""Frames by which the length that a compressed file declares may be wrong."""
FORMATS = "mov,mp4,m4a,matroska,webm,aac,mp3,flac,ogg,wav,w64,aiff,au,caf,asf,avi,amr,ac3,mpeg,mpegts"
"""What FFmpeg may read here: no playlists, which name other files."""
SUFFIXES = {
    **dict.fromkeys((".wav", ".wave"), ("WAV", "WAVEX", "RF64", "W64")),
    **dict.fromkeys((".ogg", ".oga", ".opus"), ("OGG",)),
    **dict.fromkeys((".aif", ".aiff"), ("AIFF",)),
    **dict.fromkeys((".m4a", ".mp4", ".m4b"), ("MOV",)),
    **dict.fromkeys((".webm", ".mka", ".mkv"), ("MATROSKA",)),
    ".flac": ("FLAC",),
    ".mp3": ("MP3",),
    ".aac": ("AAC",),
}
"""The formats that a file name promises."""


class Sound(ABC):
    """A recording whose frames can be read."""

    sample_rate: int
    channels: int
    samples: int | None
    """Frames as declared; `None` where only decoding tells."""
    codec: str
    """Container and coding, with the bits of a sample: `WAV PCM_16`."""

    @abstractmethod
    def blocks(self, first: int, last: int) -> Iterator[Shaped[np.ndarray, "frames channels"]]:
        """Frames `first` to `last`, fewer at the end, block by block: float32, or int16 to be divided by 32768."""

    def count(self) -> int:
        """Frames, decoded one after the other where they are not declared."""
        return self.samples or 0


@contextmanager
def opened(path: Path, name: str, decoder: Decoder = "auto") -> Iterator[Sound]:
    """Open a local file, called `name` in messages.

    Raises:
        OSError: it is missing, or may not be read.
        ValueError: empty, no sound, truncated, its header lies, or its rate or channels cannot be meant.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # to open a pipe may wait for ever
            raise ValueError(f"{name} is a pipe or a device; save the sound in a file first")
        file = path.open("rb")
    except OSError as error:
        raise fault(name, error) from error
    with file, ExitStack() as stack:
        size = os.fstat(file.fileno()).st_size
        if size == 0:
            raise ValueError(f"{name} is empty (0 bytes); record or copy it again")
        try:
            # By descriptor: libsndfile would otherwise guess from the suffix, and take a text for raw samples.
            inside = stack.enter_context(soundfile.SoundFile(file.fileno(), closefd=False))
        except soundfile.LibsndfileError:
            inside = None
        known = inside is not None and inside.subtype.startswith(SUBTYPES) and 0 < inside.frames < 1 << 62
        last_page = 0 if inside is None else _check_whole(inside, path, name)
        if decoder == "soundfile" and not known:
            raise ValueError(f"{name} is no sound that soundfile decodes; write decoder: auto, or convert it to flac")
        if inside is not None and known and decoder != "pyav":
            sound, format = _Sndfile(inside, name, last_page), inside.format
        else:
            try:
                options = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
                container = stack.enter_context(av.open(f"file:{path}", options=options, metadata_errors="ignore"))
            except FFmpegError as error:
                raise ValueError(unknown(path, name)) from error
            if not container.streams.audio:
                raise ValueError(f"{name} has no sound in it, only {container.format.long_name}; extract its sound")
            if container.streams.audio[0].codec_context is None:  # of which PyAV then knows nothing else
                raise ValueError(f"{name} is coded in a way that is not known here; convert it to wav or flac")
            sound, format = _Ffmpeg(container, name), container.format.name.split(",")[0].upper()
        promised = SUFFIXES.get(path.suffix.lower(), (format,))
        if format not in promised:
            assume(f"{name} is called {path.suffix} but holds {format}: it is read as that; rename it to be sure")
        if not RATES[0] <= sound.sample_rate <= RATES[1]:
            raise ValueError(
                f"{name} says {sound.sample_rate} Hz, outside {RATES[0]} to {RATES[1]} Hz; its header is wrong"
            )
        if not 1 <= sound.channels <= CHANNELS:
            raise ValueError(f"{name} has {sound.channels} channels, more than {CHANNELS}; split it")
        if sound.samples is not None and sound.samples > DENSEST * size:
            raise ValueError(
                f"{name}: its header lies about its length, {sound.samples:,} samples cannot be in {size:,} bytes; "
                "encode it again"
            )
        yield sound


def _check_whole(inside: soundfile.SoundFile, path: Path, name: str) -> int:
    """Find what libsndfile shortens without an error; returns the first frame of an Ogg file's last page, else 0."""
    cut = re.search(r"(?:data|SSND) : (\d+) \(should be (\d+)\)", inside.extra_info)  # it tells its log only
    if cut and int(cut[1]) > int(cut[2]) and int(cut[1]) != 0xFFFFFFFF:  # which is how a pipe says `unknown`
        raise ValueError(
            f"{name} is truncated, or its header lies: {int(cut[1]):,} bytes of sound are promised, "
            f"{int(cut[2]):,} are there; copy it again"
        )
    if inside.format != "OGG":
        return 0
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 0x20000, 0))  # two pages at least
        tail = file.read()
    last = tail.rfind(b"OggS")
    if last < 0 or not int.from_bytes(tail[last + 5 : last + 6]) & 4:
        raise ValueError(f"{name} is truncated: its last page is missing; copy it again")
    before = tail.rfind(b"OggS", 0, last)
    return max(int.from_bytes(tail[before + 6 : before + 14], "little", signed=True), 0) if before >= 0 else 0


class _Sndfile(Sound):
    def __init__(self, file: soundfile.SoundFile, name: str, last_page: int) -> None:
        self.codec, self._file, self._name, self._last_page = f"{file.format} {file.subtype}", file, name, last_page
        self.sample_rate, self.channels, self.samples = file.samplerate, file.channels, file.frames

    def blocks(self, first: int, last: int) -> Iterator[Shaped[np.ndarray, "frames channels"]]:
        last = min(last, self._file.frames)
        # libsndfile 1.2 lands elsewhere when it seeks into the last page of an Ogg Vorbis file.
        place = min(first, max(self._last_page - 1, 0)) if self._file.subtype == "VORBIS" else first
        if self._file.subtype.startswith("MPEG"):  # whose frames borrow bits from those before them
            place = max(first - PREROLL, 0)
        dtype = "int16" if self._file.subtype == "PCM_16" else "float32"  # half of a wav's time is conversion
        try:
            if self._file.seek(place) != place:  # libsndfile has lost its way in a damaged Ogg file
                raise damaged(self._name)
            while place < last:
                wanted = min(last - place, first - place + max(BLOCK // self.channels, 1))
                frames = self._file.read(wanted, dtype, always_2d=True)
                if len(frames) < wanted:
                    if place + len(frames) < last - TOLERANCE * self._file.subtype.startswith("MPEG"):
                        raise damaged(self._name, place + len(frames), self._file.frames)
                    last = place + len(frames)
                yield frames[max(first - place, 0) :]
                place += len(frames)
                first = max(first, place)
        except soundfile.LibsndfileError as error:
            raise damaged(self._name) from error


class _Ffmpeg(Sound):
    def __init__(self, container: InputContainer, name: str) -> None:
        self._container, self._stream, self._name = container, container.streams.audio[0], name
        self.sample_rate, self.channels = self._stream.rate, self._stream.channels
        self.codec = f"{container.format.name.split(',')[0].upper()} {self._stream.codec_context.name}"
        exact = self._stream.time_base == Fraction(1, self.sample_rate or 1)  # else duration and times are estimates
        self.samples = (max(self._stream.duration or 0, 0) or None) if exact else None
        self._origin = (self._stream.start_time or 0) if self.samples else None
        self._least = self.samples or 0
        if container.format.name.startswith("matroska") and len(container.streams) == 1:
            self._least = (container.duration or 0) * self.sample_rate // 1_000_000

    def blocks(self, first: int, last: int) -> Iterator[Shaped[np.ndarray, "frames channels"]]:
        last = min(last, self.samples or last)
        kept, held, end = [], 0, 0
        for place, block in self._blocks(first):
            end = place + len(block)
            kept.append(block[max(first - place, 0) : max(last - place, 0)])
            held += kept[-1].size
            if held >= BLOCK:  # FFmpeg's own are of a thousand frames or so
                yield np.concatenate(kept)
                kept, held = [], 0
            if end >= last:
                break
        self._check_whole(min(end, last), last)
        if kept:
            yield np.concatenate(kept)

    def count(self) -> int:
        total = self.samples or sum(len(block) for _, block in self._blocks(0))
        self._check_whole(total, self._least)
        return total

    def _check_whole(self, end: int, wanted: int) -> None:
        if end < min(wanted, self._least) - TOLERANCE:
            raise damaged(self._name, end, self._least)

    def _blocks(self, first: int) -> Iterator[tuple[int, Shaped[np.ndarray, "frames channels"]]]:
        place = 0
        try:
            if self._origin is not None and first > PREROLL:
                self._container.seek(first - PREROLL + self._origin, stream=self._stream)
                place = -1
            for frame in self._container.decode(self._stream):
                if place < 0:
                    place = (frame.pts or 0) - (self._origin or 0)
                if (frame.sample_rate, frame.layout.nb_channels) != (self.sample_rate, self.channels):
                    raise ValueError(f"{self._name} changes its sample rate or channels on the way; split it there")
                block = _float(frame)
                yield place, block
                place += len(block)
        except FFmpegError as error:
            raise damaged(self._name) from error


def _float(frame: av.AudioFrame) -> Shaped[np.ndarray, "frames channels"]:
    if frame.format.is_planar and frame.layout.nb_channels > 7:  # PyAV reads what lies behind FFmpeg's list of planes
        (frame,) = av.AudioResampler(frame.format.packed, frame.layout, frame.sample_rate).resample(frame)
    values = frame.to_ndarray()
    values = values.T if frame.format.is_planar else values.reshape(frame.samples, -1)
    if values.dtype == np.uint8:
        return (values.astype(np.float32) - 128) / 128
    scale = 1 if values.dtype.kind == "f" else 1 / 2 ** (8 * values.dtype.itemsize - 1)
    return values.astype(np.float32) * np.float32(scale)
