"""Alerts of past runs, and which of them no full retrain has answered yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evergreen.core.monitoring.findings import DECLINE, INPUTS, PREDICTIONS
from evergreen.history import run_records

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    Raised = tuple[date, Mapping[str, Sequence[str]]]

QUIET_DAYS = 28
"""After so long without it an alert is a new one."""

WORDS = {
    DECLINE: "has declined",
    INPUTS: "sees inputs that have drifted",
    PREDICTIONS: "says predictions that have drifted",
}


def unanswered(raised: Sequence[Raised], last_full: date) -> str | None:
    """The alerts of the last run that no full retrain has followed, in words.

    An alert stands from the first run that raised it, with pauses of up to `QUIET_DAYS`. A full
    retrain of that run, or of a later one, has answered it, whatever came of it: else an alert that
    stays would make a full retrain due every day.

    Parameters
    ----------
    raised
        For each run, in order: its date, and the kinds of alerts by target.
    last_full
        The date of the last full retrain.

    Returns
    -------
    str or None
        None where there is no such alert.
    """
    if not raised:
        return None
    found = [
        f"{target} {WORDS[kind]} (reported on {standing})"
        for target, kinds in raised[-1][1].items()
        for kind in kinds
        for standing in [_standing_since(raised, target, kind)]
        if last_full < standing
    ]
    return "; ".join(found) or None


def _standing_since(raised: Sequence[Raised], target: str, kind: str) -> date:
    since = raised[-1][0]
    for day, alerts in reversed(raised):
        if kind in alerts.get(target, ()):
            since = day
        elif (since - day).days > QUIET_DAYS:
            break
    return since


def unanswered_before(as_of: date, last_full: date) -> str | None:
    """The same of the recorded runs before a date."""
    days = [day for day in run_records.dates() if day < as_of]
    if not days or not any(_kinds(run_records.read(days[-1])).values()):
        return None
    return unanswered_in([run_records.read(day) for day in days], last_full)


def unanswered_in(records: Sequence[run_records.RunRecord], last_full: date) -> str | None:
    """The same of some records, in the order of their dates."""
    return unanswered([(record.as_of, _kinds(record)) for record in records], last_full)


def _kinds(record: run_records.RunRecord) -> dict[str, list[str]]:
    return {name: [a.kind for a in target.alerts] for name, target in record.targets.items()}


def in_lines(report: Mapping[str, Any]) -> list[str]:
    """A line for each alert of ``reports/drift.json``."""
    return [
        f"{name}: alert: {name} {WORDS[alert['kind']]}: {alert['message']}"
        for name, found in report.items()
        for alert in found["alerts"]
    ]
