"""Tables of numbers are read whatever wrote them, and what is wrong with them or their times is named."""

import re

import numpy as np
import pytest

from tympan.columns import check_time, read
from tympan.component import AssumptionWarning

TABLE = {"time": [0.0, 0.25, 0.5], "eda": [0.31, np.nan, 0.29]}
PLAIN = "time,eda\n0,0.31\n0.25,\n0.5,0.29\n"


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.encode(),
        "\ufeff" + PLAIN,
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.strip(),
        "\n" + PLAIN + "\n\n",
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", " , "),
        '"time","eda"\n"0","0.31"\n"0.25",""\n"0.5","0.29"\n',
    ],
)
@pytest.mark.parametrize("header", [None, True])
def test_one_table_is_read_from_every_dialect(text: str | bytes, header: bool | None) -> None:
    table = read(text, "a.csv", header=header)
    assert list(table) == list(TABLE)
    for name, values in TABLE.items():
        np.testing.assert_array_equal(table[name], values)


@pytest.mark.parametrize("text", ["0.31\n\n0.29\n", "0.31\r\n\r\n0.29", "0.31\nnan\n0.29\n"])
@pytest.mark.parametrize("header", [None, False])
def test_a_column_without_a_header_loses_no_frame(text: str, header: bool | None) -> None:
    np.testing.assert_array_equal(read(text, "a.csv", header=header)["0"], [0.31, np.nan, 0.29])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("time;eda\n0;0,31\n0,25;\n0,5;0,29\n", ["time", "eda"]),
        ("0\t0,31\n0,25\t\n0,5\t0,29\n", ["0", "1"]),
        ("eda\n0,31\n\n0,29\n", ["eda"]),
        ("0,31\n0,3\n0,29\n", ["0"]),
        ("1,31\n-1,3\n1\n", ["0"]),
    ],
)
def test_decimal_commas_are_taken_and_told_of(text: str, names: list[str]) -> None:
    with pytest.warns(AssumptionWarning, match=r"a\.csv: commas were taken as decimal ones; write points"):
        table = read(text, "a.csv")
    assert list(table) == names
    with_points = text.replace(",", ".")
    for name, values in read(with_points, "a.csv").items():
        np.testing.assert_array_equal(table[name], values)


def test_an_index_beside_whole_numbers_is_no_decimal_comma() -> None:
    table = read("0,31\n1,30\n2,29\n", "a.csv")
    np.testing.assert_array_equal(table["0"], [0, 1, 2])
    np.testing.assert_array_equal(table["1"], [31, 30, 29])


def test_the_two_lines_of_a_raw_export_are_left_out_and_told_of() -> None:
    with pytest.warns(AssumptionWarning, match=r"lines 1 and 2 were taken as the start and the rate \(4 Hz\)"):
        table = read("1542112233.000000\n4.000000\n0.000000\n0.31\n", "EDA.csv")
    np.testing.assert_array_equal(table["0"], [0.0, 0.31])


def test_words_among_numbers_are_unknown_and_told_of() -> None:
    with pytest.warns(AssumptionWarning, match="words like NA"):
        np.testing.assert_array_equal(read("eda\n1\nNA\n3\n", "a.csv")["eda"], [1, np.nan, 3])


def test_a_column_without_a_name_is_left_out_and_told_of() -> None:
    with pytest.warns(AssumptionWarning, match="column 1 has no name"):
        assert list(read(",eda\n0,1\n1,2\n", "a.csv")) == ["eda"]


@pytest.mark.parametrize(
    ("text", "header", "message"),
    [
        ("", None, r"a\.csv is empty"),
        (" \n\n", None, r"a\.csv is empty"),
        ("eda\n", None, r"a\.csv has a header and no numbers"),
        ("0.3\n0.2\n", True, r"a\.csv, line 1 has numbers where names of columns are expected; add"),
        ("eda\n0.2\n", False, r"a\.csv, line 1 has 'eda' where numbers are expected; delete"),
        ("t,eda\n0,1\n1\n", None, r"a\.csv, line 3: 1 cells where 2 are expected"),
        ("t,eda\n0,00,0,31\n", None, r"line 2: 4 cells where 2 are expected; .* semicolons"),
        ("eda\n0.1\nx\n", None, r"a\.csv, line 3: 'x' is no number"),
        ("0.1\n1_000\n", None, r"line 2: '1_000' is no number"),
        ("0.1\ninf\n", None, r"line 2: 'inf' is no number"),
        ("0.1\n0.2.3\n", None, r"line 2: '0\.2\.3' is no number"),
        ("a,a\n0,1\n", None, r"more than one column is called 'a'"),
        ('eda\n"0.1\n', None, r"is no valid CSV"),
        (b"eda\n\xff\n", None, r"a\.csv is not UTF-8 text \(byte 5\)"),
    ],
)
def test_what_cannot_be_read_is_named_with_file_and_line(text: str | bytes, header: bool | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(text, "a.csv", header=header)


GRID = np.arange(200) / 50


@pytest.mark.parametrize(
    ("times", "problem"),
    [
        (np.insert(GRID, 50, GRID[50]), "1 s is there twice"),
        (np.append(GRID[1:], 0), "the time 0 s is earlier than the one before"),
        (GRID + 15, "begin at 15 s, not at 0"),
        (np.delete(GRID, 100), r"not uniform: 0\.02 to 0\.04 s apart"),
        (GRID * 1000, r"tell of 0\.05 Hz \(are they milliseconds\?\), not of 50 Hz"),
        (GRID * 12.5, "tell of 4 Hz, not of 50 Hz"),
        (np.where(GRID == 1, np.nan, GRID), "1 of 200 times are missing"),
    ],
)
def test_what_is_wrong_with_times_is_named(times: np.ndarray, problem: str) -> None:
    (found,) = check_time(times, 50.0, "a.csv")
    assert re.match(f"a.csv: .*{problem}", found)


@pytest.mark.parametrize("rate", [4.0, 50.0, 44100 / 512])
@pytest.mark.parametrize("frames", [0, 1, 1000])
def test_times_that_are_rounded_are_no_problem(rate: float, frames: int) -> None:
    assert not check_time(np.round(np.arange(frames) / rate, 3), rate, "a.csv")


@pytest.mark.parametrize("text", [",\n,\n", '""\n'])
def test_a_table_of_empty_cells_is_named(text):
    with pytest.raises(ValueError, match=r"listener.csv has only empty cells"):
        read(text, "listener.csv")
