"""The loss of each row, which the gate uses and the metrics report."""

from math import isfinite
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from evergreen.core.events.loss_scale import UNSCALED, LossScale, positive_or_none

Kind = Literal["binary", "regression"]
FloatArray = npt.NDArray[np.float64]
PROBABILITY_EDGE = 1e-4
FLOOR_SHARE = 0.01

LOSS_NAME: dict[Kind, str] = {"binary": "log_loss", "regression": "tweedie_deviance"}
"""The name of the mean of `row_losses` in reports."""


class Outcomes(NamedTuple):
    """The actual outcomes of the n rows on which models of one target are compared.

    Attributes
    ----------
    kind
        "binary" (labels 0 or 1, predictions are probabilities) or "regression" (labels and
        predictions are amounts of at least 0).
    y_true
        Labels, shape (n,), any real dtype.
    clients
        Client id of each row, shape (n,), strings or integers. None: each row is its own client.
    scale
        Of the labels that the champion was trained on.
    """

    kind: Kind
    y_true: npt.ArrayLike
    clients: npt.ArrayLike | None = None
    scale: LossScale = UNSCALED


def minority_count(kind: Kind, labels: FloatArray) -> int:
    """Count the labels of the minority class; for regression, the positive labels."""
    positive = int(np.count_nonzero(labels))
    return min(positive, len(labels) - positive) if kind == "binary" else positive


def row_losses(
    kind: Kind, y: npt.ArrayLike, prediction: npt.ArrayLike, scale: LossScale = UNSCALED
) -> FloatArray:
    """Compute the loss of each row, by which models are compared.

    Binary: log loss, the probability clipped to [1e-4, 1 - 1e-4], in nats. Regression: Tweedie unit
    deviance [1]_ of power 1.5, 4 (sqrt(y) - sqrt(f)) ** 2 / sqrt(f), in square roots of the label's
    unit; y and f are capped and f is raised to a floor, as `scale` says.

    Parameters
    ----------
    kind
        "binary" or "regression".
    y
        Labels, shape (n,).
    prediction
        Probabilities or amounts, shape (n,). Those out of range are clipped to it.
    scale
        Used for regression.

    Returns
    -------
    ndarray of float64, shape (n,)
        At least 0; NaN where the label or the prediction is not finite.

    Raises
    ------
    ValueError
        As for `evergreen.core.evaluation.gate.decide`.

    References
    ----------
    .. [1] Jorgensen (1987). Exponential dispersion models. Journal of the Royal Statistical Society
       B 49, 127-162.

    Examples
    --------
    >>> row_losses("binary", [1, 0], [0.5, 0.2]).round(4)
    array([0.6931, 0.2231])
    >>> row_losses("regression", [0, 4, 900], [1, 4, 25], LossScale(cap=100, mean=4))
    array([ 4.,  0., 20.])
    """
    check_kind(kind)
    labels, predictions = read_vector("y", y), read_vector("prediction", prediction)
    check_lengths(y=labels, prediction=predictions)
    check_labels("y", kind, labels)
    known = np.isfinite(labels) & np.isfinite(predictions)
    predictions = np.where(known, predictions, np.nan)
    if kind == "binary":
        return _log_losses(labels, predictions)
    return _tweedie_losses(labels, predictions, scale)


def _log_losses(labels: FloatArray, predictions: FloatArray) -> FloatArray:
    p = np.clip(predictions, PROBABILITY_EDGE, 1 - PROBABILITY_EDGE)
    losses: FloatArray = -np.log(np.where(labels == 1, p, 1 - p))
    return losses


def _tweedie_losses(labels: FloatArray, predictions: FloatArray, scale: LossScale) -> FloatArray:
    cap = scale.cap_for("regression")
    known = np.minimum(labels[np.isfinite(labels)], cap)
    mean_here = float(known.mean()) if known.size else 0.0
    # Without any positive label every positive floor gives the right limit, a loss of 4 sqrt(f).
    mean = positive_or_none(scale.mean) or mean_here or float(np.finfo(np.float64).tiny)
    # Models of earlier versions have the mean of labels that were not capped.
    mean = min(mean, cap)
    root_y = np.sqrt(np.minimum(labels, cap))
    root_f = np.sqrt(np.clip(predictions, FLOOR_SHARE * mean, cap))
    losses: FloatArray = 4 * (root_y - root_f) ** 2 / root_f
    return losses


def check_kind(kind: str) -> None:
    """Raise ValueError for an unknown kind."""
    if kind not in get_args(Kind):
        raise ValueError(f"kind must be 'binary' or 'regression', found {kind!r}")


def read_vector(name: str, values: npt.ArrayLike) -> FloatArray:
    """Convert real numbers in any container to float64 (n,); ValueError for anything else."""
    shape = np.shape(values)
    if len(shape) != 1:
        raise ValueError(f"{name} must be one-dimensional, found shape {shape}")
    series = pd.Series(values)
    # Numpy would drop imaginary parts and read times as numbers.
    if series.dtype.kind in "cmM":
        raise ValueError(f"{name} must hold real numbers, found dtype {series.dtype}")
    try:
        return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name} must hold real numbers, found other values: {error}") from error


def check_lengths(**vectors: FloatArray) -> None:
    """Raise ValueError, with all lengths, unless they are equal."""
    lengths = {name: vector.size for name, vector in vectors.items()}
    if len(set(lengths.values())) > 1:
        each = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(f"all inputs must have one length, found {each}")


def check_labels(name: str, kind: Kind, labels: FloatArray) -> None:
    """Raise ValueError, with the first position, for a finite label that the kind can't have."""
    if kind == "binary":
        expected, wrong = "0 or 1", np.isfinite(labels) & (labels != 0) & (labels != 1)
    else:
        expected, wrong = "at least 0", np.isfinite(labels) & (labels < 0)
    if wrong.any():
        first = int(wrong.argmax())
        raise ValueError(
            f"{name} must be {expected} for kind '{kind}', found {labels[first]:g} at position "
            f"{first} ({wrong.sum()} such labels)"
        )


def finite_or_none(value: float | None) -> float | None:
    """Return a figure for a report: None if it is not finite."""
    return value if value is not None and isfinite(value) else None
