"""How far, and where to, new rows would move a raw score: one Newton step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

if TYPE_CHECKING:
    from evergreen.core.models.validation import FloatArray
    from evergreen.settings.names import Kind

# the range in which a step is still a step
P_MIN, SCORE_MAX = 1e-4, 10.0


@dataclass(frozen=True)
class NewtonStep:
    """For each row, where the loss is lowest if seen as a parabola at the present score.

    Attributes
    ----------
    response : float64 (n,)
        The change of the score that the row asks for.
    weight : float64 (n,)
        The curvature of its loss, which is what that is worth.
    """

    response: FloatArray
    weight: FloatArray

    def level(self, penalty: float) -> float:
        """The change asked for on average, as if `penalty` more weight asked for none."""
        return float((self.weight * self.response).sum() / (self.weight.sum() + penalty))


def step(score: FloatArray, labels: FloatArray, kind: Kind) -> NewtonStep:
    """Take the step from raw scores (n,): log odds, or logs of a mean amount.

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
