"""One Newton step: how far new rows would move a raw score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from evergreen.core.models.validation import FloatArray
from evergreen.settings.names import Kind

# A step is computed within this range.
P_MIN, SCORE_MAX = 1e-4, 10.0


@dataclass(frozen=True)
class NewtonStep:
    """For each row, the minimum of the parabola that approximates its loss at the current score.

    Attributes
    ----------
    response : float64 (n,)
        The change of the score to that minimum.
    weight : float64 (n,)
        The curvature of the loss, which weights that change.
    """

    response: FloatArray
    weight: FloatArray

    def level(self, penalty: float) -> float:
        """The weighted mean response; `penalty` is the weight of a response of 0."""
        return float((self.weight * self.response).sum() / (self.weight.sum() + penalty))


def step(score: FloatArray, labels: FloatArray, kind: Kind) -> NewtonStep:
    """Compute the step from raw scores (n,): log odds, or logarithms of a mean amount.

    Binary: (y - p) / (p (1 - p)) with weight p (1 - p); amounts: (y - mu) / mu with weight mu, as
    for Poisson loss.

    Source: Friedman, Hastie, Tibshirani, "Additive logistic regression: a statistical view of
    boosting", Ann. Statist. 28 (2000), algorithm 3.
    """
    if kind == "binary":
        mean = np.clip(expit(score), P_MIN, 1 - P_MIN)
        weight = mean * (1 - mean)
    else:
        mean = np.exp(np.clip(score, -SCORE_MAX, SCORE_MAX))
        weight = mean
    return NewtonStep((labels - mean) / weight, weight)
