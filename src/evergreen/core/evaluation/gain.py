"""The relative gain of one model over another, when several rows belong to one client."""

from __future__ import annotations

from math import isfinite
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from evergreen.core.models.validation import FloatArray

IntArray = NDArray[np.intp]

POWER = 0.8
# Differences of equal losses leave sums of this order: a spread below it is rounding error.
ROUNDING = 1e-12


class Gain(NamedTuple):
    """A relative gain, 1 - new / old: 0.01 is one percent less loss.

    Attributes
    ----------
    gain
        None if it is not finite.
    interval
        Two-sided at level 1 - 2 * alpha: its low end is the one-sided bound. None if the standard
        error is zero or not finite.
    detectable
        The true gain that would be detected with 80 % power at level alpha on as many such rows:
        (t_{1 - alpha} + t_{0.8}) * se, t the quantiles of Student's t with one degree of freedom
        less than there are clients.
    """

    gain: float | None
    interval: tuple[float, float] | None
    detectable: float | None


# Huge values may overflow: the standard error is then not finite, and there is no interval.
@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def relative_gain(old: FloatArray, new: FloatArray, codes: IntArray, *, alpha: float) -> Gain:
    """Compute the gain of one model over another, with its interval clustered by client.

    Parameters
    ----------
    old, new
        Losses of the same rows, shape (n,), at least one.
    codes
        The client of each row as an integer from 0, shape (n,).
    alpha
        One-sided level.

    Notes
    -----
    See `evergreen.core.evaluation.gate.decide` for the formula and its sources.
    """
    loss = float(old.mean())
    ratio = float(new.mean()) / loss if loss else np.inf
    gain = 1 - ratio
    se = standard_error((new - ratio * old) / loss, codes)
    clients = int(codes.max()) + 1
    margin = t_quantile(alpha, clients) * se
    if not (isfinite(gain) and isfinite(margin) and se > ROUNDING):
        return Gain(gain if isfinite(gain) else None, None, None)
    detectable = margin + t_quantile(1 - POWER, clients) * se
    return Gain(gain, (gain - margin, gain + margin), detectable)


def standard_error(influence: FloatArray, codes: IntArray) -> float:
    """Compute the standard error of a mean-like figure from its influence values, by client."""
    sums = np.bincount(codes, weights=influence - influence.mean())
    # Squares of very small or very large amounts would leave the range of a double.
    unit = float(np.abs(sums).max()) or 1.0
    if sums.size == 1:
        return np.inf
    spread = sums.size / (sums.size - 1) * np.sum((sums / unit) ** 2)
    return unit * float(np.sqrt(spread)) / influence.size


def t_quantile(tail: float, clients: int) -> float:
    """Return the value of Student's t that is exceeded with probability `tail`."""
    return -float(stdtrit(clients - 1, tail))
