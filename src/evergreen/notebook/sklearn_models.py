"""Models of a user's own making, by scikit-learn, beside the estimators of the registry."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from evergreen.core.models.base import Estimator
from evergreen.errors import ModelError
from evergreen.notebook.feature_tables import (
    Features,
    as_fitted,
    as_frame,
    columns_of,
    row_count,
)

if TYPE_CHECKING:
    from evergreen.core.evaluation.losses import FloatArray, Kind
    from evergreen.core.models.validation import Labels

FURTHER_TREES = 50
FORESTS = (
    "RandomForestClassifier",
    "RandomForestRegressor",
    "ExtraTreesClassifier",
    "ExtraTreesRegressor",
)


def kind_of(model: Any) -> Kind:  # noqa: ANN401 - scikit-learn has no types
    """What a model predicts: ``binary`` for a classifier, ``regression`` for a regressor.

    Raises
    ------
    ModelError
        If it is neither an estimator of the registry nor a model of scikit-learn.
    """
    if isinstance(model, Estimator):
        return model.kind
    from sklearn.base import is_classifier, is_regressor  # noqa: PLC0415

    if not hasattr(model, "predict") or not (is_classifier(model) or is_regressor(model)):
        raise ModelError(
            f"a classifier or regressor was expected, found {type(model).__name__}",
            "pass what full_retrain returned, or a model of scikit-learn",
        )
    return "binary" if is_classifier(model) else "regression"


def check_kind(model: Any, kind: Kind, where: str) -> None:  # noqa: ANN401
    """Refuse a model that predicts something else than is to be judged.

    Raises
    ------
    ModelError
        If it is for the other kind, or no model.
    """
    found = kind_of(model)
    if found != kind:
        raise ModelError(
            f"{where} holds a model for {found} labels, expected is one for {kind} labels",
            "the model_type of both models",
        )


def fit(model: Any, X: Features, y: FloatArray) -> Any:  # noqa: ANN401
    """Fit a copy that has learned nothing so far; the one given stays as it is."""
    if isinstance(model, Estimator):
        return copy.copy(model).fit(as_frame(X), y)
    from sklearn.base import clone  # noqa: PLC0415

    return clone(model).fit(X, y)


def predict(model: Any, X: Features, kind: Kind) -> FloatArray:  # noqa: ANN401
    """Predict probabilities of 1, or amounts, of which negative ones count as 0: float64 (n,).

    A classifier without probabilities gives its decisions, 0 or 1.

    Raises
    ------
    FeatureMismatchError, DataError
        If the columns are not those of its fit.
    ModelError
        If it is not fitted, or tells other classes than 0 and 1 apart.
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


def reason_to_skip(model: Any, X: Features, y: FloatArray) -> str | None:  # noqa: ANN401
    """Why new rows are no ground for an update; None if they are.

    A forest that is grown further on rows of one class forgets that there is another, and then
    fails.
    """
    if not row_count(X):
        return "no new rows"
    classes = set(np.unique(y))
    known = getattr(model, "classes_", None)
    if kind_of(model) == "binary" and len(classes) < 2:  # noqa: PLR2004 - yes and no
        return f"all new labels are {classes.pop():g}"
    if type(model).__name__ in FORESTS and known is not None and classes != set(known):
        return f"the model knows the classes {list(known)}, the new labels {sorted(classes)}"
    return None


def update(model: Any, X: Features, y: FloatArray) -> Any:  # noqa: ANN401
    """A copy that has also learned from new rows.

    Estimators of the registry know how; others go on by ``partial_fit``, and forests by
    50 further trees grown on the new rows.

    Raises
    ------
    ModelError
        If the model is not fitted, tells other classes than 0 and 1 apart, or has no way to learn
        more without forgetting what it knows.
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
        asked = child.warm_start
        child.set_params(warm_start=True, n_estimators=child.n_estimators + FURTHER_TREES)
        return child.fit(rows, y).set_params(warm_start=asked)
    raise ModelError(
        f"{type(model).__name__} can't be updated: it has no partial_fit, and to fit it again on "
        "new rows alone would make it forget all others"
        + (
            "; its warm_start is for more rounds on the same rows, or for a starting point"
            if hasattr(model, "warm_start")
            else ""
        ),
        "full_retrain on all rows; or a model that can go on, such as `lightgbm`, "
        "SGDClassifier or RandomForestClassifier",
    )


def read_numbers(y: Labels) -> FloatArray:
    """Labels as float64, of the shape that they have.

    Raises
    ------
    ValueError
        If they are words.
    """
    values = np.asarray(y)
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError):
        found = ", ".join(sorted({repr(one) for one in values.ravel().tolist()})[:3])
        raise ValueError(
            f"labels are expected to be 0 or 1, or amounts, found {found}; "
            "such as (labels == 'yes').astype(int)"
        ) from None


def _check_fitted(model: Any, kind: Kind) -> None:  # noqa: ANN401
    from sklearn.base import BaseEstimator  # noqa: PLC0415
    from sklearn.exceptions import NotFittedError  # noqa: PLC0415
    from sklearn.utils.validation import check_is_fitted  # noqa: PLC0415

    who = type(model).__name__
    try:
        if isinstance(model, BaseEstimator):
            check_is_fitted(model)
    except NotFittedError:
        raise ModelError(f"{who} is not fitted so far", "full_retrain") from None
    classes = np.asarray(getattr(model, "classes_", ())).tolist() if kind == "binary" else []
    if any(one not in (0, 1) for one in classes):  # its share of ones would be read as nothing
        raise ModelError(
            f"{who} tells the classes {', '.join(map(repr, classes))} apart, expected are 0 and 1",
            "fit it on labels of 0 and 1",
        )
