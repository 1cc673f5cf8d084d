"""Live metrics: past predictions compared with their outcomes."""

from __future__ import annotations

from typing import Any

import pandas as pd

from evergreen.core.evaluation.losses import LOSS_NAME, Kind, row_losses
from evergreen.core.events.label_selection import KEYS
from evergreen.core.events.loss_scale import LossScale

EVEN = 0.5


def with_outcomes(predictions: pd.DataFrame, labels: pd.DataFrame, column: str) -> pd.DataFrame:
    """Match predictions for a target with their known outcomes.

    These predictions were made for all clients, before their outcomes existed, so they judge a
    release more honestly than any comparison on held-out rows; but they come a horizon later.

    Parameters
    ----------
    predictions
        client_id, observed_on, release, and the target's column.
    labels
        client_id, observed_on, known_on and label of the target, as known today.

    Returns
    -------
    DataFrame
        client_id, observed_on, known_on, release, prediction and label, in the order of
        `predictions`.
    """
    if column not in predictions:
        predictions = pd.DataFrame(columns=[*KEYS, "release", column]).astype(
            {"observed_on": "datetime64[us]", "release": "str", column: "float64"}
        )
    known = predictions[predictions[column].notna() & predictions["release"].notna()]
    known = known[[*KEYS, "release", column]].rename(columns={column: "prediction"})
    matched = known.merge(labels[[*KEYS, "known_on", "label"]], on=KEYS, validate="one_to_one")
    return matched[[*KEYS, "known_on", "release", "prediction", "label"]]


def live_metrics(kind: Kind, matched: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Compare the predictions of production with their outcomes, release by release.

    Parameters
    ----------
    matched
        See `with_outcomes`.

    Returns
    -------
    dict
        For each release: rows, clients, the mean loss that the gate decides by (for amounts on the
        scale of the labels of all these rows), mean prediction and label, and for binary targets
        the accuracy (1 is predicted above 0.5).
    """
    scale = LossScale.of_labels(matched["label"], matched["client_id"])
    return {
        str(release): {
            "rows": len(rows),
            "clients": int(rows["client_id"].nunique()),
            LOSS_NAME[kind]: float(
                row_losses(kind, rows["label"], rows["prediction"], scale).mean()
            ),
            "mean_prediction": float(rows["prediction"].mean()),
            "mean_label": float(rows["label"].mean()),
            **_accuracy(kind, rows["label"], rows["prediction"]),
        }
        for release, rows in matched.groupby("release", sort=True)
    }


def _accuracy(kind: Kind, labels: pd.Series, predicted: pd.Series) -> dict[str, float]:
    if kind != "binary":
        return {}
    return {"accuracy": float(((predicted > EVEN) == (labels > EVEN)).mean())}
