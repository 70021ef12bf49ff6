"""Rows of answers in a table: none of their numbers is lost in any kind of file."""

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tympan.serving import answer


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_every_number_of_a_long_vector_is_written(suffix: str, tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(2, 1280)).astype(np.float32)
    file = tmp_path / f"table{suffix}"
    assert answer.write(({"id": f"{i}", "end": 0.5, "vector": own} for i, own in enumerate(vectors)), file) == 2
    if suffix == ".csv":
        with file.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
        assert list(rows[0]) == ["id", "end", *(f"vector_{i}" for i in range(1280))]
        found = [[row[f"vector_{i}"] for i in range(1280)] for row in rows]
    elif suffix == ".jsonl":
        found = [json.loads(line)["vector"] for line in file.read_text().splitlines()]
    else:
        found = pq.read_table(file)["vector"].to_pylist()
    assert np.array_equal(np.array(found, np.float32), vectors)


def test_rows_of_other_lengths_leave_cells_empty() -> None:
    text = answer.text([{"a": 1, "vector": np.arange(2.0)}, {"vector": np.arange(3.0), "b": "x"}], ".csv")
    assert text.splitlines() == ["a,vector_0,vector_1,vector_2,b", "1,0.0,1.0,,", ",0.0,1.0,2.0,x"]
