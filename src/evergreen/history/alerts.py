"""Alerts of past runs, and which of them no full retrain has answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from evergreen.core.monitoring.findings import DECLINE, INPUTS, PREDICTIONS
from evergreen.history import run_records

Raised = tuple[date, Mapping[str, Sequence[str]]]

QUIET_DAYS = 28
"""An alert that returns after more days than these is a new one."""

MESSAGES = {
    DECLINE: "performance has declined",
    INPUTS: "inputs have drifted",
    PREDICTIONS: "predictions have drifted",
}
"""The message of each kind of alert, after the name of the target."""


def unanswered(raised: Sequence[Raised], last_full: date) -> str | None:
    """Describe the alerts of the last run that no full retrain has followed.

    An alert dates from the first run that raised it, with pauses of up to `QUIET_DAYS`. A full
    retrain on that date or later answers it, whatever the outcome: otherwise a lasting alert would
    make a full retrain due every day.

    Parameters
    ----------
    raised
        The date of each run, in order, and the kinds of alerts it raised for each target.
    last_full
        The date of the last full retrain.

    Returns
    -------
    str or None
        None if there is no such alert.
    """
    if not raised:
        return None
    alerts = [
        f"{target} {MESSAGES[kind]} (reported on {since})"
        for target, kinds in raised[-1][1].items()
        for kind in kinds
        for since in [_since(raised, target, kind)]
        if last_full < since
    ]
    return "; ".join(alerts) or None


def _since(raised: Sequence[Raised], target: str, kind: str) -> date:
    since = raised[-1][0]
    for day, alerts in reversed(raised):
        if kind in alerts.get(target, ()):
            since = day
        elif (since - day).days > QUIET_DAYS:
            break
    return since


def unanswered_before(as_of: date, last_full: date) -> str | None:
    """The unanswered alerts of the recorded runs before a date; see `unanswered`."""
    days = [day for day in run_records.dates() if day < as_of]
    if not days or not any(_kinds(run_records.read(days[-1])).values()):
        return None
    return unanswered_in([run_records.read(day) for day in days], last_full)


def unanswered_in(records: Sequence[run_records.RunRecord], last_full: date) -> str | None:
    """The unanswered alerts of some records, in the order of their dates; see `unanswered`."""
    return unanswered([(record.as_of, _kinds(record)) for record in records], last_full)


def _kinds(record: run_records.RunRecord) -> dict[str, list[str]]:
    return {name: [a.kind for a in target.alerts] for name, target in record.targets.items()}


def alert_lines(report: Mapping[str, Any]) -> list[str]:
    """A line for each alert of ``reports/drift.json``."""
    return [
        f"{name}: alert: {name} {MESSAGES[alert['kind']]}: {alert['message']}"
        for name, target in report.items()
        for alert in target["alerts"]
    ]
