"""Maximum likelihood with positive parameters, or a reason in words why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

if TYPE_CHECKING:
    from collections.abc import Callable

FloatArray = NDArray[np.float64]

FARTHEST = np.log(1e3)
STEPS = 500
FLAT = 1e-5


@dataclass(frozen=True)
class Unfitted:
    """What stands for a model that could not be fitted.

    Attributes
    ----------
    reason
        In words, to follow "not fitted: ".
    """

    reason: str


def count_equal_rows(*columns: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The distinct rows of some columns (k, m), in order, and how often each is there (m,)."""
    distinct, counts = np.unique(np.stack(columns), axis=1, return_counts=True)
    return distinct, counts.astype(np.float64)


def maximise(
    gradient: Callable[[FloatArray], tuple[float, FloatArray]],
    *,
    start: tuple[float, ...],
    observations: float,
) -> tuple[tuple[float, ...], float] | Unfitted:
    """Find the positive parameters at which a log likelihood is largest.

    Its logarithms are looked for, so that no parameter can become negative, within a factor of
    1,000 of the start: some likelihoods rise for ever, ever more slowly, towards a simpler model.

    Parameters
    ----------
    gradient
        From parameters (k,) to the log likelihood of all observations and its derivatives (k,).
    start
        Where to begin.
    observations
        Their number, so that the precision does not depend on it.

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
        found = minimize(
            objective,
            origin,
            jac=True,
            method="L-BFGS-B",
            bounds=[(log - FARTHEST, log + FARTHEST) for log in origin],
            options={"maxiter": STEPS, "ftol": 1e-11, "gtol": 1e-7},
        )
    # Where it is as good as flat, rounding can keep a search from noticing that it is at its end.
    at_its_end = found.success or np.abs(found.jac).max() < FLAT
    if not (at_its_end and np.isfinite(found.fun) and np.isfinite(found.x).all()):
        return Unfitted(f"the likelihood has no maximum that could be found ({found.message})")
    parameters = tuple(float(value) for value in np.exp(found.x))
    return parameters, float(-found.fun * observations)
