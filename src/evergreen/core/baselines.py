"""What anyone could predict without a model: a first release has to beat these."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.core.losses import Kind

Baseline = dict[str, float | str | list[float]]

BINS = 10


def fit_baselines(
    kind: Kind, features: pd.DataFrame, labels: pd.Series, *, horizon_days: int
) -> dict[str, Baseline]:
    """Fit the baselines on the rows that the model is trained on.

    ``base_rate`` predicts the mean label for everyone. ``last_period`` says that the next
    `horizon_days` will be like the last: for a binary target the mean label of those who did, and
    of those who did not, buy in them; for an amount that of the clients who spent as much in them,
    in at most ten bins of equal counts. It is left out where the history can't support the feature
    that it needs, or all clients are alike in it.

    Returns
    -------
    dict
        Name to figures, as they stand in a manifest; see `predict_baseline`.
    """
    made: dict[str, Baseline] = {"base_rate": {"mean": float(labels.mean())}}
    column = f"{'purchases' if kind == 'binary' else 'spend'}_{horizon_days}d"
    if column not in features:
        return made
    seen = features[column].to_numpy(np.float64)
    edges = _edges(kind, seen)
    bins = np.searchsorted(edges, seen, side="left")
    if len(set(bins)) < len(edges) + 1 or not len(edges):
        return made
    values = labels.to_numpy(np.float64)
    means = [float(values[bins == k].mean()) for k in range(len(edges) + 1)]
    return made | {"last_period": {"column": column, "edges": edges.tolist(), "means": means}}


def _edges(kind: Kind, seen: np.ndarray) -> np.ndarray:
    """Upper ends of all bins but the last."""
    if kind == "binary":
        return np.zeros(1)
    quantiles = np.quantile(seen, np.arange(1, BINS) / BINS, method="lower")
    return np.unique(quantiles[quantiles < seen.max()])


def predict_baseline(baseline: Baseline, features: pd.DataFrame) -> np.ndarray:
    """Predict a probability or an amount for each row: float64 (n,)."""
    if "mean" in baseline:
        return np.full(len(features), baseline["mean"], dtype=np.float64)
    seen = features[str(baseline["column"])].to_numpy(np.float64)
    bins = np.searchsorted(np.asarray(baseline["edges"], dtype=np.float64), seen, side="left")
    return np.asarray(baseline["means"], dtype=np.float64)[bins]
