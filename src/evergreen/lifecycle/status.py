"""Status before a run: what is served and how old it is, what awaits review, what is due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from rich.table import Column, Table

from evergreen.history import run_records
from evergreen.history.alerts import alert_lines
from evergreen.history.retraining_plan import NewLabels, preview
from evergreen.lifecycle import review
from evergreen.lifecycle.publish import served_models
from evergreen.settings import paths
from evergreen.settings.pipeline import Settings
from evergreen.store import files, models
from evergreen.store.reports import read_drift
from evergreen.vcs import run_log


def next_date(settings: Settings) -> date:
    """The day after the last recorded run; the date of the first run if none is recorded."""
    last = run_records.last()
    return last.as_of + timedelta(days=1) if last else settings.as_of


def status(settings: Settings, as_of: date) -> Iterator[Table | str]:
    """Tables and lines for a terminal: the status before a run.

    Labels are counted from the rows ingested so far.
    """
    champions = served_models()
    plan, labels, through = preview(settings, as_of, "auto", champions)
    yield _table(champions, labels, as_of)
    yield from plan.lines()
    yield f"rows are ingested through {through}"
    busy = run_log.at_work()
    if busy:
        yield f"at work: {busy}"
    if paths.COMPARISON_REPORT.exists() and not busy:
        comparison = files.read_json(paths.COMPARISON_REPORT, next_step="dvc repro")
        yield from (
            f"warning: {name}: {warning}"
            for name, result in comparison.items()
            for warning in result["warnings"]
        )
    if paths.DRIFT_REPORT.exists() and not busy:
        yield from alert_lines(read_drift(next_step="dvc repro"))
    yield from (f"held: {name}: {reason}" for name, reason in settings.hold.items())
    yield from map(str, review.pending_runs())


def _table(champions: dict[str, models.Model], labels: dict[str, NewLabels], as_of: date) -> Table:
    last = run_records.last()
    title = f"Before the run of {as_of}; the last was {last.as_of if last else 'none'}"
    table = Table(
        Column("target", no_wrap=True),
        Column("model served", no_wrap=True),
        Column("trained through", min_width=len("2017-04-01")),
        Column("age in days", justify="right"),
        Column("new labels", justify="right"),
        title=title,
        title_justify="left",
    )
    for name, new in labels.items():
        version, through, age = "none", "", ""
        if model := champions.get(name):
            version, through = model.manifest.version, model.manifest.trained_through
            age = str((as_of - date.fromisoformat(through)).days)
        table.add_row(name, version, through, age, f"{new.for_update:,}")
    return table
