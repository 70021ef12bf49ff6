"""The same sound under two names, found though it was encoded anew, made louder, resampled, shifted or trimmed."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt32

_WINDOW = 0.128  # s; long beside the hop, so that a shift by part of a hop changes little
_HOP = 0.008  # s
_LAG = 4  # frames between the two that are compared
_BANDS = 33  # 32 bits of differences between neighbours
_LOWEST, _HIGHEST = 300.0, 3000.0  # Hz; what telephones and low bit rates leave
_QUIET = 50.0  # dB below the loudest frame, where noise alone decides
_WEAK = 2  # bits of a frame that are looked for turned over, too
_COMMON = 50  # recordings; what so many have in common tells nothing
_VOTES = 200  # offsets that are looked at for a pair, at most
_DIFFERENT = 0.25  # share of bits that differ; half of them do between unrelated sounds
_FEW = 10  # frames; the share is smaller where little is compared, as one word said twice is alike
_SHORTEST = 12  # frames in common
_LATER, _CHANGED = 16, 0.25  # frames, and the share of bits that must have changed since: a steady tone is like others


@dataclass(frozen=True)
class Fingerprint:
    """The bits of one recording, 32 for each frame that is not quiet."""

    bits: UInt32[np.ndarray, " frames"]
    weak: UInt32[np.ndarray, "frames 2"]
    """The bits of each frame with its least sure one turned over, and with the second least sure one."""
    loud: np.ndarray
    """Whether each frame is not quiet; nowhere in what is too steady to be told from others."""
    digest: bytes
    """Of the samples themselves."""


def fingerprint(waveform: Float[np.ndarray, "channels samples"], rate: int) -> Fingerprint:
    """Signs of differences of band energies along time and frequency (Haitsma & Kalker 2002, ISMIR).

    Args:
        waveform: a whole recording; its channels are averaged.
        rate: samples per second (Hz), the same for all that are compared.
    """
    window, hop = round(_WINDOW * rate), max(round(_HOP * rate), 1)
    x = np.pad(waveform.mean(0), window // 2)
    if len(x) < window:
        x = np.pad(x, (0, window - len(x)))
    frames = np.lib.stride_tricks.sliding_window_view(x, window)[::hop]
    edges = np.searchsorted(np.arange(window // 2 + 1) * (rate / window), np.geomspace(_LOWEST, _HIGHEST, _BANDS + 1))
    edges = np.minimum(edges, window // 2)
    shape, energy = np.hanning(window), []
    for first in range(0, len(frames), 1024):  # so that hours need no memory of their own
        power = np.abs(np.fft.rfft(frames[first : first + 1024] * shape, axis=1)) ** 2
        energy.append(np.add.reduceat(power, edges, axis=1)[:, :_BANDS])
    bands = np.concatenate(energy)
    level = bands.sum(1)
    floor = max(float(level.max(initial=0.0)) * 10 ** (-_QUIET / 10), 1e-20)
    log = np.log(bands + 1e-3 * floor)
    step = np.diff(log, axis=1)
    change = step[_LAG:] - step[:-_LAG]
    powers = (1 << np.arange(_BANDS - 1)).astype(np.uint32)
    bits = ((change > 0) * powers).sum(1, dtype=np.uint32)
    unsure = np.argsort(np.abs(change), axis=1)[:, :_WEAK]
    loud = (level > floor)[_LAG:]
    later = (bits[_LATER:] ^ bits[:-_LATER])[loud[_LATER:]]
    steady = not later.size or np.unpackbits(later.view(np.uint8)).mean() < _CHANGED
    digest = hashlib.sha256(waveform.tobytes()).digest()
    return Fingerprint(bits, bits[:, None] ^ powers[unsure], loud & (not steady), digest)


def same(prints: Sequence[Fingerprint]) -> Iterator[tuple[int, int, float]]:
    """Pairs of recordings that are one sound, the later named first, and how many of their bits differ, 0 to 0.25.

    Frames that two recordings have in common, to the bit but for one that is least sure, propose how one lies beside
    the other; they are one where so laid no more than a quarter of all bits differs, and less where they are short.
    """
    owner = np.concatenate([np.full(int(p.loud.sum()), i) for i, p in enumerate(prints)] or [np.empty(0, int)])
    frame = np.concatenate([np.flatnonzero(p.loud) for p in prints] or [np.empty(0, int)])
    bits = np.concatenate([p.bits[p.loud] for p in prints] or [np.empty(0, np.uint32)])
    first_of: dict[bytes, int] = {}
    order = np.argsort(bits, kind="stable")
    owner, frame, bits = owner[order], frame[order], bits[order]
    for i, one in enumerate(prints):
        places = np.flatnonzero(one.loud)
        asked = np.concatenate([one.bits[places], one.weak[places].T.ravel()])
        first, last = np.searchsorted(bits, asked, "left"), np.searchsorted(bits, asked, "right")
        votes: Counter[tuple[int, int]] = Counter()
        for own, a, b in zip(np.tile(places, 1 + _WEAK), first, last, strict=True):
            if 0 < b - a <= _COMMON:
                earlier = owner[a:b] < i
                votes.update(zip(owner[a:b][earlier].tolist(), (own - frame[a:b][earlier]).tolist(), strict=True))
        first_with = first_of.setdefault(one.digest, i)
        best: dict[int, float] = {first_with: 0.0} if first_with < i else {}
        for (j, offset), _ in votes.most_common(_VOTES):
            if j not in best:
                share = min(_difference(one, prints[j], offset + beside) for beside in (-1, 0, 1))
                if share <= 1:
                    best[j] = share
        yield from ((i, j, share * _DIFFERENT) for j, share in sorted(best.items()))


def _difference(a: Fingerprint, b: Fingerprint, offset: int) -> float:
    """The share of different bits where frame k + offset of one lies over frame k of the other, by the largest share
    that one sound may have."""
    first, last = max(offset, 0), min(len(a.bits), len(b.bits) + offset)
    if last - first < _SHORTEST:
        return np.inf
    both = a.loud[first:last] & b.loud[first - offset : last - offset]
    shorter = min(int(a.loud.sum()), int(b.loud.sum()))
    if both.sum() < max(_SHORTEST, shorter / 2):  # a word in common is not the same sound
        return np.inf
    other = a.bits[first:last][both] ^ b.bits[first - offset : last - offset][both]
    return float(np.unpackbits(other.view(np.uint8)).mean() / (_DIFFERENT * (1 - _FEW / both.sum())))
