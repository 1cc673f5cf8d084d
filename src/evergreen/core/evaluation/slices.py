"""Losses by slice: new and old clients, days since the last purchase, spend so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pandas as pd

from evergreen.core.evaluation.gain import IntArray, relative_gain
from evergreen.core.evaluation.losses import FloatArray, minority_count, row_losses

if TYPE_CHECKING:
    from evergreen.core.evaluation.curves import ScoredRows

    BoolArray = np.ndarray[tuple[int], np.dtype[np.bool_]]

READ: Final[tuple[str, ...]] = ("tenure_days", "recency_days", "monetary")
"""The features that slices are cut by."""
NEW_DAYS: Final = 28
RECENCY_DAYS: Final = (7, 28, 91)
VALUE_SHARES: Final = (0.5, 0.9)
MIN_ROWS: Final = 100
MIN_CLIENTS: Final = 30
MIN_MINORITY: Final = 10
ALPHA: Final = 0.025
COLUMNS: Final = {
    "slice": "str",
    "band": "str",
    "model": "str",
    "rows": "int64",
    "clients": "int64",
    "mean_label": "float64",
    "mean_prediction": "float64",
    "loss": "float64",
    "gain": "float64",
    "low": "float64",
    "high": "float64",
}


class Band(NamedTuple):
    """A part of the rows by one feature, with a name that is the same in every run."""

    slice: str
    name: str
    inside: BoolArray


def bands(features: pd.DataFrame) -> list[Band]:
    """Slice rows by what was known about their clients when they were observed.

    ``client``: first seen in the last 28 days, or earlier. ``recency``: days since the last
    purchase. ``value``: spend so far, by rank among these rows, equal amounts in one band.

    Parameters
    ----------
    features
        The available columns of `READ`, one row for each label; NaN in recency_days for a client
        who has never bought.
    """
    slices = []
    if "tenure_days" in features:
        new = features["tenure_days"].to_numpy(np.float64) <= NEW_DAYS
        slices += [Band("client", "new", new), Band("client", "old", ~new)]
    if "recency_days" in features:
        slices += _recency(features["recency_days"].to_numpy(np.float64))
    if "monetary" in features:
        slices += _value(features["monetary"].to_numpy(np.float64))
    return slices


def _recency(days: FloatArray) -> list[Band]:
    place = np.searchsorted(RECENCY_DAYS, days, side="left")
    names = [
        f"{first} to {last} days" for first, last in zip((1, 8, 29), RECENCY_DAYS, strict=True)
    ]
    never = np.isnan(days)
    return [
        *(Band("recency", name, (place == k) & ~never) for k, name in enumerate(names)),
        Band("recency", "longer ago", (place == len(names)) & ~never),
        Band("recency", "never bought", never),
    ]


def _value(spend: FloatArray) -> list[Band]:
    edges = np.quantile(spend, VALUE_SHARES, method="lower") if spend.size else np.zeros(2)
    place = np.searchsorted(edges, spend, side="left")
    names = ("lower half", "next 40 %", "top 10 %")
    return [Band("value", name, place == k) for k, name in enumerate(names)]


def slice_rows(
    scored: ScoredRows,
    features: pd.DataFrame,
    *,
    reference: str,
    challengers: tuple[str, ...],
) -> pd.DataFrame:
    """Compute the losses of champion and challengers by band, and the challengers' gains.

    Parameters
    ----------
    scored
        The rows of one target, as the gate judged them.
    features
        As for `bands`.
    reference
        What the challengers have to beat.

    Returns
    -------
    DataFrame
        The columns of `COLUMNS`, a row for each band that has clients and each model. `low` and
        `high` are the 95 % interval of the gain, clustered by client: a description only, since one
        in twenty such intervals misses the truth. Below 100 rows, 30 clients or 10 labels of the
        minority class there are counts but no losses.
    """
    kind, y_true, ids, scale = scored.outcomes
    y = np.asarray(y_true, dtype=np.float64)
    known = np.isfinite(y)
    codes, _ = pd.factorize(pd.Series(ids).to_numpy())
    models = (reference, *challengers)
    predictions = {m: np.asarray(scored.predictions[m], np.float64) for m in models}
    losses = {m: row_losses(kind, y, values, scale) for m, values in predictions.items()}
    lines: list[dict[str, Any]] = []
    for band in bands(features):
        inside = band.inside & known
        clients = pd.factorize(codes[inside])[0]
        rows, distinct = len(clients), int(clients.max(initial=-1)) + 1
        key = {"slice": band.slice, "band": band.name, "rows": rows, "clients": distinct}
        enough = (
            rows >= MIN_ROWS
            and distinct >= MIN_CLIENTS
            and minority_count(kind, y[inside]) >= MIN_MINORITY
        )
        for model in models if rows else ():
            lines.append(key | {"model": model})
            if enough:
                lines[-1] |= {"mean_label": y[inside].mean()}
                lines[-1] |= {"mean_prediction": predictions[model][inside].mean()}
                lines[-1] |= _figures(losses, model, reference, inside, clients)
    return pd.DataFrame(lines, columns=list(COLUMNS)).astype(COLUMNS)


def table(rows: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Join the rows of all targets, rounded to 6 decimals, with the target as first column."""
    parts = [part.assign(target=target) for target, part in rows.items()]
    columns = ["target", *COLUMNS]
    joined = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    return joined[columns].round(6)


def _figures(
    losses: Mapping[str, FloatArray],
    model: str,
    reference: str,
    inside: BoolArray,
    clients: IntArray,
) -> dict[str, float | None]:
    inside_losses = losses[model][inside]
    loss = float(inside_losses.mean())
    if model == reference:
        return {"loss": loss}
    gain = relative_gain(losses[reference][inside], inside_losses, clients, alpha=ALPHA)
    low, high = gain.interval or (None, None)
    return {"loss": loss, "gain": gain.gain, "low": low, "high": high}
