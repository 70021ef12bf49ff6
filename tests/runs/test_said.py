"""What was said becomes rows, one for each frame, whatever the kinds of targets."""

import numpy as np

from tympan.objectives.targets.categorical import Categorical
from tympan.objectives.targets.continuous import Continuous
from tympan.runs.said import said_of, table


def test_every_frame_is_a_row_and_what_is_unknown_is_empty() -> None:
    signal = Continuous.model_validate({"quantities": {"level": "uS"}, "rate": 4.0})
    word = Categorical(column="word", classes=("no", "yes"))
    groups = (("listener", "l1"), ("song", "s1"))
    said = said_of(
        signal, "a", "s1", groups, {"level": np.array([[1.0, np.nan]])}, {"level": np.array([[np.nan, 2.0]])}
    )
    p = np.array([[0.2], [0.8]])
    said += said_of(word, "a", "s1", groups, {"word": p}, {"word": np.array([[0.0]])})
    rows = table(said).to_pylist()
    shared = {"id": "a", "group": "s1"}
    empty = {"truth_label": None, "label": None, "probabilities": None}
    crossed = {"listener": "l1", "song": "s1"}
    one = shared | empty | {"output": "level", "space": "real", "unit": "uS", "clusters": crossed}
    assert rows[0] == one | {"time": 0.0, "truth": None, "prediction": 1.0}
    assert np.isnan(rows[1].pop("prediction")) and rows[1] == one | {"time": 0.25, "truth": 2.0}
    named = {"truth_label": "no", "label": "yes", "probabilities": [0.2, 0.8], "clusters": None}
    two = shared | {"output": "word", "space": "class", "unit": "", "time": None, "truth": 0.0, "prediction": 1.0}
    assert rows[2] == two | named


def test_without_a_rate_there_is_no_column_of_clusters() -> None:
    target = Continuous.model_validate({"quantities": {"size": "m"}})
    said = said_of(target, "a", "d1", (("drum", "d1"),), {"size": np.array([[1.0]])}, {"size": np.array([[1.5]])})
    assert "clusters" not in table(said).column_names
