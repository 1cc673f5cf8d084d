"""One run at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from evergreen.errors import EvergreenError
from evergreen.settings import paths
from evergreen.vcs.dvc_internals import remove_stale_rwlock


@contextmanager
def exclusive() -> Iterator[None]:
    """Keep other runs out of this repository during a block.

    The operating system releases the lock when the process ends, however it ends, so there are no
    stale locks to remove.

    Raises
    ------
    EvergreenError
        If another run is in progress.
    """
    paths.LOCK.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(paths.LOCK, timeout=0):
            remove_stale_rwlock()
            yield
    except Timeout:
        raise EvergreenError(
            f"another run is in progress in this repository (it holds {paths.LOCK})",
            "wait until it has finished, then run the command again",
        ) from None
