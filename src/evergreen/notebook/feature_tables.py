"""Feature tables as DataFrames, arrays or sparse matrices, brought to the form a model needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from evergreen.core.models.base import Estimator
from evergreen.core.models.validation import FeatureMismatchError, difference
from evergreen.errors import DataError

FeatureTable: TypeAlias = pd.DataFrame | Any
"""Rows (n, k): a DataFrame with named columns, an array, or a scipy sparse matrix."""


def row_count(X: FeatureTable) -> int:
    """Return the number of rows.

    Raises
    ------
    ValueError
        If the table is not two-dimensional.
    """
    shape: tuple[int, ...] = np.shape(X) if not sparse.issparse(X) else X.shape
    if len(shape) != 2:  # noqa: PLR2004 - rows and columns
        raise ValueError(f"features must have rows and columns, found shape {shape}")
    return shape[0]


def take(X: FeatureTable, rows: NDArray[np.bool_]) -> FeatureTable:
    """Return the rows where a mask (n,) is true, in the same type of container."""
    if isinstance(X, pd.DataFrame):
        return X[rows]
    return X.tocsr()[np.flatnonzero(rows)] if sparse.issparse(X) else np.asarray(X)[rows]


def without_clients(X: FeatureTable) -> tuple[FeatureTable, pd.Series | None]:
    """Split a table into features and its column client_id; None if it has none."""
    if isinstance(X, pd.DataFrame) and "client_id" in X:
        return X.drop(columns="client_id"), X["client_id"]
    return X, None


def columns_of(model: object) -> list[str] | None:
    """Return the names of the columns that a model was fitted on; None if it has no names."""
    if isinstance(model, Estimator):
        return list(model.columns)
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def as_frame(X: FeatureTable, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return a table as a DataFrame; unnamed columns get the names by position, or x0, x1 ..."""
    if isinstance(X, pd.DataFrame):
        return X
    dense = X.toarray() if sparse.issparse(X) else np.asarray(X)
    names = columns if columns is not None else [f"x{k}" for k in range(dense.shape[1])]
    if len(names) != dense.shape[1]:
        raise DataError(
            f"the model was fitted on {len(names)} columns, found {dense.shape[1]} without names",
            "pass a DataFrame, to see which are missing",
        )
    return pd.DataFrame(dense, columns=list(names))


def as_fitted(X: FeatureTable, model: Any) -> FeatureTable:  # noqa: ANN401 - scikit-learn has no types
    """Return a table as a scikit-learn model was fitted on it: its columns, in its order.

    Raises
    ------
    FeatureMismatchError
        If named columns are missing or unknown, with a line for each.
    DataError
        If the number of columns differs.
    """
    names = columns_of(model)
    model_type = type(model).__name__
    if names is not None:
        frame = as_frame(X, names)
        if Counter(map(str, frame.columns)) != Counter(names):
            raise FeatureMismatchError(model_type, names, list(frame.columns))
        return frame[names]
    plain = X.to_numpy() if isinstance(X, pd.DataFrame) else X
    expected = getattr(model, "n_features_in_", plain.shape[1])
    if plain.shape[1] != expected:
        raise DataError(
            f"{model_type} was fitted on {expected} columns without names, found {plain.shape[1]}"
            + (f": {', '.join(map(str, X.columns))}" if isinstance(X, pd.DataFrame) else ""),
            "pass the columns that it was fitted on, in the same order",
        )
    return plain


def check_same_columns(old: object, new: object) -> None:
    """Check that two models were fitted on the same columns.

    Raises
    ------
    DataError
        If not, with a line for each difference.
    """
    before, after = columns_of(old), columns_of(new)
    counts = [_column_count(model) for model in (old, new)]
    if before is not None and after is not None and set(before) != set(after):
        lines = "\n".join(difference(before, after))
        raise DataError(
            f"the new model was fitted on other columns than the old one:\n{lines}",
            "compare models with the same features, or evaluate each with its own",
        )
    if None not in counts and counts[0] != counts[1]:
        raise DataError(
            f"the new model was fitted on {counts[1]} columns, the old one on {counts[0]}",
            "compare models that were fitted on the same columns",
        )


def _column_count(model: object) -> int | None:
    names = columns_of(model)
    count: int | None = getattr(model, "n_features_in_", None) if names is None else len(names)
    return count
