"""Boosted trees, a linear model and buy-till-you-die expectations, pooled."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
from scipy.special import expit, logit

from evergreen.core.models.base import Estimator, Files
from evergreen.core.models.lightgbm import LightGBM
from evergreen.core.models.linear import Linear
from evergreen.core.models.validation import FloatArray, Matrix
from evergreen.settings.estimators import BlendSettings, ExpectedColumn

WEIGHTS = np.array([0.5, 0.3, 0.2])
"""Of trees, linear model and expectation; chosen on later data of three retailers."""
FLOOR = {"binary": 1e-4, "regression": 1e-2}
"""The smallest prediction of a component, so that none decides alone: of 1, or of the mean."""


class Blend(Estimator):
    """The weighted mean of log odds, or of logarithms of amounts, of up to three components.

    `LightGBM` and `Linear` are fitted and updated on the same rows. The third component, if the
    settings name it, is a column with the expectation of buy-till-you-die models. Their errors
    differ: trees find interactions, but overfit a season seen only once; the linear model
    extrapolates in a straight line; the expectation uses recency, frequency and tenure alone, and
    no labels.

    Sources: Bates, Granger, "The combination of forecasts", Operational Research Quarterly 20
    (1969); Genest, Zidek, "Combining probability distributions", Statistical Science 1 (1986), for
    the logarithmic pool.
    """

    name = "blend"
    settings_class = BlendSettings
    settings: BlendSettings
    _components: tuple[Estimator, Estimator]

    def _fit(self, matrix: Matrix, labels: FloatArray) -> None:
        self._components = self._new_components()
        for component in self._components:
            component._fit(matrix, labels)  # noqa: SLF001 - rows are checked and scaled already

    def _update(self, matrix: Matrix, labels: FloatArray) -> None:
        trees, linear = self._components
        self._components = copy.copy(trees), copy.copy(linear)
        for component in self._components:
            component.updates = self.updates
            component._update(matrix, labels)  # noqa: SLF001 - likewise

    def _predict(self, matrix: Matrix) -> FloatArray:
        predictions = [c._predict(matrix) for c in self._components]  # noqa: SLF001 - likewise
        if self.settings.expected is not None:
            predictions.append(self._expectation(self.settings.expected, matrix))
        weights = WEIGHTS[: len(predictions)] / WEIGHTS[: len(predictions)].sum()
        floor = FLOOR[self.kind]
        if self.kind == "binary":
            scores = [logit(np.clip(values, floor, 1 - floor)) for values in predictions]
            return np.asarray(expit(_mean(weights, scores)), dtype=np.float64)
        return np.exp(_mean(weights, [np.log(np.maximum(v, floor)) for v in predictions]))

    def _expectation(self, expected: ExpectedColumn, matrix: Matrix) -> FloatArray:
        values = matrix[:, self.columns.index(expected.column)]
        line = expected.offset + expected.slope * values
        return np.where(np.isnan(values), expected.where_unknown, line) / self._scale

    def _to_files(self) -> Files:
        trees, linear = self._components
        return trees._to_files() | linear._to_files()  # noqa: SLF001 - their names differ

    def _restore(self, files: Mapping[str, bytes]) -> None:
        self._components = self._new_components()
        for component in self._components:
            component.updates = self.updates
            component._restore(files)  # noqa: SLF001 - each reads its own files

    def _new_components(self) -> tuple[Estimator, Estimator]:
        return (
            LightGBM(self.kind, self.settings.lightgbm, seed=self.seed, threads=self.threads),
            Linear(self.kind, self.settings.linear, seed=self.seed, threads=self.threads),
        )


def _mean(weights: FloatArray, scores: list[FloatArray]) -> FloatArray:
    """Weighted mean, added up in a fixed order: the same bits for one row as for many."""
    total = np.zeros_like(scores[0])
    for weight, score in zip(weights, scores, strict=True):
        total += weight * score
    return total
