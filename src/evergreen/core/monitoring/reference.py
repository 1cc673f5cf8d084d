"""The distributions of a model's inputs and predictions at training, kept with the model."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from evergreen.core.features.numeric import activity
from evergreen.core.monitoring.drift import reference

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.core.features.extractor import Extractor

REFERENCE_DAYS = 28
"""The last weeks of the training rows: earlier ones have less history and another season."""


def describe(
    extractor: Extractor,
    features: pd.DataFrame,
    predict: Callable[[pd.DataFrame], np.ndarray],
    *,
    unknown_words: float | None,
) -> dict[str, Any]:
    """Describe the last weeks of the training rows.

    Parameters
    ----------
    features
        client_id, observed_on and the extractor's columns of n rows.
    predict
        Returns the model's predictions for some of these rows: float64 (rows,).
    unknown_words
        Share of out-of-vocabulary words in the texts of training clients; None without text.

    Returns
    -------
    dict
        observed_from, observed_through (ISO dates), rows; active: the column that selects
        recent buyers, see `evergreen.core.features.numeric.activity`; columns and
        predictions, each as `Reference.to_dict` has it; and unknown_words. The columns
        are those of `Extractor.steady`: others drift by construction as the history grows.
    """
    observed = features["observed_on"]
    recent = (observed > observed.max() - timedelta(days=REFERENCE_DAYS)).to_numpy()
    history_days = _days_before(observed[recent].min(), features)
    names = [name for name in extractor.steady(history_days) if name in features]
    active = activity(names)
    if active is not None and (bought := recent & (features[active] > 0).to_numpy()).any():
        recent = bought
    rows = features[recent]
    clients = int(rows["client_id"].nunique())
    return {
        "observed_from": str(rows["observed_on"].min().date()),
        "observed_through": str(rows["observed_on"].max().date()),
        "rows": len(rows),
        "active": active,
        "columns": {
            name: reference(rows[name].to_numpy(np.float64), clients=clients).to_dict()
            for name in names
        },
        "predictions": reference(predict(rows), clients=clients).to_dict(),
        "unknown_words": unknown_words,
    }


def _days_before(first: pd.Timestamp, features: pd.DataFrame) -> int:
    """Days of history before a date, as seen from the training clients."""
    if "tenure_days" not in features:
        return 0
    longest = features["tenure_days"] - (features["observed_on"] - first).dt.days
    return int(longest.max()) if longest.notna().any() else 0
