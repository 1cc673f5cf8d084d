"""Gamma-Gamma: a client's spend on a day with a purchase, shrunk towards the average client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln, psi

from evergreen.core.events.loss_scale import shared_maximum
from evergreen.core.models.likelihood import Unfitted, count_equal_rows, maximise

if TYPE_CHECKING:
    from evergreen.core.models.likelihood import FloatArray

MIN_SPENDERS = 50
WILD = 10.0
"""A mean spend counts up to this many times the tenth-largest."""


@dataclass(frozen=True)
class GammaGamma:
    """Spend is gamma distributed around an individual mean, which is gamma distributed itself.

    It does not depend on how often a client buys. The spend z on one day is Gamma(p, rate nu), and
    nu is Gamma(q, rate `gamma`) over clients, with q above 1, so that the mean exists.

    Source: Fader, Hardie, "The Gamma-Gamma model of monetary value" (2013),
    http://www.brucehardie.com/notes/025/.

    Attributes
    ----------
    p, q, gamma
        The parameters; gamma has the unit of the spend.
    log_likelihood
        At the parameters.
    clients
        The number of clients it was fitted on.
    largest
        A mean spend counts up to this amount, so that no client decides for all others and a wild
        amount has no wild expectation. None, in models of earlier versions: without a limit.
    """

    p: float
    q: float
    gamma: float
    log_likelihood: float
    clients: int
    largest: float | None = None

    def expected_mean(self, days: FloatArray, mean: FloatArray) -> FloatArray:
        """Expected spend on another day with a purchase: float64 (n,).

        Parameters
        ----------
        days
            Days with a purchase, at least 1.
        mean
            Mean spend on these days; negative values count as 0.
        """
        seen = days * np.clip(mean, 0.0, self.largest)
        return np.asarray(self.p * (self.gamma + seen) / (self.p * days + self.q - 1))


def fit_gamma_gamma(days: FloatArray, mean: FloatArray) -> GammaGamma | Unfitted:
    """Fit the parameters by maximum likelihood, one row for each client.

    Parameters
    ----------
    days, mean
        As in `GammaGamma.expected_mean`, shape (n,). Clients whose mean is not positive are left
        out.

    Returns
    -------
    GammaGamma or Unfitted
        Unfitted if too few clients have spent on more than one day, which separates the variance
        within clients from that between clients, or no maximum of the likelihood was found.
    """
    spent = mean > 0
    spenders = int((spent & (days > 1)).sum())
    if spenders < MIN_SPENDERS:
        return Unfitted(
            f"{spenders} clients have spent something on more than one day, "
            f"and at least {MIN_SPENDERS} are needed"
        )
    largest = WILD * shared_maximum(mean)
    (days, mean), weight = count_equal_rows(days[spent], np.minimum(mean[spent], largest))
    unit = float((weight * mean).sum() / weight.sum())
    mean = mean / unit

    def gradient(parameters: FloatArray) -> tuple[float, FloatArray]:
        value = (weight * _log_likelihoods(parameters, days, mean)).sum()
        return float(value), (weight * _slopes(parameters, days, mean)).sum(axis=1)

    maximum = maximise(gradient, start=(1.0, 1.0, 1.0), observations=weight.sum())
    if isinstance(maximum, Unfitted):
        return maximum
    (p, q_above_1, gamma), log_likelihood = maximum
    in_units = log_likelihood - float(weight.sum()) * np.log(unit)
    return GammaGamma(p, 1 + q_above_1, gamma * unit, float(in_units), int(weight.sum()), largest)


def _log_likelihoods(parameters: FloatArray, days: FloatArray, mean: FloatArray) -> FloatArray:
    """For parameters p, q - 1 and gamma."""
    p, q, gamma = parameters[0], 1 + parameters[1], parameters[2]
    shape = p * days
    return np.asarray(
        gammaln(shape + q)
        - gammaln(shape)
        - gammaln(q)
        + q * np.log(gamma)
        + (shape - 1) * np.log(mean)
        + shape * np.log(days)
        - (shape + q) * np.log(gamma + days * mean)
    )


def _slopes(parameters: FloatArray, days: FloatArray, mean: FloatArray) -> FloatArray:
    """Derivatives of each client's log likelihood by p, q and gamma: float64 (3, n)."""
    p, q, gamma = parameters[0], 1 + parameters[1], parameters[2]
    shape, total = p * days, gamma + days * mean
    return np.stack(
        [
            days * (psi(shape + q) - psi(shape) + np.log(days * mean / total)),
            psi(shape + q) - psi(q) + np.log(gamma / total),
            q / gamma - (shape + q) / total,
        ]
    )
