"""Conversion of a table to the matrix that an estimator expects, with clear errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evergreen.errors import EvergreenError
from evergreen.settings.names import Kind

FloatArray = NDArray[np.float64]
Matrix = NDArray[np.float32] | NDArray[np.float64]
"""Rows (n, k) as the extractor makes them, float32, or as a caller gives them, float64."""
Labels = pd.Series | NDArray[np.generic]

LARGEST = float(np.finfo(np.float32).max)  # forests store columns as float32
SHOWN = 20


class FeatureMismatchError(EvergreenError, ValueError):
    """A table lacks columns that the model was fitted on, or has others."""

    def __init__(self, model: str, expected: Sequence[str], found: Sequence[object]) -> None:
        lines = difference(expected, found)
        rest = [f"... and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
        super().__init__(
            f"{model} was fitted on {len(expected)} columns, found {len(found)}:\n"
            + "\n".join([*lines[:SHOWN], *rest]),
            "pass the columns of the feature extractor that the model was trained with, "
            "in any order",
        )


def difference(expected: Sequence[str], found: Sequence[object]) -> list[str]:
    """Return a line for each column that is missing, unknown, or present more than once."""
    times, known = Counter(map(str, found)), set(expected)
    lines = [f"- {name} (missing)" for name in expected if not times[name]]
    lines += [f"+ {name} (unknown to the model)" for name in sorted(times.keys() - known)]
    repeated = [name for name in expected if times[name] > 1]
    return lines + [f"+ {name} ({times[name]} times)" for name in repeated]


def column_names(X: pd.DataFrame) -> tuple[str, ...]:
    """Check and return the column names of a training table.

    Raises
    ------
    ValueError
        If there are none, one is not a string, or two are the same.
    """
    names = tuple(X.columns)
    wrong = [repr(name) for name in names if not isinstance(name, str)]
    wrong += [repr(name) for name, times in Counter(names).items() if times > 1]
    if not names or wrong:
        found = ", ".join(wrong) or "no column"
        raise ValueError(f"X is expected to have columns with distinct names, found {found}")
    return names


def read_matrix(
    X: pd.DataFrame, columns: Sequence[str], *, model: str, beside: Sequence[str] = ()
) -> Matrix:
    """Take columns by name, in the order given; the table may also have those in `beside`.

    Returns
    -------
    numpy.ndarray
        (n, len(columns)): float32 if all columns are, as the extractor makes them, otherwise
        float64. It may share memory with the table; NaN means missing.

    Raises
    ------
    FeatureMismatchError
        If a column is missing, unknown or duplicated.
    ValueError
        If a column is not numeric, or contains an infinite number or one above 3.4e38.
    """
    found = [name for name in X.columns if name not in beside]
    if len(found) != len(columns) or set(found) != set(columns):
        raise FeatureMismatchError(model, columns, found)
    selected = X if list(X.columns) == list(columns) else X[list(columns)]
    kinds = selected.dtypes
    if not all(map(pd.api.types.is_numeric_dtype, set(kinds))):
        texts = [name for name, kind in kinds.items() if not pd.api.types.is_numeric_dtype(kind)]
        raise ValueError(f"X is expected to be numeric, found other types in: {_listed(texts)}")
    narrow = all(kind == np.float32 for kind in set(kinds))
    values: Matrix = selected.to_numpy(np.float32 if narrow else np.float64, na_value=np.nan)
    bad = infinite_columns(values)
    if bad.any():
        names = [name for name, is_bad in zip(columns, bad, strict=True) if is_bad]
        raise ValueError(f"X is expected to be finite or NaN, found infinity in: {_listed(names)}")
    return values


def infinite_columns(matrix: Matrix) -> NDArray[np.bool_]:
    """Which columns (k,) contain an infinite number, or one that float32 can't hold."""
    # unlike abs(matrix) > LARGEST, this makes no copy
    largest = np.fmax.reduce(matrix, axis=0, initial=0.0)
    smallest = np.fmin.reduce(matrix, axis=0, initial=0.0)
    return np.asarray((largest > LARGEST) | (smallest < -LARGEST))


def read_labels(y: Labels, *, rows: int, kind: Kind) -> FloatArray:
    """Check the labels of a target and return them: float64 (rows,), 0 or 1, or amounts from 0.

    Raises
    ------
    ValueError
        If there are other values, or not one for each row.
    """
    values = np.asarray(y, dtype=np.float64)
    if values.shape != (rows,):
        raise ValueError(
            f"y is expected to hold one label for each of the {rows} rows of X, "
            f"found the shape {values.shape}"
        )
    wrong = (
        ~np.isin(values, (0.0, 1.0)) if kind == "binary" else ~(np.isfinite(values) & (values >= 0))
    )
    if wrong.any():
        expected = "0 or 1" if kind == "binary" else "finite and not negative"
        raise ValueError(
            f"y is expected to be {expected}, found {values[wrong][0]} "
            f"in {int(wrong.sum())} of {rows} rows"
        )
    return values


def _listed(names: Sequence[object]) -> str:
    shown = ", ".join(map(str, names[:SHOWN]))
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"
