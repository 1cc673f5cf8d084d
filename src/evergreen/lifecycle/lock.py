"""One run at a time."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psutil
from filelock import FileLock, Timeout

from evergreen.errors import EvergreenError
from evergreen.settings import paths

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def exclusive() -> Iterator[None]:
    """Keep any other run out of this repository until the block is left.

    The operating system holds the lock and frees it when the process ends, however it ends: there
    is no stale lock to remove.

    Raises
    ------
    EvergreenError
        If another run is at work.
    """
    paths.LOCK.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(paths.LOCK, timeout=0):
            _forget_dead_dvc()
            yield
    except Timeout:
        raise EvergreenError(
            f"another run is at work in this repository (it holds {paths.LOCK})",
            "wait until it has ended, then call the command again",
        ) from None


def _forget_dead_dvc() -> None:
    """Remove DVC's list of the files in use where no dvc is at work that uses them.

    DVC drops entries of processes that are gone, but neither a list that was cut off by a kill or
    a full disk, nor one whose process number another program has by now.
    """
    if not paths.DVC_FILES_IN_USE.is_file():
        return
    try:
        used: dict[str, Any] = json.loads(paths.DVC_FILES_IN_USE.read_text(encoding="utf-8"))
    except ValueError:
        used = {}
    readers = [user for users in used.get("read", {}).values() for user in users]
    users = [*used.get("write", {}).values(), *readers]
    if not any(_is_dvc(user["pid"]) for user in users):
        paths.DVC_FILES_IN_USE.unlink(missing_ok=True)


def _is_dvc(pid: int) -> bool:
    try:
        return any("dvc" in word for word in psutil.Process(pid).cmdline())
    except psutil.Error:
        return False
