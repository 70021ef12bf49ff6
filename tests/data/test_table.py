"""Tables are read as they are, or refused with file, line and column."""

import json
import warnings

import pytest

from tympan.component import AssumptionWarning
from tympan.data import table


@pytest.fixture
def write(tmp_path):
    def write(name, text, encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return str(path)

    return write


ROWS = [{"uid": "a", "age": "61", "note": None}, {"uid": "b", "age": None, "note": 'says "ä", twice'}]
CSV = 'uid,age,note\na,61,\nb,,"says ""ä"", twice"\n'


@pytest.mark.parametrize(
    "text", [CSV, CSV.replace("\n", "\r\n"), CSV.rstrip(), "\n" + CSV, CSV.replace(",61", ", 61 ")]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_csv_is_its_rows(write, text, encoding):
    assert table.read(write("t.csv", text, encoding)) == ROWS


def test_a_cell_may_hold_a_line_break(write):
    rows = table.read(write("t.csv", 'uid,note\na,"one\ntwo"\nb,three\n'))
    assert rows == [{"uid": "a", "note": "one\ntwo"}, {"uid": "b", "note": "three"}]


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_another_separator_is_found_and_said(write, separator):
    uri = write("t.csv", f"uid{separator}age\na{separator}61,5\n")
    with pytest.warns(AssumptionWarning, match=r"t\.csv was read with"):
        assert table.read(uri) == [{"uid": "a", "age": "61,5"}]


def test_a_tsv_is_separated_by_tabs(write):
    assert table.read(write("t.tsv", "uid\tage\na\t61\n")) == [{"uid": "a", "age": "61"}]


def test_an_unnamed_column_is_left_out_and_said(write):
    with pytest.warns(AssumptionWarning, match="column 1 has no name"):
        assert table.read(write("t.csv", ",uid\n0,a\n")) == [{"uid": "a"}]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", r"t\.csv is empty"),
        ("\n\n", r"t\.csv is empty"),
        ("uid,age\n", r"t\.csv holds no rows"),
        ("uid,age\na,1\nb,2,3\n", r"t\.csv, line 3: 3 cells where the header has 2"),
        ('uid,age\n"a\nb",1\nc\n', r"t\.csv, line 4: 1 cells"),
        ("uid,age,uid,age\na,1,b,2\n", r"t\.csv: more than one column is called 'age', 'uid'"),
        ("uid,,\na,1,2\n", r"t\.csv: 2 columns have no name"),
        ('uid,age\n"a,1\n', r"t\.csv is no valid CSV"),
    ],
)
def test_a_broken_csv_is_refused_with_its_line(write, text, says):
    with pytest.raises(ValueError, match=says):
        table.read(write("t.csv", text))


def test_what_is_not_utf8_is_refused(write):
    with pytest.raises(ValueError, match=r"t\.csv is not UTF-8"):
        table.read(write("t.csv", "uid,note\na,ä\n", "latin-1"))


def test_jsonl_is_its_rows(write):
    text = '{"uid": "a", "age": 61, "note": ""}\n\n{"uid": "b\u2028", "shape": [1.5, null]}\n'
    assert table.read(write("t.jsonl", text)) == [
        {"uid": "a", "age": 61, "note": None, "shape": None},
        {"uid": "b\u2028", "age": None, "note": None, "shape": [1.5, None]},
    ]


@pytest.mark.parametrize(
    ("line", "says"),
    [('{"uid": ', "no valid JSON"), ("[1]", "must be an object"), ('{"a": 1, "a": 2}', "more than one column")],
)
def test_a_broken_jsonl_is_refused_with_its_line(write, line, says):
    with pytest.raises(ValueError, match=rf"t\.jsonl, line 2.*{says}"):
        table.read(write("t.jsonl", f'{{"uid": "a"}}\n{line}\n'))


def test_parquet_is_its_rows(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    rows = [{"uid": "a", "age": 61, "curve": [0.5, 1.5]}, {"uid": "b", "age": None, "curve": None}]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    assert table.read(str(tmp_path / "t.parquet")) == rows
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    parquet.write_table(twice, tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=r"t\.parquet: more than one column is called 'a'"):
        table.read(str(tmp_path / "t.parquet"))


def test_a_broken_parquet_is_refused(write):
    with pytest.raises(ValueError, match=r"t\.parquet is no valid parquet"):
        table.read(write("t.parquet", "not parquet at all"))


def test_other_files_are_refused(write):
    with pytest.raises(ValueError, match=r"t\.xlsx.*\.csv, \.tsv, \.jsonl or \.parquet"):
        table.read(write("t.xlsx", "x"))
    with pytest.raises(FileNotFoundError, match=r"absent\.csv"):
        table.read("/nowhere/absent.csv")


def test_a_missing_column_is_named_with_the_nearest(write):
    uri = write("t.csv", CSV)
    table.require(table.read(uri), ["uid", "age"], uri)
    with pytest.raises(ValueError, match=r"t\.csv has no column 'uids'.*uid, age, note; did you mean 'uid'\?"):
        table.require(table.read(uri), ["uids"], uri)


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["1", None, "-2"], [1, None, -2]),
        (["1", "2.5", "+.5", "1e-3"], [1.0, 2.5, 0.5, 1e-3]),
        (["01", "12"], ["01", "12"]),  # codes, not numbers
        (["0", "0.5"], [0.0, 0.5]),
        (["a", "1"], ["a", "1"]),
        (["inf", "1"], ["inf", "1"]),
        (["NA", "none"], ["NA", "none"]),  # words, where nothing is a number
        ([True, 1.5, None], [True, 1.5, None]),
        ([None, None], [None, None]),
        (["1,5", "2,a"], ["1,5", "2,a"]),
    ],
)
def test_a_column_is_of_numbers_or_stays_text(cells, numbers):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = table.numbers(cells, "age")
    assert json.dumps(found) == json.dumps(numbers)  # 1 is not 1.0


def test_what_must_be_guessed_is_said():
    with pytest.warns(AssumptionWarning, match="age of t: NA, nan among numbers"):
        assert table.numbers(["1", "NA", "nan", None], "age of t") == [1, None, None, None]
    with pytest.warns(AssumptionWarning, match="decimal"):
        assert table.numbers(["1,5", "2"], "age") == [1.5, 2.0]
