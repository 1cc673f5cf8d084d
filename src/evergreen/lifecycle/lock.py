"""One run at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from evergreen.errors import EvergreenError
from evergreen.lifecycle.recovery import is_needed, remove_leftovers, repair
from evergreen.settings import paths
from evergreen.vcs.dvc_internals import cache_folder, remove_stale_rwlock
from evergreen.vcs.run_log import at_work, holder, logged
from evergreen.vcs.states import check_cache_is_writable


class HeldError(EvergreenError):
    """Another command is at work in this repository."""


@contextmanager
def exclusive() -> Iterator[list[str]]:
    """Keep other runs out of this repository during a block.

    The operating system releases the lock when the process ends, however it ends, so there are no
    stale locks to remove. What an earlier command left that was killed is made good first.

    Yields
    ------
    list of str
        A line for each repair.

    Raises
    ------
    HeldError
        If another run is in progress.
    EvergreenError
        If a child of a killed run is still at work, or DVC's cache can't be written.
    """
    paths.LOCK.parent.mkdir(parents=True, exist_ok=True)
    check_cache_is_writable(cache_folder())
    try:
        with FileLock(paths.LOCK, timeout=0):
            remove_stale_rwlock()
            removed = list(remove_leftovers())
            with logged():
                yield [*removed, *repair()]
    except Timeout:
        raise _held(holder() or f"it holds {paths.LOCK}") from None


@contextmanager
def one_replay() -> Iterator[None]:
    """Keep other replays out; they read what is recorded, so other commands go on meanwhile.

    Raises
    ------
    EvergreenError
        If another replay is in progress.
    """
    lock = paths.REPLAYS.with_name("replay.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock, timeout=0):
            yield
    except Timeout:
        raise _held(f"a replay, which holds {lock}") from None


def check_idle(why: str) -> None:
    """Refuse to read what another command is changing.

    Raises
    ------
    HeldError
        With that command, and what it does.
    """
    if busy := at_work():
        raise _held(f"{busy}, which {why}")


def repair_what_was_killed() -> Iterator[str]:
    """Make good what a command left that was killed; the lock is taken only if there is such.

    Yields
    ------
    str
        A line for each repair.

    Raises
    ------
    EvergreenError
        As `exclusive`.
    """
    if is_needed():
        with exclusive() as repaired:
            yield from repaired


def _held(by: str) -> HeldError:
    return HeldError(
        f"another run is in progress in this repository: {by}",
        "wait until it has finished, then run the command again",
    )
