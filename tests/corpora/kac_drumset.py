"""A small folder as kac_drumset writes it: metadata.json with every input in it, and a wav file for each."""

import json
from pathlib import Path

import numpy as np

from tympan.data import audio

SETTINGS = {
    "f_min": 22.05,
    "hop_length": 256,
    "n_bins": 512,
    "n_mels": 32,
    "normalise_input": True,
    "output_type": "end2end",
    "window_length": 512,
}


def labels(index: int) -> dict:
    """Five strikes of each drum, the first in the centre, as the Bessel sampler labels them."""
    size = round(0.1 + 0.137 * (index // 5), 4)
    strike = [0.0, 0.0] if index % 5 == 0 else [-0.9 + 0.01 * index, 0.02 * index]
    return {"drum_size": [size], "strike_location": strike}


def fabricate(root: str | Path, size: int = 10, seconds: float = 0.1, label=labels, **representation) -> dict:
    """Write it below `root`; return the configuration of a source on it."""
    folder = Path(root)
    folder.mkdir(parents=True, exist_ok=True)
    rate, settings = 8000, {**SETTINGS, **representation}
    t = np.arange(round(seconds * rate)) / rate
    with (folder / "metadata.json").open("w", encoding="utf-8") as file:
        sampler = {"name": "BesselModel", "version": "2.0.0"}
        file.write(f'{{\n"dataset_size": {size},\n"representation_settings": {json.dumps(settings)},\n')
        file.write(f'"sampler": {json.dumps(sampler)},\n')
        file.write(f'"sampler_settings": {json.dumps({"duration": seconds, "sample_rate": rate})},\n"data": [\n')
        for i in range(size):
            frequency = 400 + 90 * (i // 5)
            sound = 0.5 * np.exp(-9 * t) * np.sin(2 * np.pi * frequency * t)
            audio.write(folder / f"sample_{i:05d}.wav", sound, rate)
            x = sound if settings["output_type"] == "end2end" else sound[: len(sound) // 8 * 8].reshape(8, -1)
            end = "}]}" if i == size - 1 else "},\n"
            file.write(f'{{\n"x": {json.dumps(x.tolist())},\n"y": {json.dumps(label(i))}\n{end}')
    return {"type": "recorded", "root": str(root), "sample_rate": rate, "duration": seconds}
