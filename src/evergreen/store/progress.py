"""How far a stage is: a bar at a terminal, lines for `evergreen cycle`, nothing elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TypeVar

VARIABLE = "EVERGREEN_PROGRESS"
"""Set by a command that reads the lines of a stage and shows them itself."""
MARK = "  > "
"""How such a line begins."""
INTERVAL_SECONDS = 0.5
Item = TypeVar("Item")


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far a step is.

    Yields
    ------
    callable
        Takes what is done and the total, in rows, days or whatever `what` names.
    """
    if os.environ.get(VARIABLE):
        yield _Lines(what)
    elif sys.stderr.isatty():
        with _bar(what) as moved:
            yield moved
    else:
        yield lambda _done, _total: None


def each(what: str, items: Collection[Item]) -> Iterator[Item]:
    """Iterate, and show how many items are done."""
    with progress(what) as moved:
        for done, item in enumerate(items):
            moved(done, len(items))
            yield item


class _Lines:
    """Prints a line now and then, for another process."""

    def __init__(self, what: str) -> None:
        self._what, self._began = what, time.monotonic()
        self._printed = self._began - INTERVAL_SECONDS

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._printed < INTERVAL_SECONDS:
            return
        self._printed = now
        left = (now - self._began) * (total - done) / done if done else 0
        rest = f", {_duration(left)} left" if left >= 1 else ""
        print(f"{MARK}{self._what}: {done:,} of {total:,}{rest}", flush=True)  # noqa: T201


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    from rich import console, progress  # noqa: PLC0415 - few runs have a terminal

    with progress.Progress(
        progress.TextColumn("  {task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        console=console.Console(stderr=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # else its lines are read by another program
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
