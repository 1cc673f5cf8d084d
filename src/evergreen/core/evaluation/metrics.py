"""Metrics of held-out predictions, as reports show them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import spearmanr
from sklearn.metrics import (
    accuracy_score,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)

from evergreen.core.evaluation.losses import (
    FloatArray,
    Kind,
    check_kind,
    finite_or_none,
    row_losses,
)
from evergreen.core.events.loss_scale import UNSCALED, LossScale

BINARY_METRICS = ("log_loss", "brier", "roc_auc", "accuracy", "base_rate", "mean_prediction")
REGRESSION_METRICS = (
    "tweedie_deviance",
    "r2",
    "mae",
    "rmse",
    "spearman",
    "predicted_actual_ratio",
)
THRESHOLD = 0.5


# Squares of huge predictions overflow: such a metric is undefined, which needs no warning.
@np.errstate(over="ignore", invalid="ignore")
def evaluate(
    kind: Kind, y_true: ArrayLike, prediction: ArrayLike, scale: LossScale = UNSCALED
) -> dict[str, float | None]:
    """Compare predictions with the labels that came true.

    Rows whose label is not finite are left out. Log loss and Tweedie deviance are the means of
    the gate's `row_losses`, so what is reported is what the decision is based on.

    Parameters
    ----------
    kind : {"binary", "regression"}
    y_true : array_like of shape (n,)
        Labels: 0 or 1, or amounts that are not negative.
    prediction : array_like of shape (n,)
        Probability of 1, or expected amount in the unit of `y_true`.
    scale : LossScale, optional
        For regression: as for `row_losses`. Pass the same to the gate.

    Returns
    -------
    dict of str to float or None
        Binary: log_loss (nats, probabilities clipped to 0.0001 .. 0.9999), brier, roc_auc,
        accuracy (1 is predicted from 0.5 on), base_rate (mean label), mean_prediction.
        Regression: tweedie_deviance (power 1.5), r2, mae and rmse (unit of `y_true`), spearman
        (rank correlation), predicted_actual_ratio (of the totals).
        None if a metric is undefined: no rows, one class, a constant, a total of zero;
        and for all metrics that need predictions, if one of them is not finite.

    Raises
    ------
    ValueError
        If the lengths differ, `kind` is neither of the two, or a label is not what it allows.
    """
    labels, scores = np.asarray(y_true, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    if labels.shape != scores.shape:
        raise ValueError(
            f"expected as many predictions as labels, found {scores.size} for {labels.size}"
        )
    known = np.isfinite(labels)
    check_kind(kind)
    if kind == "binary":
        metrics = _binary(labels[known], scores[known])
    else:
        metrics = _regression(labels[known], scores[known], scale)
    return {name: finite_or_none(value) for name, value in metrics.items()}


def _binary(y: FloatArray, p: FloatArray) -> dict[str, float | None]:
    metrics: dict[str, float | None] = dict.fromkeys(BINARY_METRICS)
    if not y.size:
        return metrics
    metrics["base_rate"] = float(y.mean())
    # Leaving out the row instead would make a broken model look better than it is.
    if not np.isfinite(p).all():
        return metrics
    metrics["log_loss"] = float(row_losses("binary", y, p).mean())
    metrics["brier"] = float(mean_squared_error(y, p))
    metrics["accuracy"] = float(accuracy_score(y, p >= THRESHOLD))
    metrics["mean_prediction"] = float(p.mean())
    if _varies(y):
        metrics["roc_auc"] = float(roc_auc_score(y, p))
    return metrics


def _regression(y: FloatArray, f: FloatArray, scale: LossScale) -> dict[str, float | None]:
    metrics: dict[str, float | None] = dict.fromkeys(REGRESSION_METRICS)
    if not y.size or not np.isfinite(f).all():
        return metrics
    metrics["tweedie_deviance"] = float(row_losses("regression", y, f, scale).mean())
    metrics["mae"] = float(mean_absolute_error(y, f))
    metrics["rmse"] = float(root_mean_squared_error(y, f))
    if _varies(y):
        metrics["r2"] = float(r2_score(y, f))
    if _varies(y) and _varies(f):
        metrics["spearman"] = float(spearmanr(y, f).statistic)
    if y.any():
        metrics["predicted_actual_ratio"] = float(f.sum() / y.sum())
    return metrics


def _varies(values: FloatArray) -> bool:
    return bool(np.any(values != values[0]))
