"""Boosted trees by LightGBM, updated by growing more trees or by refitting the leaves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import lightgbm
import numpy as np

from evergreen.core.models import newton
from evergreen.core.models.base import Estimator, Files
from evergreen.core.models.validation import FloatArray, Matrix
from evergreen.settings.estimators import LightGBMSettings

FILE = "model.txt"


class LightGBM(Estimator):
    """LightGBM with log loss, or Tweedie loss (variance power 1.5) for amounts.

    Continued training alone hardly moves the level: if all residuals of a small batch have the same
    sign, no split pays for its penalty, and a tree without a split adds nothing. So an update first
    moves the level by a Newton step.

    The model is kept as the text of its file, so that training continued in memory and training
    continued from the file give the same result.

    Sources: Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", NIPS 2017;
    Jørgensen, "Exponential dispersion models", J. R. Stat. Soc. B 49 (1987), for the loss.
    """

    name = "lightgbm"
    settings_class = LightGBMSettings
    settings: LightGBMSettings
    _text: str
    _booster: lightgbm.Booster

    def _fit(self, matrix: Matrix, labels: FloatArray) -> None:
        booster = lightgbm.train(
            self._params(self.settings.learning_rate),
            lightgbm.Dataset(matrix, labels),
            self.settings.rounds,
        )
        self._keep(_text_of(booster))

    def _update(self, matrix: Matrix, labels: FloatArray) -> None:
        parent = lightgbm.Booster(model_str=self._text)
        grow = self._refitted if self.settings.update == "refit" else self._continued
        self._keep(_text_of(grow(parent, matrix, labels)))

    def _continued(
        self, parent: lightgbm.Booster, matrix: Matrix, labels: FloatArray
    ) -> lightgbm.Booster:
        score = np.asarray(
            parent.predict(matrix, raw_score=True, num_threads=self.threads), dtype=np.float64
        )
        step = newton.step(score, labels, self.kind)
        _shift(parent, step.level(self.settings.update_level_penalty))
        return lightgbm.train(
            self._params(self.settings.update_learning_rate),
            lightgbm.Dataset(matrix, labels),
            self.settings.update_rounds,
            init_model=parent,
        )

    def _refitted(
        self, parent: lightgbm.Booster, matrix: Matrix, labels: FloatArray
    ) -> lightgbm.Booster:
        # A booster has its parameters from the text, which does not contain the number of threads.
        parent.params |= self._params(self.settings.learning_rate)
        return parent.refit(matrix, labels, decay_rate=self.settings.refit_decay)

    def _predict(self, matrix: Matrix) -> FloatArray:
        return np.asarray(self._booster.predict(matrix, num_threads=self.threads), dtype=np.float64)

    def _to_files(self) -> Files:
        return {FILE: self._text.encode()}

    def _restore(self, files: Mapping[str, bytes]) -> None:
        self._keep(files[FILE].decode())

    def _keep(self, text: str) -> None:
        self._text = text
        self._booster = lightgbm.Booster(model_str=text)

    def _params(self, learning_rate: float) -> dict[str, Any]:
        chosen = self.settings
        loss: dict[str, Any] = {"objective": "binary"}
        if self.kind == "regression":
            loss = {"objective": "tweedie", "tweedie_variance_power": 1.5}
        return loss | {
            "learning_rate": learning_rate,
            "num_leaves": chosen.num_leaves,
            "min_child_samples": chosen.min_child_samples,
            "feature_fraction": chosen.feature_fraction,
            "lambda_l2": chosen.lambda_l2,
            # Each update needs its own seed, or all would sample the same columns.
            "seed": (self.seed + self.updates) % 2**31,
            "num_threads": self.threads,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }


def _shift(booster: lightgbm.Booster, level: float) -> None:
    """Add a constant to every raw score, through the first tree."""
    first = booster.dump_model(num_iteration=1)["tree_info"][0]
    for leaf in range(first["num_leaves"]):
        booster.set_leaf_output(0, leaf, booster.get_leaf_output(0, leaf) + level)


def _text_of(booster: lightgbm.Booster) -> str:
    # The number of threads changes nothing but this line of the text.
    return re.sub(r"\[num_threads: \d+\]", "[num_threads: 0]", booster.model_to_string())
