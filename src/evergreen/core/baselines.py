"""What anyone could predict without a model: a first release has to beat these."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

Baseline = dict[str, float | str]


def fit_baselines(
    kind: str, features: pd.DataFrame, labels: pd.Series, *, horizon_days: int
) -> dict[str, Baseline]:
    """Fit the baselines on the rows that the model is trained on.

    ``base_rate`` predicts the mean label for everyone. ``last_period`` says that the next
    `horizon_days` will be like the last: for a binary target the share of positives among those
    who did and did not buy in them; for an amount what was spent in them. It is left out where the
    history can't support the feature it needs.

    Returns
    -------
    dict
        Name to figures, as they stand in a manifest; see `predict_baseline`.
    """
    made: dict[str, Baseline] = {"base_rate": {"mean": float(labels.mean())}}
    column = f"{'purchases' if kind == 'binary' else 'spend'}_{horizon_days}d"
    if column not in features:
        return made
    if kind == "regression":
        return made | {"last_period": {"column": column}}
    active = features[column].to_numpy() > 0
    if active.all() or not active.any():
        return made
    values = labels.to_numpy(np.float64)
    rates = {"active": float(values[active].mean()), "idle": float(values[~active].mean())}
    return made | {"last_period": {"column": column, **rates}}


def predict_baseline(baseline: Baseline, features: pd.DataFrame) -> np.ndarray:
    """Predict a probability or an amount for each row: float64 (n,)."""
    if "mean" in baseline:
        return np.full(len(features), float(baseline["mean"]))
    column = features[str(baseline["column"])].to_numpy(np.float64)
    if "active" in baseline:
        return np.where(column > 0, float(baseline["active"]), float(baseline["idle"]))
    spent: np.ndarray = np.maximum(column, 0.0)
    return spent
