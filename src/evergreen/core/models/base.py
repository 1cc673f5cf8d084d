"""The interface of every estimator: fit, update, predict, and conversion to and from files."""

from __future__ import annotations

import copy
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from evergreen.core.models.validation import (
    FloatArray,
    Labels,
    Matrix,
    column_names,
    read_labels,
    read_matrix,
)
from evergreen.errors import ModelError
from evergreen.settings.estimators import OneEstimatorSettings
from evergreen.settings.names import Kind

if TYPE_CHECKING:
    import pandas as pd


STATE = "estimator.json"
Files = dict[str, bytes]
"""Content of files by name; `evergreen.store.models` writes and reads them."""


class Estimator(ABC):
    """Learns one target from a table of numeric columns, in which NaN means missing.

    This class does what all estimators have in common: it takes columns by name, checks labels,
    divides amounts by their mean so that settings mean the same in cents and in euros, and predicts
    a constant if all labels are the same. Subclasses fit and predict on clean matrices.

    Equal inputs and an equal seed give equal files, whatever the number of threads.

    Parameters
    ----------
    kind : {"binary", "regression"}
        ``binary`` predicts the probability of 1; ``regression`` the conditional mean of an amount
        that is never negative, often zero and sometimes huge.
    settings
        An instance of `settings_class`.
    seed : int
        The only source of randomness.
    threads : int
        For training; it does not change predictions.

    Attributes
    ----------
    columns : tuple of str
        The columns it was fitted on; empty before `fit`.
    updates : int
        Number of updates that have changed it since `fit`.
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
        """Learn from scratch and forget everything learned before.

        Parameters
        ----------
        X : DataFrame (n, k)
            Numeric columns with distinct names; remembered for `update` and `predict`.
        y : array or Series (n,)
            Labels by position: 0 or 1, or amounts of at least 0. If all are 0 or all are 1, the
            model predicts a constant: Laplace's (ones + 1) / (n + 2), or an amount of 0.

        Raises
        ------
        ValueError
            If there are no rows, or X or y are not as described.
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
        """Return a new estimator that has also learned from new rows; this one does not change.

        Parameters
        ----------
        X_new, y_new
            Rows that it has not learned from yet, as in `fit`.
        X_replay, y_replay
            Older rows to learn from again, along with the new ones.

        Returns
        -------
        Estimator
            An equal one, with the same number of `updates`, if there are no new rows, or if new and
            replayed labels together are all 0 or all 1: nothing distinguishes clients then.

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
            If a column is not numeric or contains infinity.
        """
        self._check_fitted()
        return self.predict_matrix(read_matrix(X, self.columns, model=self.name))

    def predict_matrix(self, matrix: Matrix) -> FloatArray:
        """Predict, as `predict`, from the result of `read_matrix`: (n, k)."""
        if self._constant is not None:
            return np.full(len(matrix), self._constant)
        if not len(matrix):
            return np.empty(0)
        predicted = self._predict(matrix)
        return np.clip(predicted, 0.0, 1.0 if self.kind == "binary" else None) * self._scale

    def to_files(self) -> Files:
        """Return the content of ``estimator.json`` and of the model's own files."""
        self._check_fitted()
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
        return {STATE: f"{text}\n".encode()} | (self._to_files() if self._constant is None else {})

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], *, threads: int = 1) -> Self:
        """Restore an estimator from `to_files`; it predicts exactly the same.

        Raises
        ------
        ModelError
            If the files are those of another estimator, or not readable.
        """
        state: dict[str, Any] = json.loads(files[STATE])
        if state["name"] != cls.name:
            raise ModelError(f"expected the files of {cls.name}, found those of {state['name']}")
        settings = cls.settings_class.model_validate(state["settings"])
        loaded = cls(state["kind"], settings, seed=state["seed"], threads=threads)
        loaded.columns = tuple(state["columns"])
        loaded.updates = state["updates"]
        loaded._constant = state["constant"]
        loaded._scale = state["scale"]
        if loaded._constant is None:
            loaded._restore(files)
        return loaded

    @abstractmethod
    def _fit(self, matrix: Matrix, labels: FloatArray) -> None:
        """Learn from labels of both classes, or from amounts whose mean is 1."""

    @abstractmethod
    def _update(self, matrix: Matrix, labels: FloatArray) -> None:
        """Learn more rows; called on a shallow copy, so replace attributes, never change them."""

    @abstractmethod
    def _predict(self, matrix: Matrix) -> FloatArray:
        """Predict for at least one row."""

    @abstractmethod
    def _to_files(self) -> Files:
        """Return the content of the model's own files."""

    @abstractmethod
    def _restore(self, files: Mapping[str, bytes]) -> None:
        """Read the model from its own files."""

    def _start(self, matrix: Matrix, labels: FloatArray) -> None:
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
    ) -> tuple[Matrix, FloatArray]:
        matrix = read_matrix(X, columns, model=self.name)
        return matrix, read_labels(y, rows=len(matrix), kind=self.kind)

    def _check_fitted(self) -> None:
        if not self.columns:
            raise ModelError(f"{self.name} has not been fitted", "call fit(X, y) first")
