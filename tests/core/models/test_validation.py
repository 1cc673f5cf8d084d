import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.core.models.validation import (
    FeatureMismatchError,
    column_names,
    read_labels,
    read_matrix,
)


@given(st.permutations(["a", "b", "c"]))
def test_columns_are_taken_by_name(order):
    X = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, np.nan], "c": [5.0, 6.0]})[order]
    expected = [[1.0, 3.0, 5.0], [2.0, np.nan, 6.0]]
    np.testing.assert_array_equal(read_matrix(X, ["a", "b", "c"], model="m"), expected)


def test_features_stay_float32_and_are_not_copied():
    X = pd.DataFrame(np.ones((3, 2), dtype=np.float32), columns=["a", "b"])
    found = read_matrix(X, ["a", "b"], model="m")
    assert found.dtype == np.float32
    assert np.shares_memory(found, X.to_numpy())


@pytest.mark.parametrize("dtype", ["int64", "bool", "Int64", "Float64", "boolean"])
def test_any_numeric_dtype_becomes_float64(dtype):
    found = read_matrix(pd.DataFrame({"a": pd.Series([1, 0], dtype=dtype)}), ["a"], model="m")
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [[1.0], [0.0]])


def test_a_missing_value_of_pandas_becomes_nan():
    X = pd.DataFrame({"a": pd.Series([1, None], dtype="Int64")})
    np.testing.assert_array_equal(read_matrix(X, ["a"], model="m"), [[1.0], [np.nan]])


def test_texts_and_dates_are_refused_by_name():
    X = pd.DataFrame({"a": ["x"], "b": pd.to_datetime(["2024-01-01"]), "c": [1.0]})
    with pytest.raises(ValueError, match=r"^X is expected to be numeric, .* types in: a, b$"):
        read_matrix(X, ["a", "b", "c"], model="m")


def test_a_column_that_is_there_twice_is_refused():
    X = pd.DataFrame([[1.0, 2.0]], columns=["a", "a"])
    with pytest.raises(FeatureMismatchError, match=r"\+ a \(2 times\)"):
        read_matrix(X, ["a"], model="m")


def test_a_long_difference_is_cut_short():
    error = FeatureMismatchError("m", [f"c{i:02}" for i in range(25)], [])
    lines = str(error).splitlines()
    assert lines[0] == "m was fitted on 25 columns, found 0:"
    assert lines[1] == "- c00 (missing)"
    assert lines[21] == "... and 5 more"


@pytest.mark.parametrize(
    ("columns", "found"), [([], "no column"), (["a", 1], "1"), (["b", "a", "a"], "'a'")]
)
def test_columns_need_distinct_names(columns, found):
    with pytest.raises(ValueError, match=f"^X is expected .* distinct names, found {found}$"):
        column_names(pd.DataFrame(np.zeros((1, len(columns))), columns=columns))


def test_there_is_a_label_for_each_row():
    with pytest.raises(ValueError, match=r"one label for each of the 3 rows of X, .*\(2,\)$"):
        read_labels(np.zeros(2), rows=3, kind="binary")


@pytest.mark.parametrize(
    ("kind", "expected"), [("binary", "0 or 1"), ("regression", "finite and not negative")]
)
def test_a_wrong_label_is_shown(kind, expected):
    y = pd.Series([0.0, -2.0, 1.0, -3.0])
    with pytest.raises(
        ValueError, match=f"^y is expected to be {expected}, found -2.0 in 2 of 4 r"
    ):
        read_labels(y, rows=4, kind=kind)


@pytest.mark.parametrize("dtype", ["bool", "int64", "Int64", "float32"])
def test_labels_of_any_numeric_dtype_become_float64(dtype):
    found = read_labels(pd.Series([1, 0], dtype=dtype), rows=2, kind="binary")
    assert found.dtype == np.float64
    assert found.tolist() == [1.0, 0.0]
