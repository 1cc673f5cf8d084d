"""Scaling of columns for a linear model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from evergreen.core.models.validation import FloatArray, Matrix

SKEWED = 1.0
FARTHEST = 4.0
BLOCK = 8192
"""Rows that are scaled at a time, so that no copies of a whole matrix are made."""


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
    def of(cls, matrix: Matrix) -> Self:
        """Measure the columns (n, k) of the training rows, one after another."""
        logged, medians, means, deviations = [], [], [], []
        for k in range(matrix.shape[1]):
            values = matrix[:, k].astype(np.float64)
            seen = values[~np.isnan(values)]
            logged.append(_skewness(seen) > SKEWED)
            if logged[-1]:
                values, seen = _signed_log(values), _signed_log(seen)
            medians.append(float(np.median(seen)) if len(seen) else 0.0)
            values = np.where(np.isnan(values), medians[-1], values)
            means.append(values.mean())
            deviations.append(values.std())
        mean, deviation = np.array(means), np.array(deviations)
        return cls(
            np.array(logged),
            np.array(medians),
            mean,
            np.where(_varies(deviation, mean), deviation, 1.0),
        )

    def apply(self, matrix: Matrix) -> FloatArray:
        """Scale rows (n, k): float64 (n, k) without NaN."""
        scaled = np.empty(matrix.shape)
        for start in range(0, len(matrix), BLOCK):
            values = matrix[start : start + BLOCK].astype(np.float64, order="C")
            values[:, self.logged] = _signed_log(values[:, self.logged])
            values = np.where(np.isnan(values), self.median, values)
            values = (values - self.mean) / self.deviation
            np.clip(values, -FARTHEST, FARTHEST, out=scaled[start : start + BLOCK])
        return scaled

    def as_lists(self) -> dict[str, list[Any]]:
        """The input of `from_lists`, ready for JSON."""
        return {name: values.tolist() for name, values in asdict(self).items()}

    @classmethod
    def from_lists(cls, lists: dict[str, list[Any]]) -> Self:
        """Restore a scaling from `as_lists`."""
        return cls(**{name: np.array(values) for name, values in lists.items()})


def _signed_log(values: FloatArray) -> FloatArray:
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))


def _skewness(values: FloatArray) -> float:
    """Absolute skewness of a column without NaN (n,); 0 for a constant column."""
    if not len(values):
        return 0.0
    mean = values.mean()
    apart = values - mean
    deviation = np.sqrt((apart**2).mean())
    if not _varies(deviation, mean):
        return 0.0
    return float(abs(((apart / deviation) ** 3).mean()))


def _varies(deviation: FloatArray, mean: FloatArray) -> NDArray[np.bool_]:
    # Rounding errors of a constant column are no variation.
    return np.asarray(deviation > np.maximum(1e-9 * np.abs(mean), 1e-30))
