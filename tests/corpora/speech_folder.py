"""Six speakers with two utterances each: the clinical layout, in wav and flac at two sample rates."""

import json
from typing import Any

from tympan.data import storage

from . import put_sound, tone

SPEAKERS = {"train": ["ann", "bob", "cyd", "dan"], "test": ["eve", "fay"]}


def fabricate(root: str) -> dict[str, Any]:
    """Write it below a path or URI; the configuration of a source on it."""
    for part, speakers in SPEAKERS.items():
        lines = ["uid,subject,age,dysarthria,rating"]
        for n, speaker in enumerate(speakers):
            for take in range(2):
                uid = f"clinic-{speaker}-{take}"
                # Unknown: the second rating of each speaker.
                lines.append(f"{uid},{speaker},{50 + n},{n % 2},{'' if take else 2.5 + n}")
                rate, encoding = ((16000, "WAV"), (11025, "FLAC"))[take]
                folder = storage.join(root, "recordings", uid)
                pitch = 200 + 100 * n + 50 * take + 20 * (part == "test")
                sound = tone(pitch, 0.5 + 0.1 * n, rate, delay=0.05)
                put_sound(storage.join(folder, f"waveform.{encoding.lower()}"), sound, rate)
                metadata = {"encoding": encoding, "sample_rate_hz": rate, "subject": speaker, "task": "vowel"}
                storage.write_text(storage.join(folder, "metadata.json"), json.dumps(metadata))
        storage.write_text(storage.join(root, f"{part}.csv"), "\n".join(lines) + "\n")
    storage.write_text(storage.join(root, "labels.txt"), "dysarthria\nrating\n")
    return {"root": root, "sample_rate": 8000, "duration": 0.25}
