"""Fit, update and predict with your own scikit-learn models, or estimators of the registry."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from evergreen.core.models.base import Estimator
from evergreen.core.models.validation import Labels
from evergreen.errors import ModelError
from evergreen.notebook.feature_tables import (
    FeatureTable,
    as_fitted,
    as_frame,
    columns_of,
    row_count,
)

if TYPE_CHECKING:
    from evergreen.core.evaluation.losses import FloatArray, Kind

FURTHER_TREES = 50
FORESTS = (
    "RandomForestClassifier",
    "RandomForestRegressor",
    "ExtraTreesClassifier",
    "ExtraTreesRegressor",
)


def kind_of(model: Any) -> Kind:  # noqa: ANN401 - scikit-learn has no types
    """Return ``binary`` for a classifier, ``regression`` for a regressor.

    Raises
    ------
    ModelError
        If it is neither an estimator of the registry nor a scikit-learn model.
    """
    if isinstance(model, Estimator):
        return model.kind
    from sklearn.base import is_classifier, is_regressor  # noqa: PLC0415

    if not hasattr(model, "predict") or not (is_classifier(model) or is_regressor(model)):
        raise ModelError(
            f"expected a classifier or regressor, found {type(model).__name__}",
            "pass a model from full_retrain, or a scikit-learn model",
        )
    return "binary" if is_classifier(model) else "regression"


def check_kind(model: Any, kind: Kind, where: str) -> None:  # noqa: ANN401
    """Check what a model predicts.

    Raises
    ------
    ModelError
        If it is for the other kind, or not a model.
    """
    actual = kind_of(model)
    if actual != kind:
        raise ModelError(
            f"{where} holds a model for {actual} labels, expected one for {kind} labels",
            "pass the model_type of both models",
        )


def fit(model: Any, X: FeatureTable, y: FloatArray) -> Any:  # noqa: ANN401
    """Fit an unfitted copy; the original is left unchanged."""
    if isinstance(model, Estimator):
        return copy.copy(model).fit(as_frame(X), y)
    from sklearn.base import clone  # noqa: PLC0415

    return clone(model).fit(X, y)


def predict(model: Any, X: FeatureTable, kind: Kind) -> FloatArray:  # noqa: ANN401
    """Predict probabilities of 1, or amounts, with negative ones set to 0: float64 (n,).

    A classifier without probabilities predicts 0 or 1.

    Raises
    ------
    FeatureMismatchError, DataError
        If the columns are not those of its fit.
    ModelError
        If it is not fitted, or has classes other than 0 and 1.
    """
    if isinstance(model, Estimator):
        return model.predict(as_frame(X, columns_of(model)))
    _check_fitted(model, kind)
    rows = as_fitted(X, model)
    if not row_count(rows):
        return np.empty(0)
    if kind == "regression":
        return np.clip(np.asarray(model.predict(rows), dtype=np.float64), 0.0, None)
    if not hasattr(model, "predict_proba"):
        return np.asarray(model.predict(rows), dtype=np.float64)
    ones = np.flatnonzero(np.asarray(model.classes_) == 1)
    shares = np.asarray(model.predict_proba(rows), dtype=np.float64)
    return shares[:, ones[0]] if len(ones) else np.zeros(len(shares))


def reason_to_skip(model: Any, X: FeatureTable, y: FloatArray) -> str | None:  # noqa: ANN401
    """Return why new rows can't be used for an update; None if they can.

    A forest that grows on rows of one class forgets the other, and then fails.
    """
    if not row_count(X):
        return "no new rows"
    classes = set(np.unique(y))
    fitted = getattr(model, "classes_", None)
    if kind_of(model) == "binary" and len(classes) < 2:  # noqa: PLR2004 - yes and no
        return f"all new labels are {classes.pop():g}"
    if type(model).__name__ in FORESTS and fitted is not None and classes != set(fitted):
        return f"the model has the classes {list(fitted)}, the new labels {sorted(classes)}"
    return None


def update(model: Any, X: FeatureTable, y: FloatArray) -> Any:  # noqa: ANN401
    """Return a copy that has also learned from new rows.

    Estimators of the registry have a method for it. Others continue with ``partial_fit``, and
    forests grow 50 more trees on the new rows.

    Raises
    ------
    ModelError
        If the model is not fitted, has classes other than 0 and 1, or can't be updated without
        forgetting what it learned.
    FeatureMismatchError, DataError
        If the columns are not those of its fit.
    """
    if isinstance(model, Estimator):
        return model.update(as_frame(X, columns_of(model)), y)
    _check_fitted(model, kind_of(model))
    rows, child = as_fitted(X, model), copy.deepcopy(model)
    if hasattr(child, "partial_fit"):
        return child.partial_fit(rows, y)
    if type(child).__name__ in FORESTS:
        warm_start = child.warm_start
        child.set_params(warm_start=True, n_estimators=child.n_estimators + FURTHER_TREES)
        return child.fit(rows, y).set_params(warm_start=warm_start)
    raise ModelError(
        f"{type(model).__name__} can't be updated: it has no partial_fit, and fitting it on the "
        "new rows alone would make it forget all others"
        + (
            "; its warm_start is for more rounds on the same rows, or for a starting point"
            if hasattr(model, "warm_start")
            else ""
        ),
        "full_retrain on all rows; or use a model that can be updated, such as `lightgbm`, "
        "SGDClassifier or RandomForestClassifier",
    )


def read_numbers(y: Labels) -> FloatArray:
    """Return labels as float64, in the same shape.

    Raises
    ------
    ValueError
        If they are not numbers.
    """
    values = np.asarray(y)
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError):
        examples = ", ".join(sorted({repr(label) for label in values.ravel().tolist()})[:3])
        raise ValueError(
            f"labels must be 0 or 1, or amounts, found {examples}; "
            "convert them, for example by (labels == 'yes').astype(int)"
        ) from None


def _check_fitted(model: Any, kind: Kind) -> None:  # noqa: ANN401
    from sklearn.base import BaseEstimator  # noqa: PLC0415
    from sklearn.exceptions import NotFittedError  # noqa: PLC0415
    from sklearn.utils.validation import check_is_fitted  # noqa: PLC0415

    name = type(model).__name__
    try:
        if isinstance(model, BaseEstimator):
            check_is_fitted(model)
    except NotFittedError:
        raise ModelError(f"{name} is not fitted", "full_retrain") from None
    classes = np.asarray(getattr(model, "classes_", ())).tolist() if kind == "binary" else []
    if any(label not in (0, 1) for label in classes):  # it would seem to predict 0 for all rows
        raise ModelError(
            f"{name} has the classes {', '.join(map(repr, classes))}, expected 0 and 1",
            "fit it on labels of 0 and 1",
        )
