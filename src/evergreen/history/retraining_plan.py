"""Plan a run: whether a full retrain or an incremental update is due, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from evergreen.core.wording import plural
from evergreen.history.alerts import unanswered_before
from evergreen.settings import paths
from evergreen.settings.pipeline import Incremental, Schedule, Settings
from evergreen.store import challengers, models, tables
from evergreen.store.cache import Cache
from evergreen.store.label_counts import count_training_labels


@dataclass(frozen=True)
class NewLabels:
    """Labels of training clients for a target.

    Attributes
    ----------
    for_update
        Labels that are new to the model which the next update starts from.
    since_full
        Labels that became known since the last full retrain.
    at_full
        Labels known at the last full retrain.
    updates
        Updates of that model since its full fit; None without a champion.
    """

    for_update: int
    since_full: int
    at_full: int
    updates: int | None


@dataclass(frozen=True)
class RetrainingPlan:
    """What a run does, and why.

    Attributes
    ----------
    full
        Whether a full retrain is due.
    full_reason, update_reason
        Reasons for messages and the history.
    """

    full: bool
    full_reason: str
    update_reason: str

    def lines(self) -> list[str]:
        """A line about the full retrain, and one about the update."""
        return [
            f"full retrain {'due' if self.full else 'not due'}: {self.full_reason}",
            f"incremental update {self.update_reason}",
        ]

    def last_full(self, settings: Settings, as_of: date) -> date:
        """The date of the last full retrain once a run of a date has followed this plan."""
        return as_of if self.full else settings.full_retrain.as_of


def plan_from_counts(
    as_of: date,
    last_full: date,
    labels: Mapping[str, NewLabels],
    *,
    mode: str,
    schedule: Schedule,
    incremental: Incremental,
    alert: str | None = None,
) -> RetrainingPlan:
    """Decide on a full retrain, and predict whether there will be an update.

    A full retrain is due when an alert is unanswered, after `schedule.full_after_days`, after
    `schedule.full_after_labels` new labels, or when a model has had `incremental.max_updates`
    updates. New labels count only if they add `schedule.full_after_growth` to the labels of the
    last full retrain: a large retailer has a thousand new labels every hour.

    Parameters
    ----------
    as_of, last_full
        The dates of the run and of the last full retrain.
    labels
        New labels of each target.
    mode
        ``auto``, or what was requested instead.
    schedule, incremental
        The settings.
    alert
        The unanswered alerts, if any; see `evergreen.history.alerts.unanswered`.
    """
    full, reason = _full(as_of, last_full, labels, schedule, incremental)
    if alert is not None:
        full, reason = True, alert
    if mode != "auto":
        full, reason = mode == "full", f"requested by mode {mode}"
    ready = {n: new.for_update for n, new in labels.items() if new.updates is not None}
    counts = ", ".join(f"{name} {count:,}" for name, count in ready.items())
    if mode == "compare":
        update = "not requested by mode compare"
    elif not ready:
        update = "not possible: there is no champion yet"
    else:
        due = any(count >= incremental.min_new_labels for count in ready.values())
        update = (
            f"{'due' if due else 'not due'}: new labels: {counts} "
            f"(minimum {incremental.min_new_labels})"
        )
    return RetrainingPlan(full, reason, update)


def _full(
    as_of: date,
    last_full: date,
    labels: Mapping[str, NewLabels],
    schedule: Schedule,
    incremental: Incremental,
) -> tuple[bool, str]:
    age = (as_of - last_full).days
    ago = f"the last was {plural(age, 'day')} ago"
    if age >= schedule.full_after_days:
        return True, f"{ago}, and the limit is {schedule.full_after_days}"
    for name, new in labels.items():
        if (new.updates or 0) >= incremental.max_updates:
            return True, f"{name} has had {new.updates} updates since its last full fit"
        growth = new.since_full >= schedule.full_after_growth * max(1, new.at_full)
        if new.since_full >= schedule.full_after_labels and growth:
            return True, f"{name} has {new.since_full:,} new labels since the last"
    most = max((new.since_full for new in labels.values()), default=0)
    return False, f"{ago}, with at most {most:,} new labels since"


def plan_retraining(
    settings: Settings,
    as_of: date,
    mode: str,
    bases: Mapping[str, models.Model],
    labels: pd.DataFrame,
    *,
    alert: str | None,
) -> RetrainingPlan:
    """Plan a run from models and labels.

    Parameters
    ----------
    settings
        Those of the run before: `full_retrain.as_of` is the last full retrain.
    as_of, mode
        Of the run.
    bases
        The models that its updates would start from; see `evergreen.store.challengers.bases`.
    labels
        Labels of training clients known by then; see
        `evergreen.store.label_counts.count_training_labels`.
    alert
        As for `plan_from_counts`.
    """
    return plan_from_counts(
        as_of,
        settings.full_retrain.as_of,
        count_new_labels(settings, bases, labels),
        mode=mode,
        schedule=settings.schedule,
        incremental=settings.incremental,
        alert=alert,
    )


def preview(
    settings: Settings, as_of: date, mode: str, served: Mapping[str, models.Model]
) -> tuple[RetrainingPlan, dict[str, NewLabels], date]:
    """Plan a run with the rows ingested so far.

    Parameters
    ----------
    settings, as_of, mode
        As for `plan_retraining`.
    served
        The models in production.

    Returns
    -------
    tuple
        The plan, the new labels of each target, and the last day of ingested rows.
    """
    through = max(tables.partitions(paths.TRANSACTIONS), default=as_of)
    seen = min(as_of, through + timedelta(days=1))
    bases = challengers.following(served, max_updates=settings.incremental.max_updates)
    labels = training_labels(settings, seen)
    alert = unanswered_before(as_of, settings.full_retrain.as_of)
    plan = plan_retraining(settings, as_of, mode, bases, labels, alert=alert)
    return plan, count_new_labels(settings, bases, labels), through


def training_labels(settings: Settings, as_of: date) -> pd.DataFrame:
    """Count the labels of training clients that are known by a date, from the rows ingested."""
    return count_training_labels(settings.model_copy(update={"as_of": as_of}), Cache())


def count_new_labels(
    settings: Settings, bases: Mapping[str, models.Model], labels: pd.DataFrame
) -> dict[str, NewLabels]:
    """Count the new labels of each target; the parameters are those of `plan_retraining`."""
    return {
        name: _count(settings, labels[labels["target"] == name], bases.get(name))
        for name in settings.targets
    }


def _count(settings: Settings, labels: pd.DataFrame, base: models.Model | None) -> NewLabels:
    def after(day: str | date) -> int:
        return int(labels["labels"][labels["known_on"] > pd.Timestamp(day)].sum())

    since_full = after(settings.full_retrain.as_of)
    return NewLabels(
        for_update=after(base.manifest.trained_through if base else "1970-01-01"),
        since_full=since_full,
        at_full=int(labels["labels"].sum()) - since_full,
        updates=base.manifest.updates if base else None,
    )
