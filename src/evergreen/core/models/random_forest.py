"""A random forest, updated by further trees grown on the rows of the update."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from evergreen.core.models import pickles
from evergreen.core.models.base import Estimator
from evergreen.core.models.pickles import Pickled
from evergreen.settings.estimators import RandomForestSettings

if TYPE_CHECKING:
    from pathlib import Path

    from evergreen.core.models.validation import FloatArray


class RandomForest(Estimator):
    """scikit-learn's random forest: the mean of its trees' shares, or of their mean amounts.

    The trees of an update are a forest of their own, and every tree has one vote. That is what
    ``warm_start`` does, without its trap: there a day of one class makes the old trees' other
    class unknown.

    Source: Breiman, "Random Forests", Machine Learning 45 (2001).
    """

    name = "random_forest"
    settings_class = RandomForestSettings
    settings: RandomForestSettings
    _parts: tuple[Pickled, ...]

    def _fit(self, matrix: FloatArray, labels: FloatArray) -> None:
        self._parts = (self._grown(self.settings.trees, matrix, labels),)

    def _update(self, matrix: FloatArray, labels: FloatArray) -> None:
        further = self._grown(self.settings.update_trees, matrix, labels)
        self._parts = (*self._parts, further)

    def _predict(self, matrix: FloatArray) -> FloatArray:
        forests = [part.model for part in self._parts]
        total = np.zeros(len(matrix))
        for forest in forests:
            binary = self.kind == "binary"
            mean = forest.predict_proba(matrix)[:, 1] if binary else forest.predict(matrix)
            total += forest.n_estimators * mean
        return np.asarray(total / sum(forest.n_estimators for forest in forests), dtype=np.float64)

    def _write(self, folder: Path) -> None:
        pickles.write(self._parts, folder)

    def _restore(self, folder: Path) -> None:
        self._parts = pickles.read(folder)

    def _grown(self, trees: int, matrix: FloatArray, labels: FloatArray) -> Pickled:
        chosen = self.settings
        kind = RandomForestClassifier if self.kind == "binary" else RandomForestRegressor
        forest = kind(
            n_estimators=trees,
            max_depth=chosen.max_depth,
            min_samples_leaf=chosen.min_samples_leaf,
            max_features=chosen.max_features,
            n_jobs=self.threads,
            random_state=(self.seed + self.updates) % 2**32,
        ).fit(matrix, labels)
        # threads add up the trees in the order in which they finish: the last bits would differ
        forest.n_jobs = 1
        return Pickled.of(forest)
