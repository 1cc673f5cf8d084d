"""Continuous training by hand, for notebooks and scripts: the functions of the stages."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from evergreen.core.evaluation import gate
from evergreen.core.evaluation.metrics import evaluate
from evergreen.core.events.folds import held_out_clients, held_out_rows
from evergreen.core.events.loss_scale import LossScale
from evergreen.core.models import registry
from evergreen.core.models.validation import read_labels
from evergreen.notebook import feature_tables, saved_models, sklearn_models, training_history
from evergreen.notebook.label_matching import join_outcomes
from evergreen.settings import paths
from evergreen.settings.loading import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from evergreen.core.evaluation.losses import Kind
    from evergreen.core.models.validation import FloatArray, Labels
    from evergreen.notebook.feature_tables import Features

KINDS: Mapping[str, Kind] = {
    "binary": "binary",
    "classification": "binary",
    "classifier": "binary",
    "regression": "regression",
    "regressor": "regression",
}
DEFAULT: Mapping[Kind, str] = {"binary": "blend", "regression": "lightgbm"}
SCORE: Mapping[Kind, str] = {"binary": "accuracy", "regression": "r2"}
SHARE, SALT = 0.25, "evergreen"
STAMP = "%Y%m%d_%H%M%S"


class ContinuousTrainer:
    """Update, retrain, judge and keep models, of the registry or of one's own making.

    Features are DataFrames, arrays or sparse matrices (n, k); labels arrays or Series (n,), 0 or 1
    or amounts of at least 0. A DataFrame may have the column client_id, which no model sees. A part
    of the clients, the same ones as in the pipeline, or of the rows where there are no clients, is
    held out: models never learn from it, and figures are measured on it alone.

    Parameters
    ----------
    seed : int
        Decides on rows that are held out, and on all that is random in the models.
    clock : callable, optional
        Gives the time by which a version without a name is named.

    Notes
    -----
    Targets, estimators and the gate are as in ``params.yaml`` where there is one; without it, in a
    folder of its own, a class of models is ``binary`` or ``regression``.
    """

    def __init__(self, *, seed: int = 0, clock: Callable[[], datetime] = datetime.now) -> None:
        self.seed = seed
        self._clock = clock
        self._settings = load_settings() if paths.PARAMS.is_file() else None

    def held_out(self, clients: Iterable[object]) -> np.ndarray:
        """Whether clients are held out: bool (n,), for the rows on which to compare models."""
        chosen = self._settings and self._settings.holdout
        share, salt = (chosen.share, chosen.salt) if chosen else (SHARE, SALT)
        return held_out_clients(clients, share=share, salt=salt)

    def collect_new_labels(
        self, predictions_file: str | Path, actual_outcomes_file: str | Path
    ) -> pd.DataFrame:
        """Match logged predictions with what became of them.

        Parameters
        ----------
        predictions_file, actual_outcomes_file
            CSV or Parquet with client_id, and observed_on or date where rows are of several days;
            such as client_id, purchased_pred, churned_pred, clv_pred, and client_id,
            purchased_actual, churned_actual, clv_actual.

        Returns
        -------
        pandas.DataFrame
            A row for each prediction whose outcome is known: the columns of both files.

        Raises
        ------
        DataError
            If the files can't be read or matched.
        """
        return join_outcomes(Path(predictions_file), Path(actual_outcomes_file))

    def incremental_update(
        self,
        model: Any,  # noqa: ANN401 - scikit-learn has no types
        new_features: Features,
        new_labels: Labels,
        model_name: str,
        *,
        clients: Iterable[object] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Let a model learn from new rows as well; the one given stays as it is.

        Parameters
        ----------
        model
            What `full_retrain` returned, or a fitted model of scikit-learn with ``partial_fit``,
            or one of its forests, which grows by 50 trees.
        new_features, new_labels
            Rows (n, k) that it has not learned from, with their labels (n,).
        model_name
            What it is called in the figures.
        clients
            Whose rows these are (n,); by default those of the column client_id.

        Returns
        -------
        (model, dict)
            The new model, and train_time (seconds), accuracy or r2 and the other figures on
            held-out rows (None where there are too few), n_samples, n_train and n_validation; and
            skipped, with the reason, where the rows are no ground for an update.

        Raises
        ------
        FeatureMismatchError, DataError
            If the columns are not those that the model was fitted on.
        ModelError
            If the model is not fitted, or can't learn further without forgetting.
        ValueError
            If labels are not as described.
        """
        kind = sklearn_models.kind_of(model)
        X, held = self._split(new_features, clients)
        y = read_labels(sklearn_models.read_numbers(new_labels), rows=len(held), kind=kind)
        rows, labels = feature_tables.take(X, ~held), _labels(kind, y[~held])
        reason = sklearn_models.reason_to_skip(model, rows, y[~held])
        started = time.perf_counter()
        updated = model if reason else sklearn_models.update(model, rows, labels)
        seconds = time.perf_counter() - started
        figures = _measure(updated, kind, X, y, held)
        about = {"model_name": model_name, "origin": "incremental", "train_time": seconds}
        return updated, about | figures | ({"skipped": reason} if reason else {})

    def full_retrain(
        self,
        all_features: Features,
        all_labels: Labels,
        model_type: Any,  # noqa: ANN401 - a name, or a model of scikit-learn
        *,
        clients: Iterable[object] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Fit a model from scratch.

        Parameters
        ----------
        all_features, all_labels
            Rows (n, k) with their labels (n,).
        model_type
            A target of ``params.yaml``, whose estimator and settings are taken; ``binary`` or
            ``regression``; or a classifier or regressor of scikit-learn, of which a copy is fitted.
        clients
            As for `incremental_update`.

        Returns
        -------
        (model, dict)
            The model, fitted on the rows that are not held out, and the figures of
            `incremental_update`; for an amount also label_cap and label_mean of those rows.

        Raises
        ------
        ValueError
            If there is no such type, no row to learn from, or features or labels are not as
            described.
        """
        unfitted = self._unfitted(model_type)
        kind = sklearn_models.kind_of(unfitted)
        X, held = self._split(all_features, clients)
        y = read_labels(sklearn_models.read_numbers(all_labels), rows=len(held), kind=kind)
        if held.all():
            raise ValueError(
                f"there is no row to learn from: {len(held)} of {len(held)} are held out"
            )
        started = time.perf_counter()
        model = sklearn_models.fit(unfitted, feature_tables.take(X, ~held), _labels(kind, y[~held]))
        seconds = time.perf_counter() - started
        about: dict[str, Any] = {"origin": "full", "train_time": seconds}
        if kind == "regression":
            scale = LossScale.of_labels(pd.Series(y[~held]))
            about |= {"label_cap": scale.cap, "label_mean": scale.mean}
        return model, about | _measure(model, kind, X, y, held)

    def save_model_version(
        self,
        model: Any,  # noqa: ANN401 - as above
        model_name: str,
        metrics: Mapping[str, Any],
        version: str | None = None,
    ) -> Path:
        """Keep a model as ``models/continuous/v_VERSION/NAME_model.joblib``, and log it.

        Parameters
        ----------
        metrics
            Its figures, as `full_retrain` and `incremental_update` give them.
        version
            By default the time, as YYYYMMDD_HHMMSS.

        Returns
        -------
        pathlib.Path
            The model's file. Beside it stands NAME_metadata.json.

        Raises
        ------
        DataError
            If there is such a version of the model, or a name can't be a file's.
        ValueError
            If metrics are no dict, or the model can't be written.
        """
        now = self._clock()
        return saved_models.save_version(
            model,
            model_name,
            metrics=metrics,
            columns=feature_tables.columns_of(model),
            version=version or now.strftime(STAMP),
            saved_at=now,
        )

    def compare_models(
        self,
        old_model_path: str | Path,
        new_model_path: str | Path,
        test_features: Features,
        test_labels: Labels,
        model_type: str,
        *,
        clients: Iterable[object] | None = None,
    ) -> dict[str, Any]:
        """Let the gate decide whether a new model is proven better than an old one.

        Parameters
        ----------
        old_model_path, new_model_path
            Joblib or pickle files, which the caller vouches for, or folders of a release's models.
        test_features, test_labels
            Rows (n, k) that neither has learned from, with their labels (n,).
        model_type
            As for `full_retrain`.
        clients
            Whose rows these are (n,): rows of one client count as one witness.

        Returns
        -------
        dict
            old_accuracy, new_accuracy (r2 for an amount) and improvement_pct (None where that is
            not defined); better, the gate's verdict; old_metrics and new_metrics; and the figures
            and the explanation of `evergreen.core.evaluation.decision.Decision`.

        Raises
        ------
        DataError, FeatureMismatchError
            If the models, or the rows, have different columns; with a line for each difference.
        ModelError
            If a path holds no model, one of another kind, or not what was saved there.
        ValueError
            If labels are not as described.
        """
        kind = sklearn_models.kind_of(self._unfitted(model_type))
        old, about_old = saved_models.load_any(Path(old_model_path))
        new, about_new = saved_models.load_any(Path(new_model_path))
        for model, path in ((old, old_model_path), (new, new_model_path)):
            sklearn_models.check_kind(model, kind, str(path))
        feature_tables.check_same_columns(old, new)
        X, own_clients = feature_tables.without_clients(test_features)
        y = read_labels(
            sklearn_models.read_numbers(test_labels), rows=feature_tables.row_count(X), kind=kind
        )
        before, after = (sklearn_models.predict(model, X, kind) for model in (old, new))
        whose = own_clients if clients is None else pd.Series(list(clients), dtype=object)
        scale = LossScale(about_old.get("label_cap"), about_old.get("label_mean"))
        decision = gate.decide(
            kind,
            y,
            before,
            after,
            clients=whose,
            **self._demands(str(about_new.get("origin"))),
            scale=scale,
        )
        measured = [evaluate(kind, y, predicted, scale) for predicted in (before, after)]
        old_score, new_score = (figures[SCORE[kind]] for figures in measured)
        return {
            "old_accuracy": old_score,
            "new_accuracy": new_score,
            "improvement_pct": _improvement(old_score, new_score),
            "better": decision.promote,
            "old_metrics": measured[0],
            "new_metrics": measured[1],
        } | decision.to_dict()

    def get_best_model(self, model_name: str) -> Path:
        """The model in production; where there is none, the version with the best held-out loss.

        Returns
        -------
        pathlib.Path
            Its folder in ``releases/current``, or its file in ``models/continuous``.

        Raises
        ------
        DataError
            If there is neither, with the names that there are.
        """
        return training_history.best(model_name)

    @property
    def training_history(self) -> list[dict[str, Any]]:
        """Every model that a run judged or that was saved by hand, in the order of time.

        Each has model_name, version, origin, at (ISO date or time), loss (held-out; None where it
        is not known), promoted, by_hand, and metrics.
        """
        return training_history.entries()

    def plot_training_history(self, model_name: str, out: str | Path | None = None) -> Path:
        """Draw the held-out losses of a model over time, promotions marked.

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
        self, features: Features, clients: Iterable[object] | None
    ) -> tuple[Features, np.ndarray]:
        X, own = feature_tables.without_clients(features)
        rows = feature_tables.row_count(X)
        whose = own if clients is None else list(clients)
        if whose is None:
            return X, held_out_rows(rows, share=self._share, seed=self.seed)
        if len(whose) != rows:
            raise ValueError(f"clients has {len(whose)} entries for {rows} rows of features")
        return X, self.held_out(whose)

    @property
    def _share(self) -> float:
        return self._settings.holdout.share if self._settings else SHARE

    def _unfitted(self, model_type: Any) -> Any:  # noqa: ANN401 - as above
        """The estimator that a type stands for, which has learned nothing so far."""
        if not isinstance(model_type, str):
            return model_type
        settings = self._settings
        if settings is not None and model_type in settings.targets:
            target = settings.targets[model_type]
            options: Any = settings.estimators.of(target.estimator)
            return registry.build(target.estimator, target.kind, options, seed=self.seed)
        if model_type not in KINDS:
            known = [*(settings.targets if settings else ()), *KINDS]
            raise ValueError(f"there is no model_type {model_type!r}; there are {', '.join(known)}")
        kind = KINDS[model_type]
        return registry.build(DEFAULT[kind], kind, seed=self.seed)

    def _demands(self, origin: str) -> dict[str, Any]:
        """What the gate asks for: as in a run; of what may be an update, as of an update."""
        if self._settings is None:
            return {"alpha": 0.05 if origin == "full" else 0.01}
        chosen = self._settings.gate
        return {
            "alpha": chosen.alpha_full if origin == "full" else chosen.alpha_incremental,
            "minimum": gate.Minimum(
                rows=chosen.min_rows, minority=chosen.min_minority, clients=chosen.min_clients
            ),
        }


def _labels(kind: Kind, y: FloatArray) -> np.ndarray:
    return y.astype(np.int64) if kind == "binary" else y


def _measure(
    model: Any,  # noqa: ANN401 - as above
    kind: Kind,
    X: Features,
    y: FloatArray,
    held: np.ndarray,
) -> dict[str, Any]:
    """Figures on held-out rows, which the model has not learned from."""
    predicted = sklearn_models.predict(model, feature_tables.take(X, held), kind)
    counts = {"n_samples": len(y), "n_train": int((~held).sum()), "n_validation": int(held.sum())}
    return evaluate(kind, y[held], predicted) | counts


def _improvement(old: float | None, new: float | None) -> float | None:
    if old is None or new is None or old == 0:
        return None
    return 100 * (new - old) / abs(old)
