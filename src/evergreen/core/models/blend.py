"""Boosted trees, a linear model and what clients who buy till they die would do, pooled."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logit

from evergreen.core.models.base import Estimator
from evergreen.core.models.lightgbm import LightGBM
from evergreen.core.models.linear import Linear
from evergreen.settings.estimators import BlendSettings

if TYPE_CHECKING:
    from pathlib import Path

    from evergreen.core.models.validation import FloatArray
    from evergreen.settings.estimators import ExpectedColumn

WEIGHTS = np.array([0.5, 0.3, 0.2])
"""Of trees, linear model and expectation: chosen out of time on three retailers, for all alike."""
FLOOR = {"binary": 1e-4, "regression": 1e-2}
"""The least that a member may say, so that none decides alone: of 1, or of the mean amount."""


class Blend(Estimator):
    """The weighted mean of log odds, or of logarithms of amounts, that three members predict.

    `LightGBM` and `Linear` are fitted and updated on the same rows; the third, where the settings
    name it, is a column that holds an expectation already, of buy-till-you-die models. Their errors
    differ: trees find interactions, and take a season that was seen once for a law; the linear
    model goes on in a straight line; the expectation knows nothing but recency, frequency and
    tenure, and has not learned from labels at all.

    Sources: Bates, Granger, "The combination of forecasts", Operational Research Quarterly 20
    (1969); Genest, Zidek, "Combining probability distributions", Statistical Science 1 (1986), for
    the logarithmic pool.
    """

    name = "blend"
    settings_class = BlendSettings
    settings: BlendSettings
    _members: tuple[Estimator, ...]

    def _fit(self, matrix: FloatArray, labels: FloatArray) -> None:
        self._members = self._built()
        for member in self._members:
            member._fit(matrix, labels)  # noqa: SLF001 - rows are checked and scaled already

    def _update(self, matrix: FloatArray, labels: FloatArray) -> None:
        self._members = tuple(copy.copy(member) for member in self._members)
        for member in self._members:
            member.updates = self.updates
            member._update(matrix, labels)  # noqa: SLF001 - likewise

    def _predict(self, matrix: FloatArray) -> FloatArray:
        said = [member._predict(matrix) for member in self._members]  # noqa: SLF001 - likewise
        if self.settings.expected is not None:
            said.append(self._expectation(self.settings.expected, matrix))
        weights = WEIGHTS[: len(said)] / WEIGHTS[: len(said)].sum()
        floor = FLOOR[self.kind]
        if self.kind == "binary":
            scores = [logit(np.clip(one, floor, 1 - floor)) for one in said]
            return np.asarray(expit(_mean(weights, scores)), dtype=np.float64)
        return np.exp(_mean(weights, [np.log(np.maximum(one, floor)) for one in said]))

    def _expectation(self, expected: ExpectedColumn, matrix: FloatArray) -> FloatArray:
        found = matrix[:, self.columns.index(expected.column)]
        line = expected.offset + expected.slope * found
        return np.where(np.isnan(found), expected.where_unknown, line) / self._scale

    def _write(self, folder: Path) -> None:
        for member in self._members:
            member._write(folder)  # noqa: SLF001 - their files have different names

    def _restore(self, folder: Path) -> None:
        self._members = self._built()
        for member in self._members:
            member.updates = self.updates
            member._restore(folder)  # noqa: SLF001 - likewise

    def _built(self) -> tuple[Estimator, ...]:
        return (
            LightGBM(self.kind, self.settings.lightgbm, seed=self.seed, threads=self.threads),
            Linear(self.kind, self.settings.linear, seed=self.seed, threads=self.threads),
        )


def _mean(weights: FloatArray, scores: list[FloatArray]) -> FloatArray:
    """Summed one by one: the same bits for one row as for many."""
    total = np.zeros_like(scores[0])
    for weight, score in zip(weights, scores, strict=True):
        total += weight * score
    return total
