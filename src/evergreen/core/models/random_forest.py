"""A random forest, updated by more trees grown on the rows of the update."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import Any, Self

import joblib
import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from evergreen.core.models.base import Estimator, Files
from evergreen.core.models.validation import FloatArray
from evergreen.settings.estimators import RandomForestSettings

FILE = "model.joblib"
UPDATE = "update-{:05}.joblib"


@dataclass(frozen=True)
class PickledForest:
    """A fitted forest, as the bytes of its joblib file.

    A forest is pickled once, right after fitting. Pickling it again after unpickling gives other
    bytes: the memory between the fields of a tree's nodes is zero in a new tree and arbitrary in
    an unpickled one, and it depends on their origin whether two equal strings are one object.
    """

    data: bytes

    @classmethod
    def of(cls, forest: object) -> Self:
        """Pickle a forest that was just fitted."""
        buffer = BytesIO()
        joblib.dump(forest, buffer)
        return cls(buffer.getvalue())

    @cached_property
    def forest(self) -> Any:  # noqa: ANN401 - scikit-learn has no types
        """The forest. Unpickling runs code, so the bytes must come from a checked file."""
        return joblib.load(BytesIO(self.data))


class RandomForest(Estimator):
    """scikit-learn's random forest: the mean of its trees' shares, or of their mean amounts.

    The trees of an update are a forest of their own, and every tree has one vote. ``warm_start``
    does the same, but fails on a day of one class: the old trees' other class is unknown then.

    Source: Breiman, "Random Forests", Machine Learning 45 (2001).
    """

    name = "random_forest"
    settings_class = RandomForestSettings
    settings: RandomForestSettings
    _parts: tuple[PickledForest, ...]

    def _fit(self, matrix: FloatArray, labels: FloatArray) -> None:
        self._parts = (self._grow(self.settings.trees, matrix, labels),)

    def _update(self, matrix: FloatArray, labels: FloatArray) -> None:
        self._parts = (*self._parts, self._grow(self.settings.update_trees, matrix, labels))

    def _predict(self, matrix: FloatArray) -> FloatArray:
        forests = [part.forest for part in self._parts]
        total = np.zeros(len(matrix))
        for forest in forests:
            binary = self.kind == "binary"
            mean = forest.predict_proba(matrix)[:, 1] if binary else forest.predict(matrix)
            total += forest.n_estimators * mean
        return np.asarray(total / sum(forest.n_estimators for forest in forests), dtype=np.float64)

    def _to_files(self) -> Files:
        first, *updates = (part.data for part in self._parts)
        return {FILE: first} | {UPDATE.format(k): data for k, data in enumerate(updates, 1)}

    def _restore(self, files: Mapping[str, bytes]) -> None:
        updates = sorted(name for name in files if name.startswith("update-"))
        self._parts = tuple(PickledForest(files[name]) for name in (FILE, *updates))

    def _grow(self, trees: int, matrix: FloatArray, labels: FloatArray) -> PickledForest:
        settings = self.settings
        forest_class = RandomForestClassifier if self.kind == "binary" else RandomForestRegressor
        forest = forest_class(
            n_estimators=trees,
            max_depth=settings.max_depth,
            min_samples_leaf=settings.min_samples_leaf,
            max_features=settings.max_features,
            n_jobs=self.threads,
            random_state=(self.seed + self.updates) % 2**32,
        ).fit(matrix, labels)
        # Threads add up the trees in the order in which they finish: the last bits would differ.
        forest.n_jobs = 1
        return PickledForest.of(forest)
