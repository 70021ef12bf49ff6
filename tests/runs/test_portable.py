"""What an artifact says of its data names no folder of the machine it was trained on."""

import json

from tympan.data import Source
from tympan.runs.prepare import _portable


def test_of_paths_the_last_part_alone_is_told_however_deep_they_lie(tmp_path):
    own = {"type": "hku956", "root": str(tmp_path / "HKU956"), "data_directories": {"audio": str(tmp_path / "songs")}}
    told = _portable(
        Source.model_validate({"type": "mixture", "sample_rate": 8000, "duration": 1.0, "sources": {"hku956": own}})
    )
    assert told["sources"]["hku956"]["root"] == "HKU956"
    assert told["sources"]["hku956"]["data_directories"]["audio"] == "songs"
    assert str(tmp_path) not in json.dumps(told)
