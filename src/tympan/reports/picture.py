"""A sound and what was answered over its time, one over the other, as a PNG."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from ..data import storage
from .plots import MODEL, STYLE
from .plots.sound import levels


def write(
    path: str | Path,
    title: str,
    waveform: Float[np.ndarray, "channels samples"],
    rate: int,
    answers: Mapping[str, tuple[float, Float[np.ndarray, "frames"]]],
) -> None:
    """Draw the sound's spectrogram, and below it each answer over the same seconds.

    Args:
        path: of the PNG, local or in a bucket.
        title: what the sound is called.
        waveform: the sound.
        rate: its samples per second (Hz).
        answers: by name and unit the frames per second (Hz), and the values.
    """
    import io

    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    level, hop, begin, bins = levels(waveform.mean(0), rate)
    seconds = waveform.shape[1] / rate
    out = io.BytesIO()
    with rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Figure(figsize=(9, 2.6 + 1.9 * len(answers)), layout="constrained")
        FigureCanvasAgg(figure)
        first, *others = figure.subplots(1 + len(answers), 1, sharex=True, squeeze=False)[:, 0]
        extent = (begin - hop / 2, begin + (level.shape[1] - 0.5) * hop, 0, level.shape[0] * bins / 1000)
        first.imshow(level, origin="lower", aspect="auto", extent=extent, cmap="magma", interpolation="none")
        first.set(ylabel="frequency (kHz)", title=title, xlim=(0, seconds))
        first.grid(False)
        for axes, (name, (hertz, values)) in zip(others, answers.items(), strict=True):
            axes.plot(np.arange(len(values)) / hertz, values, color=MODEL, linewidth=1.6)
            axes.set(ylabel=name)
        (others or [first])[-1].set_xlabel("time (s)")
        figure.savefig(out, format="png", dpi=120)
    storage.write_bytes(str(path), out.getvalue())
