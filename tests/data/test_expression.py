"""Formulas of labels: arithmetic as it should be, Kleene's logic where cells are unknown, and nothing is run."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tympan.data.expression import Expression


@pytest.mark.parametrize(
    ("text", "row", "value"),
    [
        ('any_above(["a", "b"], 0)', {"a": 0, "b": 0}, 0),
        ('any_above(["a", "b"], 0)', {"a": 1}, 1),
        ('any_above(["a", "b"], 0)', {"a": 0}, None),
        ('all_above(["a", "b"], 0)', {"a": 0}, 0),
        ('all_above(["a", "b"], 0)', {"a": 1}, None),
        ('count_above(["a", "b", "c"], 1) >= 2', {"a": 2, "b": 1, "c": 3}, 1),
        ('1 + 2 * 3 - "a" / 2', {"a": 4}, 5),
        ("(1 + 2) * 3 == 9 and not 0", {}, 1),
        ('-"a" < 0 or "b" > 1', {"a": 1}, 1),
        ('"a" / 0 > 1', {"a": 1}, None),
        ("mean(['a b', 'c']) <= 2", {"a b": 1, "c": 3}, 1),
        ('max(["a", "b"]) - min(["a", "b"])', {"a": 1, "b": 4}, 3),
        ('sum(["a", "b"]) != 3', {"a": 1, "b": 2}, 0),
        ('known(["a"]) and not known(["b"])', {"a": 7}, 1),
    ],
)
def test_a_formula_is_what_it_says(text, row, value):
    assert Expression.read(text).value(row) == value


@pytest.mark.parametrize("word", ["and", "or"])
def test_logic_is_known_where_the_unknown_cannot_change_it(word):
    formula = Expression.read(f'"a" {word} "b"')
    for cells in itertools.product((0, 1, None), repeat=2):
        completed = itertools.product(*([x] if x is not None else [0, 1] for x in cells))
        answers = {any(c) if word == "or" else all(c) for c in completed}
        assert formula.value(dict(zip("ab", cells, strict=True))) == (answers.pop() if len(answers) == 1 else None)


@pytest.mark.parametrize(
    "text", ["", "1 +", 'any_above("a", 0)', "__import__('os')", '"a" "b"', '"a" ; 1', "a > 1", "f(1)", "(" * 60 + "1"]
)
def test_what_is_no_formula_is_refused(text):
    with pytest.raises(ValueError, match="the formula"):
        Expression.read(text)


@given(st.text(alphabet='abc"()[],<>=!+-*/ 0123456789.not', max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        formula = Expression.read(text)
    except ValueError:
        return
    assert set(formula.columns) <= {text[i + 1 : j] for i in range(len(text)) for j in range(i + 1, len(text) + 1)}
    formula.value(dict.fromkeys(formula.columns, 1.0))
