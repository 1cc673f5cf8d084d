"""Maximum likelihood with positive parameters, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

FloatArray = NDArray[np.float64]

FARTHEST = np.log(1e3)
STEPS = 500
FLAT = 1e-5


@dataclass(frozen=True)
class Unfitted:
    """Takes the place of a model that could not be fitted.

    Attributes
    ----------
    reason
        Completes the message "not fitted: ".
    """

    reason: str


def count_equal_rows(*columns: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the distinct rows of columns (k, m), in order, and the count of each (m,)."""
    distinct, counts = np.unique(np.stack(columns), axis=1, return_counts=True)
    return distinct, counts.astype(np.float64)


def maximise(
    gradient: Callable[[FloatArray], tuple[float, FloatArray]],
    *,
    start: tuple[float, ...],
    observations: float,
) -> tuple[tuple[float, ...], float] | Unfitted:
    """Find the positive parameters that maximise a log likelihood.

    The search is over their logarithms, so that no parameter becomes negative, and within a factor
    of 1,000 of the start: some likelihoods keep rising, ever more slowly, towards a simpler model.

    Parameters
    ----------
    gradient
        Maps parameters (k,) to the log likelihood of all observations and its derivatives (k,).
    start
        The first parameters.
    observations
        The number of observations, so that the precision does not depend on it.

    Returns
    -------
    (parameters, log likelihood) or Unfitted
    """
    origin = np.log(start)

    def objective(logs: FloatArray) -> tuple[float, FloatArray]:
        parameters = np.exp(logs)
        value, slopes = gradient(parameters)
        return -value / observations, -slopes * parameters / observations

    with np.errstate(over="ignore", invalid="ignore"):
        result = minimize(
            objective,
            origin,
            jac=True,
            method="L-BFGS-B",
            bounds=[(log - FARTHEST, log + FARTHEST) for log in origin],
            options={"maxiter": STEPS, "ftol": 1e-11, "gtol": 1e-7},
        )
    # On a flat likelihood, rounding can keep the search from noticing that it has converged.
    converged = result.success or np.abs(result.jac).max() < FLAT
    if not (converged and np.isfinite(result.fun) and np.isfinite(result.x).all()):
        return Unfitted(f"no maximum of the likelihood was found ({result.message})")
    parameters = tuple(float(value) for value in np.exp(result.x))
    return parameters, float(-result.fun * observations)
