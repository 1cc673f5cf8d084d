"""A linear model fitted by stochastic gradient descent, which an update continues."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
from scipy.special import expit

from evergreen.core.models.base import Estimator, Files
from evergreen.core.models.scaling import Scaling
from evergreen.core.models.validation import FloatArray, Matrix
from evergreen.settings.estimators import LinearSettings

FILE = "model.json"
BATCH = 64
SCORE_MAX = 8.0


class Linear(Estimator):
    """Logistic regression, or Poisson regression with a log link for amounts.

    Least squares does not work for amounts: on heavy-tailed spend, its clipped predictions are
    further from the truth than the same mean for everyone. scikit-learn has no gradient descent
    with a log link, so both kinds are implemented here: mini-batches, a step size per column that
    shrinks with the squared gradients so far (AdaGrad), and the average of the weights over the
    second half of the steps. An update takes more steps with the same scaling and step sizes.

    Sources: Duchi, Hazan, Singer, "Adaptive subgradient methods for online learning and
    stochastic optimization", JMLR 12 (2011); Polyak, Juditsky, "Acceleration of stochastic
    approximation by averaging", SIAM J. Control Optim. 30 (1992).
    """

    name = "linear"
    settings_class = LinearSettings
    settings: LinearSettings
    _scaling: Scaling
    _weights: FloatArray  # (k + 1,), the intercept last
    _squares: FloatArray  # (k + 1,), sums of squared gradients

    def _fit(self, matrix: Matrix, labels: FloatArray) -> None:
        self._scaling = Scaling.of(matrix)
        self._weights = np.zeros(matrix.shape[1] + 1)
        self._squares = np.full(matrix.shape[1] + 1, 1e-8)
        mean = float(labels.mean())
        self._weights[-1] = np.log(mean / (1 - mean)) if self.kind == "binary" else np.log(mean)
        enough = -(-self.settings.min_steps // _batches_in(len(labels)))
        epochs = max(self.settings.epochs, enough)
        self._descend(self._scaling.apply(matrix), labels, epochs)

    def _update(self, matrix: Matrix, labels: FloatArray) -> None:
        self._descend(self._scaling.apply(matrix), labels, self.settings.update_epochs)

    def _descend(self, scaled: FloatArray, labels: FloatArray, epochs: int) -> None:
        weights, squares = self._weights.copy(), self._squares.copy()
        average, averaged = np.zeros_like(weights), 0
        penalty = np.append(np.full(scaled.shape[1], self.settings.alpha), 0.0)
        batches = self._batches(len(labels), epochs)
        for step, rows in enumerate(batches):
            chosen = scaled[rows]
            error = (self._mean(chosen, weights) - labels[rows]) / len(rows)
            slope = np.append(np.einsum("ij,i->j", chosen, error), error.sum()) + penalty * weights
            squares += slope**2
            weights -= self.settings.learning_rate * slope / np.sqrt(squares)
            if step >= len(batches) // 2:
                averaged += 1
                average += (weights - average) / averaged
        self._weights, self._squares = average, squares

    def _batches(self, rows: int, epochs: int) -> list[np.ndarray]:
        random = np.random.default_rng([self.seed, self.updates])
        return [
            batch
            for _ in range(epochs)
            for batch in np.array_split(random.permutation(rows), _batches_in(rows))
        ]

    def _mean(self, scaled: FloatArray, weights: FloatArray) -> FloatArray:
        # einsum rather than BLAS: the same sums whatever the threads and the number of rows
        score = np.einsum("ij,j->i", scaled, weights[:-1]) + weights[-1]
        if self.kind == "binary":
            return np.asarray(expit(score), dtype=np.float64)
        return np.asarray(np.exp(np.clip(score, -SCORE_MAX, SCORE_MAX)), dtype=np.float64)

    def _predict(self, matrix: Matrix) -> FloatArray:
        return self._mean(self._scaling.apply(matrix), self._weights)

    def _to_files(self) -> Files:
        content = {
            "scaling": self._scaling.as_lists(),
            "weights": self._weights.tolist(),
            "squares": self._squares.tolist(),
        }
        text = json.dumps(content, indent=1, sort_keys=True, allow_nan=False)
        return {FILE: f"{text}\n".encode()}

    def _restore(self, files: Mapping[str, bytes]) -> None:
        content = json.loads(files[FILE])
        self._scaling = Scaling.from_lists(content["scaling"])
        self._weights = np.array(content["weights"])
        self._squares = np.array(content["squares"])


def _batches_in(rows: int) -> int:
    return -(-rows // BATCH)
