"""A complete cycle: pin, `dvc repro`, finish; for one date or for several."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta

from evergreen.history import run_records
from evergreen.history.experiments import find_experiment
from evergreen.history.retraining_plan import preview
from evergreen.lifecycle import review
from evergreen.lifecycle.ensure_served import ensure_served
from evergreen.lifecycle.finish import finish
from evergreen.lifecycle.lock import exclusive
from evergreen.lifecycle.pin import pin_run
from evergreen.lifecycle.publish import served_models
from evergreen.lifecycle.push import push as push_recorded
from evergreen.settings.loading import load_settings
from evergreen.vcs.dvc import reproduce
from evergreen.vcs.pinned_inputs import check_unaltered
from evergreen.vcs.tracked_paths import INPUTS


def cycle(
    first: date,
    through: date | None = None,
    *,
    every: int = 1,
    mode: str = "auto",
    push: bool = False,
    doing: Callable[[int, int, str], None] = lambda _done, _total, _what: None,
) -> Iterator[str]:
    """Run every cycle from one date through another; skip dates that are already recorded.

    An unfinished run is finished first, and the recorded release is served, also in a fresh clone.
    With `push` all runs that were not pushed before are pushed.

    Parameters
    ----------
    first, through, every
        The first and the last date, and the days between runs.
    mode
        What to do; ``auto`` for whatever is due.
    push
        Push data and commits after each run.
    doing
        Called with the number of finished runs, the number of all runs, and the current step.

    Yields
    ------
    str
        A line for each step.

    Raises
    ------
    EvergreenError
        As `pin_run` and `finish`, or if a stage fails, with its output.
    """
    with exclusive() as repaired:
        yield from repaired
        review.check_branch()
        yield from _finish_unfinished_run(push=push)
        yield from ensure_served()
        to_push = push
        days = list(_days(first, through, every))
        for number, day in enumerate(days):
            if outcome := review.outcome_of(day):
                yield outcome
                continue

            def tell(what: str, number: int = number, day: date = day) -> None:
                doing(number, len(days), f"{day}: {what}")

            tell("pin")
            yield from pin_run(day, mode, lambda *how_far: tell(_ingesting(*how_far)))
            yield from _reproduce(day, tell)
            tell("finish")
            yield from finish(push=push)
            to_push = False
        if to_push:
            yield from push_recorded()
        doing(len(days), len(days), "")


def _ingesting(done: int, total: int, step: str) -> str:
    return f"ingest {step}" if total == 1 else f"ingest {step}, {done:,} of {total:,}"


def dry_run(
    first: date, through: date | None = None, *, every: int = 1, mode: str = "auto"
) -> Iterator[str]:
    """Preview what `cycle` would do with the rows ingested so far; change nothing.

    Yields
    ------
    str
        An experiment in the workspace; for each date what is due and why. Rows still to be
        ingested may make more due.
    """
    review.check_branch()
    settings, models = load_settings(), served_models()
    if experiment := find_experiment(settings.as_of):
        yield f"{experiment}; cycle would stop here. Next: {experiment.way_back}"
    for day in _days(first, through, every):
        if outcome := review.outcome_of(day):
            yield outcome
            continue
        plan, _, ingested = preview(settings, day, mode, models)
        yield from (f"{day}: {line}" for line in plan.lines())
        if day > ingested + timedelta(days=1):
            yield f"{day}: based on rows through {ingested}; new rows would be ingested first"


def _days(first: date, through: date | None, every: int) -> Iterator[date]:
    day = first
    while day <= (through or first):
        yield day
        day += timedelta(days=every)


def _finish_unfinished_run(*, push: bool) -> Iterator[str]:
    as_of = load_settings().as_of
    if run_records.is_recorded(as_of) or review.restore_main_if_pending(as_of):
        return
    yield f"{as_of}: not finished yet, continuing"
    check_unaltered(*INPUTS)
    yield from _reproduce(as_of)
    yield from finish(push=push)


def _reproduce(day: date, tell: Callable[[str], None] = lambda _stage: None) -> Iterator[str]:
    yield from (f"{day}: {line}" for line in reproduce(tell))
