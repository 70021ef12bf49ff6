"""Wav files that are named after the diameter of their drum in millimetres."""

from pathlib import Path

from tympan.data.recordings import Recording, Recordings


class NamedAfterSize(Recordings):
    """`ROOT/250mm-03.wav` is a stroke of a drum of 0.25 m."""

    root: str

    @property
    def group(self) -> str:
        return "drum"

    def recordings(self) -> list[Recording]:
        return [self._recording(path) for path in sorted(Path(self.root).glob("*.wav"))]

    def _recording(self, path: Path) -> Recording:
        size = path.stem.partition("mm")[0]
        return Recording(str(path), path.stem, {"drum": size}, values={"diameter": int(size) / 1000})
