"""The mean of boosted trees and a linear model: where one is too sure, the other holds it back."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

from evergreen.core.estimators.base import Estimator
from evergreen.core.estimators.boosting import LightGBM
from evergreen.core.estimators.linear import Linear
from evergreen.core.estimators.settings import BlendSettings

if TYPE_CHECKING:
    from pathlib import Path

    from evergreen.core.estimators.columns import FloatArray


class Blend(Estimator):
    """The mean of what `LightGBM` and `Linear` predict, both fitted and updated on the same rows.

    Their errors differ: trees find interactions, and take a season that was seen once for a law;
    the linear model goes on in a straight line. The mean of two predictions never has a larger log
    loss than the mean of their losses.

    Source: Bates, Granger, "The combination of forecasts", Operational Research Quarterly 20
    (1969).
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
        first, second = (member._predict(matrix) for member in self._members)  # noqa: SLF001
        return np.asarray((first + second) / 2, dtype=np.float64)

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
