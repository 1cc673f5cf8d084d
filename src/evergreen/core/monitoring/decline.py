"""Performance decline: a champion's live loss compared with the loss expected at its promotion.

By the loss alone, a season in which every client is harder to predict would count as a decline. So
the loss is divided by that of predicting the mean label for everyone. This *relative loss* is 1 for
a model that knows nothing about the single client, and less for a better one.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, isfinite, log, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from evergreen.core.evaluation.gain import standard_error, t_quantile
from evergreen.core.evaluation.losses import Outcomes, row_losses

RUNS = 100
"""The number of runs for which the chance of a false alert is stated."""


@dataclass(frozen=True)
class RelativeLoss:
    """A mean loss, divided by that of predicting the mean label for everyone.

    Attributes
    ----------
    error
        Standard error of `value`, clustered by client.
    """

    value: float
    error: float
    rows: int
    clients: int

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as the report of a comparison keeps them."""
        return {
            "relative_loss": self.value,
            "error": self.error,
            "rows": self.rows,
            "clients": self.clients,
        }


def relative_loss(outcomes: Outcomes, predicted: npt.ArrayLike) -> RelativeLoss | str:
    """Compute the loss relative to that of predicting the mean label for everyone.

    With losses l of the model and b of the mean label, r = mean(l) / mean(b) has the influence
    values (l_i - r b_i) / mean(b) [1]_: the mean label minimises mean(b), so its own
    sampling error has no first-order effect.

    Parameters
    ----------
    outcomes
        Of n rows; the scale is that of the labels that the model was trained on.
    predicted
        For the same rows. Those whose label or prediction is not finite are left out.

    Returns
    -------
    RelativeLoss or str
        The relative loss, or why it can't be computed.

    References
    ----------
    .. [1] Deng, Knoblich, Lu (2018). Applying the delta method in metric analytics. KDD, 233-242.
    """
    kind, y_true, clients, scale = outcomes
    y, prediction = np.asarray(y_true, np.float64), np.asarray(predicted)
    known = np.isfinite(y) & np.isfinite(prediction)
    y, codes = y[known], pd.factorize(np.asarray(clients)[known])[0]
    if not known.any():
        return "no prediction has a known outcome yet"
    losses = row_losses(kind, y, prediction[known], scale)
    same = np.full(len(y), np.minimum(y, scale.cap_for(kind)).mean())
    base = row_losses(kind, y, same, scale)
    if np.all(y == y[0]):
        return f"all outcomes are equal: {y[0]:.4g}"
    value = float(losses.mean() / base.mean())
    error = standard_error((losses - value * base) / base.mean(), codes)
    if not isfinite(error):
        return "all outcomes are of a single client"
    return RelativeLoss(value, error, len(y), int(codes.max()) + 1)


def expected_loss(outcomes: Outcomes, predicted: npt.ArrayLike) -> dict[str, Any] | None:
    """Measure the loss to expect of a model's live predictions, on held-out rows; None if unknown.

    See `relative_loss`.
    """
    measured = relative_loss(outcomes, predicted)
    return None if isinstance(measured, str) else measured.to_dict()


@dataclass(frozen=True)
class Decline:
    """The growth of the live relative loss over the expected one: 0.1 is ten percent.

    Attributes
    ----------
    at_least
        The lower bound of the growth.
    alert
        Whether `at_least` is above what is tolerated.
    """

    growth: float
    at_least: float
    alert: bool


def judge_decline(
    expected: RelativeLoss, live: RelativeLoss, *, tolerated: float, false_alarms: float
) -> Decline:
    """Compare the live loss with the expected loss.

    The logarithm of live / expected has the standard error sqrt((e_l / l)^2 + (e_e / e)^2).
    Held-out clients are live clients too, so the true one is smaller if anything. Each check has
    the one-sided level `false_alarms` / `RUNS`, so the chance of any false alert in that many runs
    is at most `false_alarms`, however much their rows overlap (Bonferroni's inequality [1]_).

    Parameters
    ----------
    tolerated
        The growth above which there is an alert. The expected loss is that of the better of two
        models on the same weeks, so it is a little optimistic.
    false_alarms
        Chance of any false alert in `RUNS` runs.

    References
    ----------
    .. [1] Dunn (1961). Multiple comparisons among means. Journal of the American Statistical
       Association 56, 52-64.
    """
    grown = log(live.value / expected.value)
    error = sqrt((live.error / live.value) ** 2 + (expected.error / expected.value) ** 2)
    t = t_quantile(false_alarms / RUNS, min(live.clients, expected.clients))
    at_least = exp(grown - t * error) - 1
    return Decline(exp(grown) - 1, at_least, at_least > tolerated)
