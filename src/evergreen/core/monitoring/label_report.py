"""Summary of the labels of a target, and of past predictions that have met their outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from evergreen.core.monitoring.live_metrics import live_metrics, with_outcomes
from evergreen.settings.names import Kind

if TYPE_CHECKING:
    import pandas as pd


class LabelReport(NamedTuple):
    """The report of a target.

    Attributes
    ----------
    summary
        Counts of labels, their mean, and live metrics by release.
    matched
        The predictions of production with their outcomes; see `with_outcomes`.
    """

    summary: dict[str, Any]
    matched: pd.DataFrame


def label_report(
    kind: Kind,
    versions: pd.DataFrame,
    production: pd.DataFrame,
    external: pd.DataFrame,
    *,
    column: str,
) -> LabelReport:
    """Summarize the labels of a target.

    Parameters
    ----------
    versions
        Every version of the labels of the target.
    production
        Every prediction of past runs, in `column`; it may lack that column.
    external
        Predictions that were made outside of Evergreen, in the column ``value``.
    """
    labels = versions[versions["superseded_on"].isna()]
    matched = with_outcomes(production, labels, column)
    matched_external = with_outcomes(external, labels, "value")
    summary = {
        "labels": len(labels),
        "labels_holdout": int(labels["holdout"].sum()),
        "labels_revised": len(versions) - len(labels),
        "mean": float(labels["label"].mean()) if len(labels) else None,
        "last_observed_on": str(labels["observed_on"].max().date()) if len(labels) else None,
        "live": live_metrics(kind, matched) | live_metrics(kind, matched_external),
    }
    return LabelReport(summary, matched)
