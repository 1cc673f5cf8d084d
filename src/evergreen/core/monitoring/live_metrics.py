"""Live metrics: past predictions compared with their outcomes.

These predictions were made for all clients, before their outcomes existed, so they judge a release
more honestly than any comparison on held-out rows; but they come a horizon later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from math import fsum
from typing import TYPE_CHECKING, Any, NamedTuple

from evergreen.core.evaluation.losses import LOSS_NAME, Kind, row_losses

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.core.events.loss_scale import LossScale

EVEN = 0.5


class LiveSums(NamedTuple):
    """Sums over predictions of a release that have met their outcome.

    Attributes
    ----------
    hits
        How many predicted probabilities are on the right side of one half.
    """

    rows: int
    loss: float
    prediction: float
    label: float
    hits: int


def live_sums(kind: Kind, matched: pd.DataFrame, scale: LossScale) -> dict[str, LiveSums]:
    """Add up predictions with their outcomes, release by release.

    Parameters
    ----------
    matched
        release, prediction and label; and previous, the label that a correction replaces, else NaN:
        a correction adds the difference that it makes.
    scale
        For the loss that the gate decides by.
    """
    return {
        str(release): _sums(kind, rows, scale)
        for release, rows in matched.groupby("release", sort=True)
    }


def _sums(kind: Kind, rows: pd.DataFrame, scale: LossScale) -> LiveSums:
    corrected = rows[rows["previous"].notna()]
    now, before = (
        _sums_of(kind, labels, predictions, scale)
        for labels, predictions in (
            (rows["label"], rows["prediction"]),
            (corrected["previous"], corrected["prediction"]),
        )
    )
    return LiveSums._make(new - old for new, old in zip(now, before, strict=True))


def _sums_of(kind: Kind, labels: pd.Series, predicted: pd.Series, scale: LossScale) -> LiveSums:
    if labels.empty:
        return LiveSums(0, 0.0, 0.0, 0.0, 0)
    return LiveSums(
        len(labels),
        fsum(row_losses(kind, labels, predicted, scale)),
        fsum(predicted),
        fsum(labels),
        int(((predicted > EVEN) == (labels > EVEN)).sum()),
    )


def live_metrics(kind: Kind, sums: Iterable[dict[str, LiveSums]]) -> dict[str, dict[str, Any]]:
    """Compare the predictions of production with their outcomes, release by release.

    Parameters
    ----------
    sums
        See `live_sums`; a release may be in several.

    Returns
    -------
    dict
        For each release: rows, the mean loss that the gate decides by, mean prediction and label,
        and for binary targets the accuracy (1 is predicted above 0.5).
    """
    by_release = defaultdict(list)
    for part in sums:
        for release, of_release in part.items():
            by_release[release].append(of_release)
    return {release: _metrics(kind, parts) for release, parts in sorted(by_release.items())}


def _metrics(kind: Kind, parts: list[LiveSums]) -> dict[str, Any]:
    total = LiveSums._make(map(fsum, zip(*parts, strict=True)))
    rows = int(total.rows)
    metrics = {
        "rows": rows,
        LOSS_NAME[kind]: total.loss / rows,
        "mean_prediction": total.prediction / rows,
        "mean_label": total.label / rows,
    }
    return metrics | ({"accuracy": total.hits / rows} if kind == "binary" else {})
