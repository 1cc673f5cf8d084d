"""Buy till you die: when clients return, from recency, frequency and tenure alone.

Each client buys at an individual rate until, after some purchase, they leave for good unnoticed.
The model infers both from three numbers for each client, with four parameters for all clients.

Sources: Schmittlein, Morrison, Colombo, "Counting your customers: who are they and what will they
do next?", Management Science 33 (1987), for the idea; Fader, Hardie, Lee, "Counting your customers
the easy way: an alternative to the Pareto/NBD model", Marketing Science 24 (2005), for BG/NBD.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln, hyp2f1, psi

from evergreen.core.models.likelihood import FloatArray, Unfitted, count_equal_rows, maximise

Parameters = Sequence[float] | NDArray[np.float64]

MIN_REPEAT_BUYERS = 50
NEAR_ONE = 1e-6


@dataclass(frozen=True)
class BgNbd:
    """BG/NBD: purchases from a Poisson process, with a probability of leaving after each of them.

    Rates are gamma distributed over clients (shape `r`, rate `alpha`, in days); probabilities of
    leaving are beta distributed (`a`, `b`).

    Attributes
    ----------
    r, alpha, a, b
        The parameters.
    log_likelihood
        At the parameters, times in days.
    clients
        The number of clients it was fitted on.
    """

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float
    clients: int

    def no_purchase_probability(
        self, x: FloatArray, t_x: FloatArray, T: FloatArray, horizon_days: float
    ) -> FloatArray:
        """Probability of no purchase in the next `horizon_days`: float64 (n,).

        It is the ratio of two likelihoods: of the same purchases observed until T + h and until T.
        It is more than the probability that the client has left, since a client who is still there
        may not buy either.

        Parameters
        ----------
        x
            Repeat purchases: days with a purchase, minus one.
        t_x
            Days from the first purchase to the last; 0 if there is only one.
        T
            Days from the first purchase to the day of the prediction.
        """
        later = self._log_likelihoods(x, t_x, T + horizon_days)
        return np.asarray(np.exp(np.minimum(later - self._log_likelihoods(x, t_x, T), 0.0)))

    def expected_purchases(
        self, x: FloatArray, t_x: FloatArray, T: FloatArray, horizon_days: float
    ) -> FloatArray:
        """Expected number of days with a purchase in the next `horizon_days`: float64 (n,).

        Equation 10 of Fader, Hardie and Lee.
        """
        a = _off_poles(self.a, self.r)
        shape, c = self.r + x, a + self.b + x - 1
        w = horizon_days / (self.alpha + T + horizon_days)
        # Euler's transformation gives two forms of the same function. One of them has parameters
        # that stay small even if a client has bought very often, or if all clients leave soon.
        with np.errstate(over="ignore", invalid="ignore"):
            rest = np.where(
                a - 1 > shape,
                (1 - w) ** shape * hyp2f1(shape, self.b + x, c, w),
                (1 - w) ** (a - 1) * hyp2f1(a + self.b - 1 - self.r, a - 1, c, w),
            )
        if_active = np.maximum(c / (a - 1) * (1 - rest), 0.0)
        return np.asarray(if_active * self._active(x, t_x, T), dtype=np.float64)

    def _active(self, x: FloatArray, t_x: FloatArray, T: FloatArray) -> FloatArray:
        """Probability that a client has not left."""
        active, left = _branches((self.r, self.alpha, self.a, self.b), x, t_x, T)
        return np.asarray(np.exp(active - np.logaddexp(active, left)), dtype=np.float64)

    def _log_likelihoods(self, x: FloatArray, t_x: FloatArray, T: FloatArray) -> FloatArray:
        return _log_likelihoods((self.r, self.alpha, self.a, self.b), x, t_x, T)


def _off_poles(a: float, r: float) -> float:
    """Move `a` away from 1 and from integer distances to `r`, where only the limit is finite."""
    if abs(a - 1) <= NEAR_ONE:
        a = 1 + NEAR_ONE
    return a + 2 * NEAR_ONE if abs(a - r - round(a - r)) <= NEAR_ONE else a


def fit_bg_nbd(x: FloatArray, t_x: FloatArray, T: FloatArray) -> BgNbd | Unfitted:
    """Fit the parameters by maximum likelihood, one row for each client.

    Parameters
    ----------
    x, t_x, T
        As in `BgNbd.no_purchase_probability`, shape (n,). With whole days it is fast, because equal
        rows are counted instead of repeated.

    Returns
    -------
    BgNbd or Unfitted
        Unfitted if too few clients have bought again, or no maximum of the likelihood was found.
    """
    repeat_buyers = int((x > 0).sum())
    if repeat_buyers < MIN_REPEAT_BUYERS:
        return Unfitted(
            f"{repeat_buyers} clients have bought on more than one day, "
            f"and at least {MIN_REPEAT_BUYERS} are needed"
        )
    (x, t_x, T), weight = count_equal_rows(x, t_x, T)

    def gradient(parameters: FloatArray) -> tuple[float, FloatArray]:
        value = (weight * _log_likelihoods(parameters, x, t_x, T)).sum()
        return float(value), (weight * _slopes(parameters, x, t_x, T)).sum(axis=1)

    mean_days = float((weight * T).sum() / weight.sum())
    maximum = maximise(gradient, start=(1.0, mean_days, 1.0, 1.0), observations=weight.sum())
    if isinstance(maximum, Unfitted):
        return maximum
    (r, alpha, a, b), log_likelihood = maximum
    return BgNbd(r, alpha, a, b, log_likelihood, int(weight.sum()))


def _branches(
    parameters: Parameters, x: FloatArray, t_x: FloatArray, T: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Log terms of the likelihood: active until T, or left after the last purchase."""
    r, alpha, a, b = parameters
    active = -(r + x) * np.log(alpha + T)
    again = x > 0  # nobody leaves before the first repeat purchase
    after = np.log(a) - np.log(np.where(again, b + x - 1, 1.0)) - (r + x) * np.log(alpha + t_x)
    return active, np.where(again, after, -np.inf)


def _log_likelihoods(
    parameters: Parameters, x: FloatArray, t_x: FloatArray, T: FloatArray
) -> FloatArray:
    r, alpha, a, b = parameters
    active, left = _branches(parameters, x, t_x, T)
    common = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + x) - betaln(a, b)
    return np.asarray(common + np.logaddexp(active, left), dtype=np.float64)


def _slopes(parameters: Parameters, x: FloatArray, t_x: FloatArray, T: FloatArray) -> FloatArray:
    """Derivatives of each client's log likelihood by r, alpha, a and b: float64 (4, n)."""
    r, alpha, a, b = parameters
    active, left = _branches(parameters, x, t_x, T)
    gone = np.exp(left - np.logaddexp(active, left))
    log_time = (1 - gone) * np.log(alpha + T) + gone * np.log(alpha + t_x)
    inverse_time = (1 - gone) / (alpha + T) + gone / (alpha + t_x)
    both = psi(a + b) - psi(a + b + x)
    chance = np.where(x > 0, b + x - 1, 1.0)
    return np.stack(
        [
            psi(r + x) - psi(r) + np.log(alpha) - log_time,
            r / alpha - (r + x) * inverse_time,
            both + gone / a,
            both + psi(b + x) - psi(b) - gone / chance,
        ]
    )
