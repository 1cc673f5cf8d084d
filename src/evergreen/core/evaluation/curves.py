"""Points of the curves of held-out predictions: ROC, calibration and cumulative gains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from evergreen.core.evaluation.model_names import in_model_order

if TYPE_CHECKING:
    from evergreen.core.evaluation.gain import IntArray
    from evergreen.core.evaluation.losses import FloatArray, Kind, Outcomes

ROC_COLUMNS: Final = {"false_positive_rate": "float64", "true_positive_rate": "float64"}
CALIBRATION_COLUMNS: Final = {
    "predicted": "float64",
    "observed": "float64",
    "low": "float64",
    "high": "float64",
    "rows": "int64",
}
GAINS_COLUMNS: Final = {"contacted_share": "float64", "captured_share": "float64"}
GRID: Final = np.linspace(0.0, 1.0, 101)
Z_95: Final = float(ndtri(0.975))


class ScoredRows(NamedTuple):
    """The held-out rows of a target, with the predictions of each model: all of shape (n,)."""

    outcomes: Outcomes
    predictions: Mapping[str, ArrayLike]


class PlotRows(NamedTuple):
    """Long tables for all targets and models, each with first columns target and model."""

    roc: pd.DataFrame
    calibration: pd.DataFrame
    gains: pd.DataFrame


def roc_points(y: ArrayLike, prediction: ArrayLike) -> pd.DataFrame:
    """Points of the ROC curve, at most 101 of them.

    A curve with more points is interpolated at 101 places spaced evenly in the sum of both rates,
    so that steep and flat parts keep the same detail and every point is on the curve.

    Parameters
    ----------
    y : array_like of shape (n,)
        Labels 0 or 1. Rows with a label that is not finite are left out.
    prediction : array_like of shape (n,)
        Score; higher means that 1 is more likely.

    Returns
    -------
    DataFrame
        Columns false_positive_rate and true_positive_rate (float64, 0 to 1), from (0, 0) to
        (1, 1). No rows if the curve is undefined: no labels, one class, or a prediction that is
        not finite.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    from sklearn.metrics import roc_curve  # noqa: PLC0415 - takes a second, and a report needs none

    labels, scores, _ = _usable(y, prediction)
    if not labels.size:
        return _frame(ROC_COLUMNS)
    false_positive, true_positive, _ = roc_curve(labels, scores)
    if len(false_positive) > len(GRID):
        way = (false_positive + true_positive) / 2
        false_positive = np.interp(GRID, way, false_positive)
        true_positive = np.interp(GRID, way, true_positive)
    return _frame(ROC_COLUMNS, false_positive, true_positive)


def calibration_points(
    y: ArrayLike,
    prediction: ArrayLike,
    bins: int = 10,
    *,
    kind: Kind = "binary",
    clients: ArrayLike | None = None,
) -> pd.DataFrame:
    """Mean prediction against mean label in bins of equally many rows.

    Rows with equal predictions share a bin, so there may be fewer bins than requested. The interval
    is that of the effective number of rows, as rows of one client are alike: the number of rows
    divided by the factor by which clustering by client increases the variance of the mean [2]_,
    and at most the number of rows. In a bin where all labels are equal this factor is unknown, and
    each client counts as one row.

    Parameters
    ----------
    y : array_like of shape (n,)
        Labels: 0 or 1, or amounts that are not negative. Rows with a label that is not finite
        are left out.
    prediction : array_like of shape (n,)
        Probability, or expected amount in the unit of `y`.
    bins : int
        Number of bins, at least 1.
    kind : {"binary", "regression"}
        Decides about the interval.
    clients : array_like of shape (n,), optional
        Client id of each row. Without it, each row is its own client.

    Returns
    -------
    DataFrame
        One row per bin by rising prediction: predicted, observed (means), low, high (95 %
        interval of observed: Wilson's for binary labels [1]_, else normal and not below zero,
        NaN in a bin of one client), rows (int64). No rows under the conditions of `roc_points`.

    Raises
    ------
    ValueError
        If the lengths differ.

    References
    ----------
    .. [1] E. B. Wilson (1927), "Probable inference, the law of succession, and statistical
       inference", Journal of the American Statistical Association 22, 209-212.
    .. [2] E. L. Korn, B. I. Graubard (1998), "Confidence intervals for proportions with small
       expected number of positive counts estimated from survey data", Survey Methodology 24,
       193-201.
    """
    labels, scores, codes = _usable(y, prediction, clients)
    if not labels.size:
        return _frame(CALIBRATION_COLUMNS)
    bin_of_row = _equal_count_bins(scores, bins)
    rows = np.bincount(bin_of_row)
    predicted = np.bincount(bin_of_row, scores) / rows
    observed = np.bincount(bin_of_row, labels) / rows
    deviations = labels - observed[bin_of_row]
    squares = np.bincount(bin_of_row, deviations**2)
    effective = _effective_rows(deviations, squares, bin_of_row, codes)
    if kind == "binary":
        low, high = _wilson_interval(observed, effective)
    else:
        low, high = _normal_interval(observed, squares, rows, effective)
    return _frame(CALIBRATION_COLUMNS, predicted, observed, low, high, rows)


def gains_points(value: ArrayLike, prediction: ArrayLike) -> pd.DataFrame:
    """Share of the total value that the rows with the highest predictions account for.

    The order among equal predictions is undefined, so part of such a group has its expected value
    in random order: a straight line across the group.

    Parameters
    ----------
    value : array_like of shape (n,)
        The value to capture: labels 0 or 1, or amounts that are not negative. Rows with a
        value that is not finite are left out.
    prediction : array_like of shape (n,)
        Score; rows with the highest score come first.

    Returns
    -------
    DataFrame
        Columns contacted_share (float64, 0 to 1 in steps of 0.01) and captured_share
        (float64, 0 to 1). No rows under the conditions of `roc_points`.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    values, scores, _ = _usable(value, prediction)
    if not values.size:
        return _frame(GAINS_COLUMNS)
    _, group_of_row = np.unique(-scores, return_inverse=True)
    contacted = np.cumsum(np.bincount(group_of_row)) / len(values)
    captured = np.cumsum(np.bincount(group_of_row, values)) / values.sum()
    share = np.interp(GRID, np.append(0.0, contacted), np.append(0.0, captured))
    return _frame(GAINS_COLUMNS, GRID, share)


def plot_rows(scored: Mapping[str, ScoredRows]) -> PlotRows:
    """Rows of all three plots for every target and model, rounded to 6 decimals.

    Parameters
    ----------
    scored : mapping of str to ScoredRows
        By target. Targets keep their order; models come in `MODEL_ORDER`.

    Returns
    -------
    PlotRows
        The tables roc (binary targets only), calibration and gains; the index has no meaning. A
        model whose curve is undefined has no rows.

    Raises
    ------
    ValueError
        If a model has another number of predictions than its target has labels.
    """
    return PlotRows(
        roc=_long(scored, ROC_COLUMNS, _roc_of_binary),
        calibration=_long(
            scored,
            CALIBRATION_COLUMNS,
            lambda outcomes, prediction: calibration_points(
                outcomes.y_true, prediction, kind=outcomes.kind, clients=outcomes.clients
            ),
        ),
        gains=_long(
            scored,
            GAINS_COLUMNS,
            lambda outcomes, prediction: gains_points(outcomes.y_true, prediction),
        ),
    )


def _roc_of_binary(outcomes: Outcomes, prediction: ArrayLike) -> pd.DataFrame:
    if outcomes.kind != "binary":
        return _frame(ROC_COLUMNS)
    return roc_points(outcomes.y_true, prediction)


def _long(
    scored: Mapping[str, ScoredRows],
    columns: Mapping[str, str],
    points: Callable[[Outcomes, ArrayLike], pd.DataFrame],
) -> pd.DataFrame:
    parts = [
        _labelled(points(rows.outcomes, rows.predictions[model]), target, model)
        for target, rows in scored.items()
        for model in in_model_order(rows.predictions)
    ]
    none = _labelled(_frame(columns), "", "")
    return pd.concat([none, *parts], ignore_index=True).round(6)


def _labelled(points: pd.DataFrame, target: str, model: str) -> pd.DataFrame:
    points.insert(0, "target", pd.Series(target, index=points.index, dtype="str"))
    points.insert(1, "model", pd.Series(model, index=points.index, dtype="str"))
    return points


def _frame(columns: Mapping[str, str], *values: ArrayLike) -> pd.DataFrame:
    """Make a table of typed columns, without rows if there are no values."""
    filled: Sequence[ArrayLike] = values or [[] for _ in columns]
    return pd.DataFrame(
        {
            name: np.asarray(column, dtype=dtype)
            for (name, dtype), column in zip(columns.items(), filled, strict=True)
        }
    )


def _usable(
    y: ArrayLike, prediction: ArrayLike, clients: ArrayLike | None = None
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Labels, predictions and client codes for a curve; empty if it is undefined."""
    labels, scores = np.asarray(y, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    ids = np.arange(labels.size) if clients is None else pd.Series(clients).to_numpy()
    if not labels.shape == scores.shape == ids.shape:
        raise ValueError(
            f"expected as many predictions as labels, found {scores.size} for {labels.size}"
            + ("" if clients is None else f", and {ids.size} clients")
        )
    known = np.isfinite(labels)
    labels, scores = labels[known], scores[known]
    # Without a row whose prediction is unusable, the model would look better than it is.
    if not labels.size or np.ptp(labels) == 0 or not np.isfinite(scores).all():
        return np.empty(0), np.empty(0), np.empty(0, dtype=np.intp)
    return labels, scores, pd.factorize(ids[known])[0]


def _equal_count_bins(scores: FloatArray, bins: int) -> IntArray:
    middle_rank = pd.Series(scores).rank(method="average").to_numpy() - 0.5
    position = np.floor(middle_rank * bins / len(scores))
    _, bin_of_row = np.unique(position, return_inverse=True)
    return bin_of_row


def _effective_rows(
    deviations: FloatArray, squares: NDArray[Any], bin_of_row: IntArray, codes: IntArray
) -> FloatArray:
    """Count the independent rows that those of each bin are worth."""
    rows, width = np.bincount(bin_of_row), int(codes.max()) + 1
    place = bin_of_row * width + codes
    shape = len(rows), width
    cells = len(rows) * width
    clients = np.count_nonzero(np.bincount(place, minlength=cells).reshape(shape), axis=1)
    sums = np.bincount(place, deviations, minlength=cells).reshape(shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        by_client = (sums**2).sum(axis=1) * clients / (clients - 1)
        inflation = by_client / (squares * rows / (rows - 1))
    unseen = ~np.isfinite(inflation)
    effective: FloatArray = rows / np.where(unseen, rows / clients, np.maximum(inflation, 1.0))
    return effective


def _wilson_interval(share: FloatArray, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    shrink = 1 + Z_95**2 / rows
    centre = (share + Z_95**2 / (2 * rows)) / shrink
    half = Z_95 * np.sqrt(share * (1 - share) / rows + Z_95**2 / (4 * rows**2)) / shrink
    # At shares of 0 and 1 the end is exact in algebra, but not in floating point.
    low = np.where(share == 0, 0.0, centre - half)
    high = np.where(share == 1, 1.0, centre + half)
    return low, high


def _normal_interval(
    mean: FloatArray, squares: NDArray[Any], rows: IntArray, effective: FloatArray
) -> tuple[FloatArray, FloatArray]:
    with np.errstate(divide="ignore", invalid="ignore"):  # one client has no spread
        half = np.where(effective > 1, Z_95 * np.sqrt(squares / (rows - 1) / effective), np.nan)
    return np.maximum(mean - half, 0.0), mean + half
