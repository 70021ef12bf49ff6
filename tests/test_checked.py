"""Annotations are checked while tests run: values, how shapes fit together, and shapes computed of arguments."""

import numpy as np
import pytest
import torch

from checked import CALLS, _once, begin
from tympan.data import draw
from tympan.data.augmentations._places import moved


def test_a_value_of_another_kind_is_refused():
    with pytest.raises(TypeError, match="seed"):
        draw.numbers(np.zeros((2, 2), np.int64), "0", "a", 3)  # pyright: ignore


def test_axes_of_one_name_are_equally_long():
    x = torch.zeros(2, 1, 4)
    assert moved(x, torch.tensor([1, 2])).shape == x.shape
    with pytest.raises(TypeError, match="by"):
        moved(x, torch.tensor([1, 2, 3]))
    with pytest.raises(TypeError, match="x"):
        moved(x[0], torch.tensor([1, 2]))


def test_a_length_that_an_argument_says_is_the_answers():
    assert draw.numbers(np.zeros((2, 2), np.int64), 0, "a", 3).shape == (2, 3)

    def numbers(key, seed, name, n):
        return np.zeros((len(key), n + 1), np.float32)

    numbers.__annotations__ = draw.numbers.__annotations__
    with pytest.raises(TypeError, match="return"):
        _once(numbers)(np.zeros((2, 2), np.int64), 0, "a", 3)


def test_hints_in_quotes_stay_as_they_are_written():
    def made(x: "int", y: "NotImported") -> "int":  # pyright: ignore
        return x

    assert _once(made)(1, "anything") == 1 and made.__annotations__["x"] == "int"
    with pytest.raises(TypeError):
        _once(made)("1", None)


def test_shapes_are_checked_of_the_first_calls_in_each_test():
    x, wrong = torch.zeros(2, 1, 4), torch.tensor([[1, 2]])

    def same(x, by):
        return x

    same.__annotations__ = moved.__annotations__
    checked = _once(same)
    for _ in range(CALLS):
        with pytest.raises(TypeError, match="by"):
            checked(x, wrong)
    assert checked(x, wrong) is x
    begin()
    with pytest.raises(TypeError, match="by"):
        checked(x, wrong)
