"""A percussion recording -> its strokes, measured by a trained model and played again by the drums it tells of."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mido
import numpy as np
from jaxtyping import Float

from ..data import Values, audio, storage
from ..data.onsets import onsets
from ..signals import check_channels
from . import answer
from .artifact import Artifact
from .instrument import Instrument, note

RATE = 48000
"""Samples per second (Hz) of what is played."""
RINGS = 2.0
"""Seconds that each stroke may ring."""
_SOUGHT = 22050  # Hz, the rate at which onsets are sought: a stick has little to say above
_ATTACK = 0.05  # seconds after an onset whose peak is the level of the stroke
_TICKS = 960  # MIDI ticks in a second: 480 in a quarter note at 120 in a minute
_TOM, _PERCUSSION, _LOW_MID_TOM = 117, 9, 47  # General MIDI: Melodic Tom; channel 10; the key of a tom there


@dataclass(frozen=True)
class Stroke:
    """One stroke: when, how loud, what the model said, and what was played."""

    time: float
    """Seconds."""
    level: float
    """The peak after the onset (dB of full scale)."""
    velocity: int
    """1 to 127, the loudest of the piece: amplitude goes with its square."""
    measured: dict[str, Any]
    """The model's answer, its columns with their units."""
    played: Values
    """The parameters of the drum that was synthesised."""

    @property
    def note(self) -> int | None:
        """The MIDI note nearest to the drum's f0, if it has one."""
        return note(float(self.played["f0"])) if "f0" in self.played else None

    @property
    def row(self) -> dict[str, Any]:
        """A line of the score."""
        when = {"time (s)": round(self.time, 4), "level (dB)": round(self.level, 2), "velocity": self.velocity}
        return {**when, **self.measured, "note": self.note}


def orchestrate(
    artifact: Artifact, recording: str, out: str | Path, instrument: Instrument, threshold: float = 0.6
) -> list[Stroke]:
    """Measure every stroke of a recording, and play it again at its time and level, into a folder.

        score.csv    time (s), level (dB), velocity, every measured value with its unit, MIDI note
        score.mid    the same as notes: of f0, where the drum has one, on a melodic tom; else a tom of channel 10
        piece.wav    the drums, synthesised: 48 kHz, 24 bits

    Args:
        artifact: a trained pipeline that answers once per clip.
        recording: a file or URI.
        out: a local folder, made if need be; files of these names are replaced.
        instrument: what plays, at `RATE`.
        threshold: of the onsets (dB): lower finds softer strokes, and more that are none.

    Raises:
        ValueError: the recording holds no stroke, or `out` is not a local folder.
    """
    if storage.is_remote(out):
        raise ValueError(f"{out} is not a local folder; write to one, then copy it")
    times, peaks = _strokes(recording, threshold)
    strokes: list[Stroke] = []
    sound = np.zeros(round((times[-1] + RINGS) * RATE) + 1, np.float32)
    for heard, time, peak in zip(artifact.hear(_clips(artifact, recording, times)), times, peaks, strict=True):
        waveform, played = instrument.play({name: said[0] for name, said in artifact.decode(heard).items()})
        begin = round(time * RATE)
        sound[begin : begin + len(waveform)] += (peak * waveform)[: len(sound) - begin]
        velocity = max(round(127 * np.sqrt(peak / max(peaks))), 1)
        strokes.append(Stroke(time, float(20 * np.log10(peak)), velocity, artifact.columns(heard)[0], played))
    folder = storage.local_path(out)
    answer.write([stroke.row for stroke in strokes], folder / "score.csv")
    storage.write_bytes(folder / "score.mid", midi(strokes))
    audio.write(folder / "piece.wav", sound / max(float(np.abs(sound).max()), 1.0), RATE)
    return strokes


def _strokes(recording: str, threshold: float) -> tuple[list[float], list[float]]:
    """When strokes begin (s), and the peak of each."""
    waveform = audio.read(recording, _SOUGHT)
    times = onsets(waveform, _SOUGHT, threshold)
    if not times:
        what = "no stroke stands out; lower --threshold" if waveform.any() else "it is silent; record it again"
        raise ValueError(f"{recording}: {what}")
    ends = [*times[1:], np.inf]
    parts = [(round(t * _SOUGHT), round(min(t + _ATTACK, end) * _SOUGHT)) for t, end in zip(times, ends, strict=True)]
    return times, [max(float(np.abs(waveform[0, a:b]).max(initial=0)), 1e-5) for a, b in parts]


def _clips(artifact: Artifact, recording: str, times: Sequence[float]) -> list[Float[np.ndarray, "channels samples"]]:
    """What the model hears of each stroke: up to the next one, as if it were damped then."""
    listening = artifact.config.audio
    rate, length = listening.sample_rate, listening.samples
    waveform = audio.read(recording, rate, listening.channels, decoder=listening.decoder)
    check_channels(len(waveform), listening.audio, recording)
    clips = []
    for time, end in zip(times, [*times[1:], np.inf], strict=True):
        begin = round(time * rate)
        clip = np.zeros((len(waveform), length), np.float32)
        part = waveform[:, begin : begin + round(min(end - time, length / rate) * rate)]
        clip[:, : part.shape[1]] = part[:, :length]
        clips.append(clip)
    return clips


def midi(strokes: Sequence[Stroke]) -> bytes:
    """The strokes as a MIDI file of one track, each note up to the next, or a quarter of a second."""
    pitched = all(stroke.note is not None for stroke in strokes)
    channel = 0 if pitched else _PERCUSSION
    track = mido.MidiTrack()
    source = "the nearest to f0" if pitched else "no pitch: every stroke is General MIDI's low-mid tom"
    track.append(mido.MetaMessage("text", text=f"tympan orchestrate; notes: {source}"))
    if pitched:
        track.append(mido.Message("program_change", channel=channel, program=_TOM))
    now = 0
    ends = [*(stroke.time for stroke in strokes[1:]), np.inf]
    for stroke, end in zip(strokes, ends, strict=True):
        key = stroke.note if pitched and stroke.note is not None else _LOW_MID_TOM
        begin, over = round(stroke.time * _TICKS), round(min(stroke.time + 0.25, end) * _TICKS)
        loud = stroke.velocity
        track.append(mido.Message("note_on", channel=channel, note=key, velocity=loud, time=begin - now))
        track.append(mido.Message("note_off", channel=channel, note=key, time=over - begin))
        now = over
    file = mido.MidiFile(ticks_per_beat=480, tracks=[track])
    written = io.BytesIO()
    file.save(file=written)
    return written.getvalue()
