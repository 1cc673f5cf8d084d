"""Programs that this process starts: they end with it, however it is stopped."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psutil

GRACE_SECONDS = 5.0
"""How long a process may take to end after SIGTERM, before it is killed."""
PAUSE_SECONDS = 0.02


@contextmanager
def started(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[str]]:  # noqa: ANN401
    """Start a program and wait until it ends; if the block raises, end it and all it has started.

    A terminal sends Ctrl-C to every process of a command, but `kill` and Jupyter only to one.

    Parameters
    ----------
    command
        The program and its arguments.
    options
        As for `subprocess.Popen`.
    """
    with subprocess.Popen(command, text=True, **options) as process:
        try:
            yield process
        except BaseException:
            end_tree(process.pid)
            raise


def end_tree(pid: int, grace_seconds: float = GRACE_SECONDS) -> None:
    """End a process and all below it: with SIGTERM, and those that ignore it with SIGKILL.

    Returns once they have ended. Their exit codes stay for whoever has started them.
    """
    ending = _suspended(pid)
    until = time.monotonic() + grace_seconds
    _send("terminate", ending)
    _send("resume", ending)
    while alive := {process for process in ending if is_alive(process)}:
        if time.monotonic() > until:
            _send("kill", alive)
        time.sleep(PAUSE_SECONDS)


def end_children() -> None:
    """End all that this process has started; multiprocessing's trackers end by themselves."""
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if "resource_tracker" not in " ".join(child.cmdline()):
                end_tree(child.pid)


def kill_descendants() -> None:
    """Kill all that this process has started."""
    _send("kill", psutil.Process().children(recursive=True))


def is_alive(process: psutil.Process) -> bool:
    """Whether a process is at work; one that has ended may still be waited for."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _suspended(pid: int) -> set[psutil.Process]:
    """Suspend a process and all below it, so that none starts another one before it ends."""
    suspended: set[psutil.Process] = set()
    while new := _tree(pid) - suspended:
        _send("suspend", new)
        suspended |= new
        time.sleep(PAUSE_SECONDS)
    return suspended


def _tree(pid: int) -> set[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return {root, *root.children(recursive=True)}
    except psutil.Error:
        return set()


def _send(method: str, processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.Error):
            getattr(process, method)()
