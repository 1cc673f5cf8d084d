"""Scaling of columns for a linear model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from evergreen.core.models.validation import FloatArray

SKEWED = 1.0
FARTHEST = 4.0


@dataclass(frozen=True)
class Scaling:
    """Signed log of skewed columns, the median for missing values, mean 0 and deviation 1.

    Values more than `FARTHEST` deviations away are clipped, so that no single client can distort a
    weight or get an extreme prediction.

    Attributes
    ----------
    logged : bool (k,)
        Columns of which sign(x) log(1 + abs(x)) is taken: their skewness is above `SKEWED`.
    median, mean, deviation : float64 (k,)
        Of the training rows after the logarithm; constant columns have deviation 1.
    """

    logged: NDArray[np.bool_]
    median: FloatArray
    mean: FloatArray
    deviation: FloatArray

    @classmethod
    def of(cls, matrix: FloatArray) -> Self:
        """Measure the columns (n, k) of the training rows."""
        logged = _skewness(matrix) > SKEWED
        values = _signed_log(matrix, logged)
        median = np.array([_median(column) for column in values.T])
        values = np.where(np.isnan(values), median, values)
        mean, deviation = values.mean(axis=0), values.std(axis=0)
        return cls(logged, median, mean, np.where(_varies(deviation, mean), deviation, 1.0))

    def apply(self, matrix: FloatArray) -> FloatArray:
        """Scale rows (n, k): float64 (n, k) without NaN."""
        values = _signed_log(matrix, self.logged)
        values = np.where(np.isnan(values), self.median, values)
        return np.clip((values - self.mean) / self.deviation, -FARTHEST, FARTHEST)

    def as_lists(self) -> dict[str, list[Any]]:
        """The input of `from_lists`, ready for JSON."""
        return {name: values.tolist() for name, values in asdict(self).items()}

    @classmethod
    def from_lists(cls, lists: dict[str, list[Any]]) -> Self:
        """Restore a scaling from `as_lists`."""
        return cls(**{name: np.array(values) for name, values in lists.items()})


def _signed_log(matrix: FloatArray, logged: NDArray[np.bool_]) -> FloatArray:
    values = matrix.copy()
    values[:, logged] = np.sign(values[:, logged]) * np.log1p(np.abs(values[:, logged]))
    return values


def _skewness(matrix: FloatArray) -> FloatArray:
    """Absolute skewness of each column without NaN; 0 for a constant column."""
    seen = ~np.isnan(matrix)
    count = np.maximum(seen.sum(axis=0), 1)
    mean = np.where(seen, matrix, 0.0).sum(axis=0) / count
    apart = np.where(seen, matrix - mean, 0.0)
    deviation = np.sqrt((apart**2).sum(axis=0) / count)
    varies = _varies(deviation, mean)
    cubes = (apart / np.where(varies, deviation, 1.0)) ** 3
    return np.where(varies, np.abs(cubes.sum(axis=0)) / count, 0.0)


def _varies(deviation: FloatArray, mean: FloatArray) -> NDArray[np.bool_]:
    # Rounding errors of a constant column are no variation.
    return deviation > np.maximum(1e-9 * np.abs(mean), 1e-30)


def _median(column: FloatArray) -> float:
    seen = column[~np.isnan(column)]
    return float(np.median(seen)) if len(seen) else 0.0
