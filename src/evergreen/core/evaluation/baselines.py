"""Baselines: simple predictions that models are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evergreen.core.events.label_rules import RULES
from evergreen.core.features.btyd_columns import probability_column, spend_column
from evergreen.settings.names import KIND_OF_LABEL

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.settings.names import Label

Baseline = dict[str, float | str | list[float]]

BINS = 10


def fit_baselines(
    label: Label, features: pd.DataFrame, labels: pd.Series, *, horizon_days: int
) -> dict[str, Baseline]:
    """Fit the baselines on the rows that the model is trained on.

    ``base_rate`` predicts the mean label for everyone.

    ``last_period`` predicts that the next `horizon_days` will be like the last: for a binary target
    the mean label of those who bought in them, and of those who didn't; for an amount the mean
    label of the clients who spent as much in them, in at most ten bins of equal counts. It is left
    out if the history is too short for the feature that it needs, or all clients are alike in it.

    ``btyd`` predicts what the buy-till-you-die models of the feature extractor expect, and the mean
    label for those who have never bought. It is left out if these models could not be fitted.

    Returns
    -------
    dict
        The figures of each baseline by name, as a manifest keeps them; see `predict_baseline`.
    """
    mean = float(labels.mean())
    baselines: dict[str, Baseline] = {"base_rate": {"mean": mean}}
    rule = RULES[label]
    seen = f"{rule.measure}_{horizon_days}d"
    if seen in features:
        values = features[seen].to_numpy(np.float64), labels.to_numpy(np.float64)
        baselines |= _last_period(seen, *values, binary=KIND_OF_LABEL[label] == "binary")
    expected = _EXPECTED[rule.measure](horizon_days)
    if expected in features:
        line = {"offset": rule.offset, "slope": rule.slope}
        baselines["btyd"] = {"column": expected, **line, "where_unknown": mean}
    return baselines


_EXPECTED = {"purchases": probability_column, "spend": spend_column}
_LINE = ("offset", "slope", "where_unknown")


def _last_period(
    column: str, seen: np.ndarray, labels: np.ndarray, *, binary: bool
) -> dict[str, Baseline]:
    edges = np.zeros(1) if binary else _edges(seen)
    bins = np.searchsorted(edges, seen, side="left")
    if len(set(bins)) < len(edges) + 1 or not len(edges):
        return {}
    means = [float(labels[bins == k].mean()) for k in range(len(edges) + 1)]
    return {"last_period": {"column": column, "edges": edges.tolist(), "means": means}}


def _edges(seen: np.ndarray) -> np.ndarray:
    """Upper ends of all bins but the last."""
    quantiles = np.quantile(seen, np.arange(1, BINS) / BINS, method="lower")
    return np.unique(quantiles[quantiles < seen.max()])


def columns_of(baselines: dict[str, Baseline]) -> list[str]:
    """The columns that baselines predict from."""
    return sorted({str(b["column"]) for b in baselines.values() if "column" in b})


def predict_baseline(baseline: Baseline, features: pd.DataFrame) -> np.ndarray:
    """Predict a probability or an amount for each row: float64 (n,)."""
    if "mean" in baseline:
        return np.full(len(features), baseline["mean"], dtype=np.float64)
    seen = features[str(baseline["column"])].to_numpy(np.float64)
    if "slope" in baseline:
        offset, slope, unknown = (np.asarray(baseline[k], dtype=np.float64) for k in _LINE)
        return np.where(np.isnan(seen), unknown, offset + slope * seen)
    bins = np.searchsorted(np.asarray(baseline["edges"], dtype=np.float64), seen, side="left")
    return np.asarray(baseline["means"], dtype=np.float64)[bins]
