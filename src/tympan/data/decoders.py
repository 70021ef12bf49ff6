"""The decoders that one may ask for, by name."""

import importlib.util
from typing import Annotated, Literal

from pydantic import BeforeValidator


def _named(decoder: object) -> object:
    """A decoder by its name here; `librosa`, which decodes by soundfile itself, where that is installed.

    Raises:
        ValueError: librosa is not installed.
    """
    if decoder == "librosa":
        if importlib.util.find_spec("librosa") is None:
            raise ValueError("decoder: librosa is not installed, and decodes by soundfile; write decoder: soundfile")
        return "soundfile"
    return decoder


Decoder = Annotated[Literal["auto", "soundfile", "pyav"], BeforeValidator(_named)]
"""What decodes: soundfile (libsndfile) and, for what it lacks, PyAV (FFmpeg); or one of them alone."""
