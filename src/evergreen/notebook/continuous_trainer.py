"""Manual training in notebooks and scripts, with the functions of the stages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evergreen.core.evaluation import gate
from evergreen.core.evaluation.metrics import evaluate
from evergreen.core.events.folds import held_out_rows
from evergreen.core.events.loss_scale import LossScale
from evergreen.core.models.validation import FloatArray, Labels, read_labels
from evergreen.notebook import feature_tables, saved_models, sklearn_models, training_history
from evergreen.notebook.label_matching import join_outcomes
from evergreen.notebook.trainer_settings import TrainerSettings
from evergreen.settings import paths
from evergreen.settings.names import Kind

SCORE: Mapping[Kind, str] = {"binary": "accuracy", "regression": "r2"}
TIMESTAMP = "%Y%m%d_%H%M%S"


class ContinuousTrainer:
    """Update, retrain, compare and save models: those of Evergreen, or your own.

    Features are DataFrames, arrays or sparse matrices (n, k). Labels are arrays or Series (n,): 0
    or 1, or amounts of at least 0. A DataFrame may have the column client_id, which models do not
    see. A share of the clients is held out, the same ones as in the pipeline; without clients, a
    share of the rows. Models never learn from them, and all metrics are measured on them.

    Parameters
    ----------
    seed : int
        Seeds the choice of held-out rows, and everything random in the models.
    clock : callable, optional
        Returns the time that names versions saved without a name.

    Notes
    -----
    Targets, estimators and the gate come from ``params.yaml`` if there is one. In a folder without
    it, only the model types ``binary`` and ``regression`` are known.
    """

    def __init__(self, *, seed: int = 0, clock: Callable[[], datetime] = datetime.now) -> None:
        self.seed = seed
        self._clock = clock
        self._settings = TrainerSettings()

    def held_out(self, clients: Iterable[object]) -> np.ndarray:
        """Return which clients are held out, as bool (n,): the rows on which to compare models."""
        return self._settings.held_out(clients)

    def collect_new_labels(
        self, predictions_file: str | Path, actual_outcomes_file: str | Path
    ) -> pd.DataFrame:
        """Match logged predictions with their outcomes.

        Parameters
        ----------
        predictions_file, actual_outcomes_file
            CSV or Parquet with client_id, and observed_on or date if rows are of several days. For
            example client_id, purchased_pred, clv_pred, and client_id, purchased_actual,
            clv_actual.

        Returns
        -------
        pandas.DataFrame
            A row for each prediction with a known outcome, with the columns of both files.

        Raises
        ------
        DataError
            If the files can't be read or matched.
        """
        return join_outcomes(Path(predictions_file), Path(actual_outcomes_file))

    def incremental_update(
        self,
        model: Any,  # noqa: ANN401 - scikit-learn has no types
        new_features: feature_tables.FeatureTable,
        new_labels: Labels,
        model_name: str,
        *,
        clients: Iterable[object] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Train a copy of a model on new rows too; the original is left unchanged.

        Parameters
        ----------
        model
            A model from `full_retrain`, a fitted scikit-learn model with ``partial_fit``, or a
            scikit-learn forest, which grows by 50 trees.
        new_features, new_labels
            Rows (n, k) that the model has not learned from, and their labels (n,).
        model_name
            The name in the metrics.
        clients
            The client of each row (n,); by default the column client_id.

        Returns
        -------
        (model, dict)
            The new model; and train_time (seconds), n_samples, n_train, n_validation, and accuracy
            or r2 with other metrics on held-out rows (None if there are too few). If the rows can't
            be used for an update, ``skipped`` holds the reason.

        Raises
        ------
        FeatureMismatchError, DataError
            If the columns are not those that the model was fitted on.
        ModelError
            If the model is not fitted, or can't be updated without forgetting what it learned.
        ValueError
            If labels are not as described.
        """
        kind = sklearn_models.kind_of(model)
        X, held = self._split(new_features, clients)
        y = read_labels(sklearn_models.read_numbers(new_labels), rows=len(held), kind=kind)
        rows, labels = feature_tables.take(X, ~held), _training_labels(kind, y[~held])
        reason = sklearn_models.reason_to_skip(model, rows, y[~held])
        started = time.perf_counter()
        updated = model if reason else sklearn_models.update(model, rows, labels)
        seconds = time.perf_counter() - started
        about = {"model_name": model_name, "origin": "incremental", "train_time": seconds}
        metrics = _measure(updated, kind, X, y, held)
        return updated, about | metrics | ({"skipped": reason} if reason else {})

    def full_retrain(
        self,
        all_features: feature_tables.FeatureTable,
        all_labels: Labels,
        model_type: Any,  # noqa: ANN401 - a name, or a model of scikit-learn
        *,
        clients: Iterable[object] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Fit a model from scratch.

        Parameters
        ----------
        all_features, all_labels
            Rows (n, k) and their labels (n,).
        model_type
            A target of ``params.yaml``, for its estimator and settings; ``binary`` or
            ``regression``; or a scikit-learn classifier or regressor, of which a copy is fitted.
        clients
            As for `incremental_update`.

        Returns
        -------
        (model, dict)
            The model, fitted on the rows that are not held out, and metrics as from
            `incremental_update`; for amounts also label_cap and label_mean of the training rows.

        Raises
        ------
        ValueError
            If the type is unknown, there is no row to train on, or features or labels are not as
            described.
        """
        unfitted = self._settings.unfitted(model_type, self.seed)
        kind = sklearn_models.kind_of(unfitted)
        X, held = self._split(all_features, clients)
        y = read_labels(sklearn_models.read_numbers(all_labels), rows=len(held), kind=kind)
        if held.all():
            raise ValueError(f"no row to train on: all {len(held)} are held out")
        rows, labels = feature_tables.take(X, ~held), _training_labels(kind, y[~held])
        started = time.perf_counter()
        model = sklearn_models.fit(unfitted, rows, labels)
        about: dict[str, Any] = {"origin": "full", "train_time": time.perf_counter() - started}
        if kind == "regression":
            scale = LossScale.of_labels(y[~held])
            about |= {"label_cap": scale.cap, "label_mean": scale.mean}
        return model, about | _measure(model, kind, X, y, held)

    def save_model_version(
        self,
        model: Any,  # noqa: ANN401 - as above
        model_name: str,
        metrics: Mapping[str, Any],
        version: str | None = None,
    ) -> Path:
        """Save a model as ``models/continuous/v_VERSION/NAME_model.joblib``, and log it.

        Parameters
        ----------
        metrics
            Its metrics, as returned by `full_retrain` and `incremental_update`.
        version
            By default the time, as YYYYMMDD_HHMMSS.

        Returns
        -------
        pathlib.Path
            The model's file, with NAME_metadata.json beside it.

        Raises
        ------
        DataError
            If the version of the model exists, or a name can't be used in a file name.
        ValueError
            If metrics are not a dict, or the model can't be pickled.
        """
        now = self._clock()
        return saved_models.save_version(
            model,
            model_name,
            metrics=metrics,
            columns=feature_tables.columns_of(model),
            version=version or now.strftime(TIMESTAMP),
            saved_at=now,
        )

    def compare_models(
        self,
        old_model_path: str | Path,
        new_model_path: str | Path,
        test_features: feature_tables.FeatureTable,
        test_labels: Labels,
        model_type: str,
        *,
        clients: Iterable[object] | None = None,
    ) -> dict[str, Any]:
        """Let the gate decide whether a new model is proven better than an old one.

        Parameters
        ----------
        old_model_path, new_model_path
            Joblib or pickle files that you trust, or model folders of a release.
        test_features, test_labels
            Rows (n, k) that neither model has learned from, and their labels (n,).
        model_type
            As for `full_retrain`.
        clients
            The client of each row (n,): rows of the same client are not independent.

        Returns
        -------
        dict
            old_accuracy, new_accuracy (r2 for amounts) and improvement_pct (None if undefined);
            better, the verdict of the gate; old_metrics and new_metrics; and the figures and
            explanation of `evergreen.core.evaluation.decision.Decision`.

        Raises
        ------
        DataError, FeatureMismatchError
            If the models, or the rows, have different columns; with a line for each difference.
        ModelError
            If a path holds no model, a model of another kind, or an altered one.
        ValueError
            If labels are not as described.
        """
        kind = sklearn_models.kind_of(self._settings.unfitted(model_type, self.seed))
        old, about_old = saved_models.load_any(Path(old_model_path))
        new, about_new = saved_models.load_any(Path(new_model_path))
        for model, path in ((old, old_model_path), (new, new_model_path)):
            sklearn_models.check_kind(model, kind, str(path))
        feature_tables.check_same_columns(old, new)
        X, clients_of_rows = feature_tables.without_clients(test_features)
        if clients is not None:
            clients_of_rows = pd.Series(list(clients), dtype=object)
        y = read_labels(
            sklearn_models.read_numbers(test_labels), rows=feature_tables.row_count(X), kind=kind
        )
        before, after = (sklearn_models.predict(model, X, kind) for model in (old, new))
        scale = LossScale(about_old.get("label_cap"), about_old.get("label_mean"))
        decision = gate.decide(
            gate.Outcomes(kind, y, clients_of_rows, scale),
            before,
            after,
            **self._settings.gate(str(about_new.get("origin"))),
        )
        old_metrics, new_metrics = (evaluate(kind, y, p, scale) for p in (before, after))
        old_score, new_score = old_metrics[SCORE[kind]], new_metrics[SCORE[kind]]
        return {
            "old_accuracy": old_score,
            "new_accuracy": new_score,
            "improvement_pct": _improvement(old_score, new_score),
            "better": decision.promote,
            "old_metrics": old_metrics,
            "new_metrics": new_metrics,
        } | decision.to_dict()

    def get_best_model(self, model_name: str) -> Path:
        """Return the path of the model in production, or else of the best saved version.

        The best version has the smallest loss on held-out rows.

        Returns
        -------
        pathlib.Path
            Its folder in ``releases/current``, or its file in ``models/continuous``.

        Raises
        ------
        DataError
            If there is neither, with the names that exist.
        """
        return training_history.best(model_name)

    @property
    def training_history(self) -> list[dict[str, Any]]:
        """Every model that a run evaluated or that was saved by hand, in order of time.

        Each entry has model_name, version, origin, at (ISO date or time), loss (held-out; None if
        unknown), promoted, by_hand, and metrics.
        """
        return training_history.entries()

    def plot_training_history(self, model_name: str, out: str | Path | None = None) -> Path:
        """Plot the held-out losses of a model over time, with promotions marked.

        Parameters
        ----------
        out
            The PNG to write; build/NAME_history.png by default.

        Raises
        ------
        DataError
            If there is no model of that name.
        """
        path = paths.BUILD / f"{model_name}_history.png" if out is None else Path(out)
        training_history.draw(model_name, path)
        return path

    def _split(
        self, features: feature_tables.FeatureTable, clients: Iterable[object] | None
    ) -> tuple[feature_tables.FeatureTable, np.ndarray]:
        X, column = feature_tables.without_clients(features)
        rows = feature_tables.row_count(X)
        ids = column if clients is None else list(clients)
        if ids is None:
            return X, held_out_rows(rows, share=self._settings.share, seed=self.seed)
        if len(ids) != rows:
            raise ValueError(f"clients has {len(ids)} entries for {rows} rows of features")
        return X, self.held_out(ids)


def _training_labels(kind: Kind, y: FloatArray) -> np.ndarray:
    return y.astype(np.int64) if kind == "binary" else y


def _measure(
    model: Any,  # noqa: ANN401 - as above
    kind: Kind,
    X: feature_tables.FeatureTable,
    y: FloatArray,
    held: np.ndarray,
) -> dict[str, Any]:
    """Measure a model on held-out rows."""
    predicted = sklearn_models.predict(model, feature_tables.take(X, held), kind)
    counts = {"n_samples": len(y), "n_train": int((~held).sum()), "n_validation": int(held.sum())}
    return evaluate(kind, y[held], predicted) | counts


def _improvement(old: float | None, new: float | None) -> float | None:
    if old is None or new is None or old == 0:
        return None
    return 100 * (new - old) / abs(old)
