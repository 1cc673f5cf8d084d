"""The one face of every estimator: fit, update, predict, save and load."""

from __future__ import annotations

import copy
import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from evergreen.core.models.validation import column_names, read_labels, read_matrix
from evergreen.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from evergreen.core.models.validation import FloatArray, Labels
    from evergreen.settings.estimators import OneEstimatorSettings
    from evergreen.settings.names import Kind

STATE = "estimator.json"


class Estimator(ABC):
    """Learns one target from a table of numeric columns in which NaN stands for missing.

    What holds for all of them is here: columns are taken by name, labels are checked, amounts are
    divided by their mean so that settings mean the same in cents and in euros, and labels that
    are all the same make a constant. A subclass learns and predicts on clean matrices.

    Equal inputs and an equal seed give equal files, whatever the number of threads.

    Parameters
    ----------
    kind : {"binary", "regression"}
        ``binary`` predicts the probability of 1; ``regression`` the conditional mean of an amount
        that is never negative, often zero and sometimes huge.
    settings
        Of the class in `settings_class`.
    seed : int
        The only source of randomness.
    threads : int
        For training; predictions are the same with any number.

    Attributes
    ----------
    columns : tuple of str
        The columns that it was fitted on; empty before `fit`.
    updates : int
        How many updates have changed it since `fit`.
    """

    name: ClassVar[str]
    settings_class: ClassVar[type[OneEstimatorSettings]]

    def __init__(
        self, kind: Kind, settings: OneEstimatorSettings, *, seed: int = 0, threads: int = 1
    ) -> None:
        self.kind: Kind = kind
        self.settings = settings
        self.seed = seed
        self.threads = threads
        self.columns: tuple[str, ...] = ()
        self.updates = 0
        self._constant: float | None = None
        self._scale = 1.0

    def fit(self, X: pd.DataFrame, y: Labels) -> Self:
        """Learn from scratch, forgetting whatever was learned before.

        Parameters
        ----------
        X : DataFrame (n, k)
            Numeric columns with distinct names; remembered for `update` and `predict`.
        y : array or Series (n,)
            Labels by position: 0 or 1, or amounts of at least 0. If they are all 0 or all 1, the
            model is a constant: Laplace's (ones + 1) / (n + 2), or an amount of 0.

        Raises
        ------
        ValueError
            If there is no row, or X or y are not as described.
        """
        columns = column_names(X)
        matrix, labels = self._read(X, y, columns)
        if not len(labels):
            raise ValueError("fit expects at least one row with its label, found none")
        self.columns, self.updates = columns, 0
        self._start(matrix, labels)
        return self

    def update(
        self,
        X_new: pd.DataFrame,
        y_new: Labels,
        X_replay: pd.DataFrame | None = None,
        y_replay: Labels | None = None,
    ) -> Self:
        """Make a new estimator that has also learned from new rows; this one stays as it is.

        Parameters
        ----------
        X_new, y_new
            Rows not learned from so far, as in `fit`.
        X_replay, y_replay
            Older rows to be learned from again along with them.

        Returns
        -------
        Estimator
            An equal one, with the same count of `updates`, if there is no new row, or if new and
            replayed labels together are all 0 or all 1: that is no ground to tell clients apart.

        Raises
        ------
        FeatureMismatchError
            If the columns are not those of `fit`.
        ValueError
            If X or y are not as described in `fit`.
        """
        self._check_fitted()
        if (X_replay is None) != (y_replay is None):
            raise ValueError("X_replay and y_replay are expected together, found one of them")
        matrix, labels = self._read(X_new, y_new, self.columns)
        child = copy.copy(self)
        if not len(labels):
            return child
        if X_replay is not None and y_replay is not None:
            older, older_labels = self._read(X_replay, y_replay, self.columns)
            matrix = np.concatenate([matrix, older])
            labels = np.concatenate([labels, older_labels])
        if self._is_degenerate(labels):
            return child
        child.updates += 1
        if self._constant is not None:
            child._start(matrix, labels)  # noqa: SLF001 - a copy of this very object
        else:
            child._update(matrix, labels / self._scale)  # noqa: SLF001 - likewise
        return child

    def predict(self, X: pd.DataFrame) -> FloatArray:
        """Predict a probability in [0, 1], or an amount of at least 0: float64 (n,).

        Raises
        ------
        FeatureMismatchError
            If the columns are not those of `fit`.
        ValueError
            If a column is not numeric or holds infinity.
        """
        self._check_fitted()
        return self.predict_matrix(read_matrix(X, self.columns, model=self.name))

    def predict_matrix(self, matrix: FloatArray) -> FloatArray:
        """Predict, as `predict`, from what `read_matrix` made: float64 (n, k), in our order."""
        if self._constant is not None:
            return np.full(len(matrix), self._constant)
        if not len(matrix):
            return np.empty(0)
        predicted = self._predict(matrix)
        return np.clip(predicted, 0.0, 1.0 if self.kind == "binary" else None) * self._scale

    def save(self, folder: Path) -> None:
        """Write ``estimator.json`` and the file of the model into the folder."""
        self._check_fitted()
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            "name": self.name,
            "kind": self.kind,
            "columns": self.columns,
            "settings": self.settings.model_dump(mode="json"),
            "seed": self.seed,
            "updates": self.updates,
            "constant": self._constant,
            "scale": self._scale,
        }
        text = json.dumps(state, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
        (folder / STATE).write_text(text + "\n", encoding="utf-8")
        if self._constant is None:
            self._write(folder)

    @classmethod
    def load(cls, folder: Path, *, threads: int = 1) -> Self:
        """Read what `save` has written; it predicts exactly the same.

        Only from folders whose digests were checked: the scikit-learn models are pickles.

        Raises
        ------
        ModelError
            If the folder holds another estimator.
        """
        state: dict[str, Any] = json.loads((folder / STATE).read_text(encoding="utf-8"))
        if state["name"] != cls.name:
            raise ModelError(f"{folder} is expected to hold {cls.name}, found {state['name']}")
        settings = cls.settings_class.model_validate(state["settings"])
        loaded = cls(state["kind"], settings, seed=state["seed"], threads=threads)
        loaded.columns = tuple(state["columns"])
        loaded.updates = state["updates"]
        loaded._constant = state["constant"]
        loaded._scale = state["scale"]
        if loaded._constant is None:
            loaded._restore(folder)
        return loaded

    @abstractmethod
    def _fit(self, matrix: FloatArray, labels: FloatArray) -> None:
        """Learn from labels of both classes, or from amounts with a mean of 1."""

    @abstractmethod
    def _update(self, matrix: FloatArray, labels: FloatArray) -> None:
        """Learn further; called on a shallow copy, so attributes are replaced, never changed."""

    @abstractmethod
    def _predict(self, matrix: FloatArray) -> FloatArray:
        """Predict for at least one row."""

    @abstractmethod
    def _write(self, folder: Path) -> None:
        """Write the model's own file."""

    @abstractmethod
    def _restore(self, folder: Path) -> None:
        """Read the model's own file."""

    def _start(self, matrix: FloatArray, labels: FloatArray) -> None:
        self._constant, self._scale = None, 1.0
        if self._is_degenerate(labels):
            share = (float(labels.sum()) + 1) / (len(labels) + 2)
            self._constant = share if self.kind == "binary" else 0.0
            return
        if self.kind == "regression":
            self._scale = float(labels.mean())
        self._fit(matrix, labels / self._scale)

    def _is_degenerate(self, labels: FloatArray) -> bool:
        return not labels.any() or (self.kind == "binary" and bool(labels.all()))

    def _read(
        self, X: pd.DataFrame, y: Labels, columns: tuple[str, ...]
    ) -> tuple[FloatArray, FloatArray]:
        matrix = read_matrix(X, columns, model=self.name)
        return matrix, read_labels(y, rows=len(matrix), kind=self.kind)

    def _check_fitted(self) -> None:
        if not self.columns:
            raise ModelError(f"{self.name} has not been fitted", "call fit(X, y) first")
