"""Live metrics: how past predictions fared once their outcomes were known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from evergreen.core.evaluation.losses import LOSS_NAME, row_losses
from evergreen.core.events.label_selection import KEYS

if TYPE_CHECKING:
    from evergreen.core.evaluation.losses import Kind

EVEN = 0.5


def with_outcomes(predictions: pd.DataFrame, labels: pd.DataFrame, column: str) -> pd.DataFrame:
    """Join what was predicted for a target with what happened, as far as it is known.

    These predictions were made before their outcomes existed and for all clients, so they judge
    a release more honestly than any comparison on held-out rows; they come a horizon later.

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
    made = predictions[predictions[column].notna() & predictions["release"].notna()]
    made = made[[*KEYS, "release", column]].rename(columns={column: "prediction"})
    matched = made.merge(labels[[*KEYS, "known_on", "label"]], on=KEYS, validate="one_to_one")
    return matched[[*KEYS, "known_on", "release", "prediction", "label"]]


def live_metrics(kind: Kind, matched: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Measure what production said against what happened, release by release.

    Parameters
    ----------
    matched
        See `with_outcomes`.

    Returns
    -------
    dict
        For each release: rows, clients, the mean loss that the gate decides by (an amount is not
        capped, and its floor is 1 % of the mean amount of these rows), mean prediction and label,
        and for yes or no the share of rows that were told right (above 0.5 or not).
    """
    return {
        str(release): {
            "rows": len(rows),
            "clients": int(rows["client_id"].nunique()),
            LOSS_NAME[kind]: float(row_losses(kind, rows["label"], rows["prediction"]).mean()),
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
