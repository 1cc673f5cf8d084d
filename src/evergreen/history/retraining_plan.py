"""What a run is to do: an incremental update, a full retrain, or neither, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from evergreen.core.events.label_selection import as_known
from evergreen.core.wording import plural

if TYPE_CHECKING:
    from datetime import date

    from evergreen.settings.pipeline import Incremental, Schedule, Settings
    from evergreen.store.models import Model


@dataclass(frozen=True)
class Waiting:
    """What has come for a target.

    Attributes
    ----------
    for_update
        Labels of training clients that are new to the model which the next update goes on from.
    since_full
        Labels of training clients that became known since the last full retrain.
    at_full
        Labels that it was trained on.
    updates
        How often that model was updated since its own full fit; None without a champion.
    """

    for_update: int
    since_full: int
    at_full: int
    updates: int | None


@dataclass(frozen=True)
class Due:
    """The outcome, in words for the history."""

    full: bool
    why_full: str
    why_incremental: str


def what_is_due(
    as_of: date,
    last_full: date,
    waiting: dict[str, Waiting],
    *,
    mode: str,
    schedule: Schedule,
    incremental: Incremental,
    alert: str | None = None,
) -> Due:
    """Decide on a full retrain, and foretell the update.

    A full retrain is due when an alert is unanswered (`alert` says which; see
    `evergreen.history.alerts.unanswered`), after so many days, or new labels, or when a chain
    of updates is at its bound; but for the sake of labels never before they add `full_after_growth`
    to what was trained on: a large retailer has a thousand new labels every hour.
    """
    full, why = _full(as_of, last_full, waiting, schedule, incremental)
    if alert is not None:
        full, why = True, alert
    if mode != "auto":
        full, why = mode == "full", f"as asked for by mode {mode}"
    ready = {n: w.for_update for n, w in waiting.items() if w.updates is not None}
    enough = {n: c for n, c in ready.items() if c >= incremental.min_new_labels}
    counts = ", ".join(f"{name} {count:,}" for name, count in ready.items())
    if mode == "compare":
        update = "not asked for by mode compare"
    elif not ready:
        update = "there is no champion to update"
    else:
        state = "due" if enough else "not due"
        update = f"{state}: new labels {counts}; {incremental.min_new_labels} are needed"
    return Due(full, why, update)


def _full(
    as_of: date,
    last_full: date,
    waiting: dict[str, Waiting],
    schedule: Schedule,
    incremental: Incremental,
) -> tuple[bool, str]:
    age = (as_of - last_full).days
    ago = f"the last was {plural(age, 'day')} ago"
    if age >= schedule.full_after_days:
        return True, f"{ago}, {schedule.full_after_days} are allowed"
    for name, found in waiting.items():
        if (found.updates or 0) >= incremental.max_updates:
            return True, f"{name} has had {found.updates} updates since its last full fit"
        grown = found.since_full >= schedule.full_after_growth * max(1, found.at_full)
        if found.since_full >= schedule.full_after_labels and grown:
            return True, f"{name} has {found.since_full:,} labels more than at the last"
    most = max((found.since_full for found in waiting.values()), default=0)
    return False, f"{ago}, and at most {most:,} labels have come since"


def foresee(
    settings: Settings,
    as_of: date,
    mode: str,
    bases: dict[str, Model],
    labels: pd.DataFrame,
    *,
    alert: str | None,
) -> tuple[Due, date]:
    """What is due on a date, and the date of the last full retrain of a run for it.

    Parameters
    ----------
    bases
        The models that the run's updates would go on from; see `evergreen.store.challengers.bases`.
    labels
        All versions of the labels of training clients that are known by then.
    alert
        As for `what_is_due`.
    """
    waiting = waiting_labels(settings, as_of, bases, labels)
    due = what_is_due(
        as_of,
        settings.full_retrain.as_of,
        waiting,
        mode=mode,
        schedule=settings.schedule,
        incremental=settings.incremental,
        alert=alert,
    )
    return due, as_of if due.full else settings.full_retrain.as_of


def waiting_labels(
    settings: Settings, as_of: date, bases: dict[str, Model], labels: pd.DataFrame
) -> dict[str, Waiting]:
    """What has come for each target; the parameters are those of `foresee`."""
    return {
        name: _waiting(
            settings, as_known(labels[labels["target"] == name], by=as_of), bases.get(name)
        )
        for name in settings.targets
    }


def _waiting(settings: Settings, known: pd.DataFrame, base: Model | None) -> Waiting:
    since_full = int((known["known_on"] > pd.Timestamp(settings.full_retrain.as_of)).sum())
    through = base.manifest.trained_through if base else "1970-01-01"
    return Waiting(
        for_update=int((known["known_on"] > pd.Timestamp(through)).sum()),
        since_full=since_full,
        at_full=len(known) - since_full,
        updates=base.manifest.updates if base else None,
    )
