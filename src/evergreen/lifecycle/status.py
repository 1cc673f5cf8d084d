"""The state of things before a run: what is served and how old it is, what waits, what is due."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from rich.table import Table

from evergreen.history import run_records
from evergreen.history.alerts import in_lines, unanswered_before
from evergreen.history.retraining_plan import foresee, waiting_labels
from evergreen.lifecycle import review
from evergreen.lifecycle.pin import training_labels
from evergreen.lifecycle.publish import published
from evergreen.settings import paths
from evergreen.store import challengers, files, tables
from evergreen.store.releases import load_release
from evergreen.store.reports import read_drift

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evergreen.history.retraining_plan import Waiting
    from evergreen.settings.pipeline import Settings
    from evergreen.store.models import Model


def next_date(settings: Settings) -> date:
    """The day after the last recorded run; the date of the first run where none is recorded."""
    last = run_records.last()
    return last.as_of + timedelta(days=1) if last else settings.as_of


def state(settings: Settings, as_of: date) -> Iterator[Table | str]:
    """Tables and lines for a terminal: how things stand for a run as of a date.

    Labels are counted as far as their rows have been taken in.
    """
    champions = load_release(paths.CURRENT).models if published() else {}
    known = max(tables.partitions(paths.TRANSACTIONS), default=as_of)
    seen = min(as_of, known + timedelta(days=1))
    labels = training_labels(settings, seen)
    bases = challengers.following(champions, max_updates=settings.incremental.max_updates)
    waiting = waiting_labels(settings, seen, bases, labels)
    yield _table(champions, waiting, as_of)
    alert = unanswered_before(as_of, settings.full_retrain.as_of)
    due, _ = foresee(settings, as_of, "auto", bases, labels, alert=alert)
    yield f"full retrain {'due' if due.full else 'not due'}: {due.why_full}"
    yield f"incremental update {due.why_incremental}"
    yield f"rows are taken in through {known}"
    if paths.COMPARISON_REPORT.exists():
        compared = files.read_json(paths.COMPARISON_REPORT, next_step="dvc repro")
        yield from (
            f"warning: {name}: {words}"
            for name, found in compared.items()
            for words in found["warnings"]
        )
    if paths.DRIFT_REPORT.exists():
        yield from in_lines(read_drift(next_step="dvc repro"))
    yield from (f"held: {name}: {why}" for name, why in settings.hold.items())
    yield from map(str, review.waiting())


def _table(champions: dict[str, Model], waiting: dict[str, Waiting], as_of: date) -> Table:
    last = run_records.last()
    title = f"Before the run of {as_of}; the last was {last.as_of if last else 'none'}"
    table = Table(title=title, title_justify="left")
    table.add_column("target", no_wrap=True)
    table.add_column("model served", no_wrap=True)
    table.add_column("learned through", min_width=len("2017-04-01"))
    table.add_column("age in days", justify="right")
    table.add_column("labels waiting", justify="right")
    for name, found in waiting.items():
        model = champions.get(name)
        if model is None:
            table.add_row(name, "none", "", "", f"{found.for_update:,}")
            continue
        through = date.fromisoformat(model.manifest.trained_through)
        age = str((as_of - through).days)
        labels = f"{found.for_update:,}"
        table.add_row(name, model.manifest.version, str(through), age, labels)
    return table
