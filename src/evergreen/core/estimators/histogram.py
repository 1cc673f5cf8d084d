"""Boosted trees by scikit-learn, updated by small models added to the raw score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from evergreen.core.estimators import newton, pickles
from evergreen.core.estimators.base import Estimator
from evergreen.core.estimators.pickles import Pickled
from evergreen.core.estimators.settings import HistGradientBoostingSettings

if TYPE_CHECKING:
    from pathlib import Path

    from evergreen.core.estimators.columns import FloatArray

TINY = 1e-300


class HistGradientBoosting(Estimator):
    """Histogram boosting with log loss, or Poisson loss for amounts.

    Its own warm start is for more rounds on the same rows: given other rows it bins them anew and
    reads the bins of the old trees wrongly. So an update leaves the trees alone. It takes one
    Newton step from the present raw score on the rows of the update: a shift of the level and a
    few small trees fitted to the residual over the curvature, weighted by the curvature.

    Source: the documentation of ``warm_start``, which allows the same rows only.
    """

    name = "hist_gradient_boosting"
    settings_class = HistGradientBoostingSettings
    settings: HistGradientBoostingSettings
    _parts: tuple[Pickled, ...]  # the model of the full fit, then a (level, model) per update

    def _fit(self, matrix: FloatArray, labels: FloatArray) -> None:
        if self.kind == "binary":
            model = HistGradientBoostingClassifier(**self._options())
        else:
            model = HistGradientBoostingRegressor(loss="poisson", **self._options())
        self._parts = (Pickled.of(self._fitted(model, matrix, labels)),)

    def _update(self, matrix: FloatArray, labels: FloatArray) -> None:
        step = newton.step(self._raw_score(matrix), labels, self.kind)
        level = step.level(self.settings.update_level_penalty)
        options = self._options() | {
            "max_iter": self.settings.update_rounds,
            "learning_rate": self.settings.update_learning_rate,
        }
        centred = step.response - np.average(step.response, weights=step.weight)
        trees = HistGradientBoostingRegressor(**options)
        self._fitted(trees, matrix, centred, step.weight)
        self._parts = (*self._parts, Pickled.of((level, trees)))

    def _predict(self, matrix: FloatArray) -> FloatArray:
        score = self._raw_score(matrix)
        predicted = expit(score) if self.kind == "binary" else np.exp(score)
        return np.asarray(predicted, dtype=np.float64)

    def _write(self, folder: Path) -> None:
        pickles.write(self._parts, folder)

    def _restore(self, folder: Path) -> None:
        self._parts = pickles.read(folder)

    def _raw_score(self, matrix: FloatArray) -> FloatArray:
        first, *corrections = (part.model for part in self._parts)
        if self.kind == "binary":
            score = first.decision_function(matrix)
        else:
            score = np.log(np.maximum(first.predict(matrix), TINY))
        for level, trees in corrections:
            score = score + level + trees.predict(matrix)
        return np.asarray(score, dtype=np.float64)

    def _options(self) -> dict[str, Any]:
        chosen = self.settings
        return {
            "max_iter": chosen.rounds,
            "learning_rate": chosen.learning_rate,
            "max_leaf_nodes": chosen.num_leaves,
            "min_samples_leaf": chosen.min_child_samples,
            "max_features": chosen.feature_fraction,
            "l2_regularization": chosen.l2_regularization,
            "early_stopping": False,
            "random_state": (self.seed + self.updates) % 2**31,
        }

    def _fitted(
        self,
        model: Any,  # noqa: ANN401 - scikit-learn has no types
        matrix: FloatArray,
        labels: FloatArray,
        weights: FloatArray | None = None,
    ) -> Any:  # noqa: ANN401
        # a column that was never seen can't be binned; as a constant it is never split on
        never = np.isnan(matrix).all(axis=0)
        with threadpool_limits(self.threads, user_api="openmp"):
            model.fit(np.where(never, 0.0, matrix), labels, sample_weight=weights)
        # only read while binning for a fit, and different on another machine
        model._bin_mapper.n_threads = None  # noqa: SLF001
        return model
