"""Changes that need files or codecs, and so are made of one clip at a time where it is read; and folders of sounds."""

from abc import abstractmethod
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ...signals import Signal
from .. import audio, cache, storage
from . import Augmentation, On
from ._places import sounding


class Recorded(Augmentation):
    """An augmentation of the samples of one clip, in the process that reads it."""

    on: ClassVar[On] = "recording"

    @abstractmethod
    def disturb(
        self, x: Float[np.ndarray, "channels samples"], uniform: Float[np.ndarray, " draws"], sample_rate: int
    ) -> Float[np.ndarray, "channels samples"]:
        """The changed sound, as long as it was and at the same times.

        Raises:
            ValueError: the sound, or what is to be mixed into it, cannot be used.
        """

    def change(
        self,
        x: Float[Tensor, "batch channels frames"],
        real: Bool[Tensor, "batch frames"],
        uniform: Float[Tensor, "batch draws"],
        signal: Signal,
    ) -> tuple[Float[Tensor, "batch channels frames"], Bool[Tensor, "batch frames"]]:
        y, rate = x.clone(), round(x.shape[2] / signal.duration)
        for clip, (begin, end), numbers in zip(y, sounding(real).tolist(), uniform, strict=True):
            sound = clip[:, begin:end].detach().numpy()
            clip[:, begin:end] = torch.from_numpy(self.disturb(sound, numbers.numpy(), rate).astype(np.float32))
        return y, real


class Chosen(Recorded):
    """One for which a random file of a folder is needed."""

    folder: str
    """Path or URI of a folder with sound files, also in folders below it."""

    def ready(self) -> None:
        _sounds(self.folder, self.type)

    def chosen(self, uniform: float, sample_rate: int) -> tuple[str, Float[np.ndarray, "samples"]]:
        """The file that a number in [0, 1) decides, and its sound, which the cache keeps."""
        files = _sounds(self.folder, self.type)
        uri = files[int(uniform * len(files))]
        return uri, cache.decoded(uri, sample_rate, "mean", lambda: audio.read(uri, sample_rate))[0]


@lru_cache(maxsize=16)
def _sounds(folder: str, what: str) -> tuple[str, ...]:
    """The sound files below a folder, a path or URI, in order.

    Raises:
        ValueError: there is no such folder, or no sound in it.
    """
    try:
        found = tuple(uri for uri in storage.listing(folder) if uri.lower().endswith(audio.SUFFIXES))
    except FileNotFoundError as error:
        raise ValueError(f"augmentation {what}: there is no folder {folder}; correct `folder`") from error
    if not found:
        raise ValueError(
            f"augmentation {what}: {folder} holds no sound ({', '.join(audio.SUFFIXES)}); correct `folder`"
        )
    return found
