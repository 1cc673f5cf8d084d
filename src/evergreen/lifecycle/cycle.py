"""A whole cycle: pin, `dvc repro`, finish; for one day, or catching up day by day."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from evergreen.history import run_records
from evergreen.history.retraining_plan import preview
from evergreen.lifecycle import review
from evergreen.lifecycle.ensure_served import republish
from evergreen.lifecycle.finish import finish
from evergreen.lifecycle.lock import exclusive
from evergreen.lifecycle.pin import pin_run
from evergreen.lifecycle.publish import served_models
from evergreen.lifecycle.push import push as push_recorded
from evergreen.settings.loading import load_settings
from evergreen.vcs.dvc import reproduce
from evergreen.vcs.pinned_inputs import check_unaltered
from evergreen.vcs.tracked_paths import INPUTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date


def cycle(
    first: date,
    through: date | None = None,
    *,
    every: int = 1,
    mode: str = "auto",
    push: bool = False,
    doing: Callable[[int, int, str], None] = lambda _done, _total, _what: None,
) -> Iterator[str]:
    """Run every cycle from a date through another; a date that is recorded is passed over.

    A run that was pinned or begun before and never finished is finished first; and what is served
    is what is recorded, also in a fresh clone. With `push` the runs are pushed, and those that an
    earlier push did not get through with.

    Parameters
    ----------
    first, through, every
        The first and the last date, and the days from one to the next.
    mode
        What to do; ``auto`` for whatever is due.
    push
        Push data and commits after each run.
    doing
        Called with the number of runs done, of all runs, and what is being worked at.

    Yields
    ------
    str
        What was done, a line each.

    Raises
    ------
    EvergreenError
        As `pin_run` and `finish`; or if a stage fails, in the stage's own words.
    """
    with exclusive():
        review.check_branch()
        yield from _finish_what_was_begun(push=push)
        yield from republish()
        to_push = push
        days = list(_days(first, through, every))
        for number, day in enumerate(days):
            if settled := _settled(day):
                yield settled
                continue

            def tell(what: str, number: int = number, day: date = day) -> None:
                doing(number, len(days), f"{day}: {what}")

            tell("pin")
            yield from pin_run(day, mode, lambda n, total: tell(f"ingest day {n} of {total}"))
            yield from _reproduce(day, tell)
            tell("finish")
            yield from finish(push=push)
            to_push = False
        if to_push:
            yield from push_recorded()
        doing(len(days), len(days), "")


def dry_run(
    first: date, through: date | None = None, *, every: int = 1, mode: str = "auto"
) -> Iterator[str]:
    """Preview what `cycle` would do with the rows ingested so far; change nothing.

    Yields
    ------
    str
        For each date what is due and why; rows still to be ingested may make more due.
    """
    settings, models = load_settings(), served_models()
    for day in _days(first, through, every):
        if run_records.is_recorded(day):
            yield f"{day}: already recorded, nothing to do"
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


def _settled(day: date) -> str | None:
    """Why there is nothing to do for a date, if that is so."""
    if run_records.is_recorded(day):
        return f"{day}: recorded already, nothing to do"
    return review.state_of(day)


def _finish_what_was_begun(*, push: bool) -> Iterator[str]:
    begun = load_settings().as_of
    if not run_records.is_recorded(begun):
        if review.put_back_if_waiting(begun):
            return
        yield f"{begun}: not finished yet, going on with it"
        check_unaltered(*INPUTS)
        yield from _reproduce(begun)
        yield from finish(push=push)


def _reproduce(day: date, tell: Callable[[str], None] = lambda _stage: None) -> Iterator[str]:
    yield from (f"{day}: {line}" for line in reproduce(tell))
