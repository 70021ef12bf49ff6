"""One recording: its spectrogram, and truth and answer over time."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from . import MODEL, MUTED, OTHER, Plot, plot

FLOOR = -80.0
"""Level (dB below the loudest) that is drawn as silence."""
_HEARD = -60.0  # dB; frequencies above the last that comes so near to the loudest are not drawn
_COLUMNS = 500  # of a spectrogram, about what a screen shows


def spectrogram(name: str, waveform: Float[np.ndarray, "samples"], rate: int) -> Plot:
    """Level in dB over seconds and hertz; up to the highest frequency with more than -60 dB."""
    level, hop, begin, bins = levels(waveform, rate)
    there = np.flatnonzero((level > _HEARD).any(1))
    most = max((there[-1] + 1 if len(there) else 0) * bins, min(rate / 2, 1000.0))
    rows = int(np.ceil(min(most * 1.05, rate / 2) / bins)) + 1
    scale, unit = (1000.0, "kHz") if rows * bins >= 2000 else (1.0, "Hz")
    # Row k is centred on frequency k, column i on second begin + i hop.
    top, first, last = (rows - 0.5) * bins / scale, begin - hop / 2, begin + (level.shape[1] - 0.5) * hop
    extent = (first, last, -0.5 * bins / scale, top)
    picture = 2 * np.round(level[:rows] / 2)  # 2 dB are seen well enough, and halve the page

    def paint(axes: Any) -> None:
        style: Any = {"cmap": "magma", "vmin": FLOOR, "vmax": 0, "interpolation": "none"}
        image = axes.imshow(picture, origin="lower", aspect="auto", extent=extent, **style)
        axes.set(xlabel="time (s)", ylabel=f"frequency ({unit})", xlim=(first, last), ylim=(0, top))
        axes.grid(False)
        bar = axes.figure.colorbar(image, ax=axes, label="level (dB)", pad=0.02, aspect=14)
        bar.outline.set_visible(False)
        bar.solids.set_rasterized(True)

    return plot(
        f"{name}-spectrogram",
        "",
        f"Spectrogram of {len(waveform) / rate:.4g} s of sound, up to {top:.4g} {unit}",
        {},
        paint,
        (5.4, 2.4),
    )


def levels(
    waveform: Float[np.ndarray, "samples"], rate: int
) -> tuple[Float[np.ndarray, "rows columns"], float, float, float]:
    """Levels in dB below the loudest, the seconds between columns, those before the first, the hertz between rows.

    The window is 30 ms, or a sixth of a short sound, so that a stroke of 50 ms is seen to decay.
    """
    n = len(waveform)
    window = int(2 ** np.clip(np.round(np.log2(max(min(0.03 * rate, n / 6), 1))), 5, 13))
    hop = max(n // _COLUMNS, window // 8)
    # Only whole windows: what a sound's cut edge would look like is not in the sound.
    whole = np.pad(np.asarray(waveform, np.float64), (0, max(window - n, 0)))
    frames = np.lib.stride_tricks.sliding_window_view(whole, window)[::hop] * np.hanning(window)
    length = max(window, 512)  # zeros behind a short window draw smoother rows
    power = np.abs(np.fft.rfft(frames, length)).T ** 2
    level = 10 * np.log10(np.maximum(power, 1e-20) / max(power.max(), 1e-20)) if power.max() > 0 else power + FLOOR
    return np.maximum(level, FLOOR), hop / rate, window / 2 / rate, rate / length


def course(name: str, answer: Mapping[str, Any]) -> Plot | None:
    """Truth and answer over seconds, for an output with a rate; nothing for another.

    Args:
        answer: one entry of worst.json: output, space, unit, and the columns time, truth, prediction, truth_label,
            label.
    """
    time = answer["time"]
    if len(time) < 2 or time[0] is None:
        return None
    output, unit = answer["output"], answer["unit"]
    truth, said = (np.array(answer[key], float) for key in ("truth", "prediction"))
    what = {"real": f"{output} ({unit})" if unit else output, "binary": f"probability of {output}", "class": output}
    classes = {
        int(number): label
        for numbers, labels in (("truth", "truth_label"), ("prediction", "label"))
        for number, label in zip(answer[numbers], answer[labels], strict=True)
        if number is not None and label is not None
    }

    def paint(axes: Any) -> None:
        step: Any = {"drawstyle": "steps-post"} if answer["space"] != "real" else {}
        step |= {"marker": "."} if len(time) < 100 else {}  # a known frame between unknown ones has no line
        axes.plot(time, truth, color=OTHER, linewidth=1.6, label="truth", **step)
        axes.plot(time, said, color=MODEL, linewidth=1.6, label="answer", **step)
        axes.set(xlabel="time (s)", ylabel=what[answer["space"]], xlim=(0, max(time)))
        if classes:
            axes.set_yticks(sorted(classes), [classes[c] for c in sorted(classes)])
        if answer["space"] == "binary":
            axes.axhline(0.5, color=MUTED, linewidth=1, linestyle="--")
            axes.set_ylim(-0.05, 1.05)
        axes.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1))

    table: dict[str, Sequence[Any]] = {key: answer[key] for key in ("time", "truth", "prediction")}
    if classes:
        table |= {key: answer[key] for key in ("truth_label", "label")}
    return plot(
        f"{name}-{output}",
        f"{output} over time: what is true, and what was answered.",
        f"{output} over {max(time):.4g} s: {int(np.isfinite(truth).sum())} known of {len(truth)} frames",
        table,
        paint,
        (5.4, 2.4),
    )
