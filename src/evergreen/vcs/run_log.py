"""The log of the command at work here, from which the next one tells what a killed one left.

The locks of git name no holder. So the log names the command that holds the repository, each git or
DVC process that it starts, and, once a second, that it is still at work. What a process left is
removed only if the process is dead and the file appeared while it ran.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple

import psutil

from evergreen.errors import EvergreenError
from evergreen.settings import paths
from evergreen.store.files import write_text

LOG = paths.LOCK.with_name("evergreen-run.jsonl")
BEAT_SECONDS, SLACK_SECONDS = 1.0, 5.0
"""How often the log is touched, and how much later than that a file may still have appeared."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
DVC_TEMPORARY = re.compile(r"\.[\w-]{22}\.tmp")
RECORD_PID = 'echo "{\\"pid\\": $$}" >> "$0"; exec "$@"'
"""Run by a shell: append the process number to the log, and become the program."""


class CommandError(EvergreenError):
    """A git or dvc command failed."""


class KilledError(CommandError):
    """A git or DVC command was ended by a signal, or a process was that git had started."""


class Left(NamedTuple):
    """What a killed command may have left behind.

    Attributes
    ----------
    command
        The command line.
    since, until
        When it ran, in seconds since the epoch.
    child, child_since
        The git or DVC command that was killed, and when it started; None if none was running.
    alive
        The process number of that child, if it still runs.
    """

    command: str
    since: float
    until: float
    child: str | None
    child_since: float
    alive: int | None


@contextmanager
def logged() -> Iterator[None]:
    """Keep the log of this process during a block; the caller holds the lock of the repository."""
    _write({"process": _this_process()})
    ended = Event()
    beat = Thread(target=_beat, args=(ended,), daemon=True)
    beat.start()
    stopped = False
    try:
        yield
    except (KeyboardInterrupt, SystemExit):  # libraries may have left something
        stopped = True
        raise
    finally:
        ended.set()
        beat.join()
        if not stopped and len(list(_lines())) <= 1:  # no child was killed
            LOG.unlink(missing_ok=True)


@contextmanager
def child(command: list[str]) -> Iterator[list[str]]:
    """Log a process that is about to start; the command line to start it with is yielded.

    It stays in the log if it was killed: after `KilledError`, and after an exception that stops
    this process. Without a log, as in commands that only read, the command is yielded as it is.
    """
    lines = list(_lines())
    if not lines or lines[0].get("process", {}).get("pid") != os.getpid():
        yield command
        return
    shown = shlex.join(command).replace(f"{sys.executable} -m ", "")
    _write(*lines, {"child": shown, "began": time.time()})
    try:
        yield ["/bin/sh", "-c", RECORD_PID, str(LOG.resolve()), *command]
    except KilledError:
        raise
    except Exception:
        _write(*lines)
        raise
    _write(*lines)


def holder() -> str | None:
    """The command that holds the repository, its process, its machine and when it began."""
    process = next((line["process"] for line in _lines() if "process" in line), None)
    if process is None:
        return None
    since = datetime.fromtimestamp(process["began"]).astimezone()
    return (
        f"`{process['command']}`, process {process['pid']} on {process['host']}, since "
        f"{since:%Y-%m-%d %H:%M:%S}"
    )


def at_work() -> str | None:
    """As `holder`, if that command is still at work and another one than this."""
    try:
        fresh = time.time() - LOG.stat().st_mtime < SLACK_SECONDS
    except OSError:
        return None
    process = next((line["process"] for line in _lines() if "process" in line), None)
    if process is None or not fresh:
        return None
    here = process["host"] == platform.node()
    if here and (process["pid"] == os.getpid() or not psutil.pid_exists(process["pid"])):
        return None
    return holder()


def left() -> Left | None:
    """What the last command may have left behind, if it was killed, and on this machine."""
    lines = list(_lines())
    process = lines[0].get("process") if lines else None
    if not process or process["host"] != platform.node():
        return None
    until = LOG.stat().st_mtime + SLACK_SECONDS
    name, since, began, alive = None, until, until, None
    for line in lines[1:]:
        if "child" in line:
            name, since = line["child"], min(since, line["began"])
            began = line["began"]
        elif process["boot"] == _boot_id() and _runs(line["pid"], began):
            alive = line["pid"]
    return Left(process["command"], process["began"], until, name, since, alive)


def forget() -> None:
    """Remove the log, once everything that was left is removed."""
    LOG.unlink(missing_ok=True)


def remove_left_in_git(git_folders: Iterable[Path], run: Left) -> list[Path]:
    """Remove the locks and temporary objects that a killed git command of ours left."""
    found = {
        path
        for folder in git_folders
        for pattern in ("**/*.lock", "objects/**/tmp_*")
        for path in folder.glob(pattern)
        if _appeared(path, run.child_since, run.until)
    }
    for path in found:
        path.unlink(missing_ok=True)
    return sorted(path for path in found if path.suffix == ".lock")


def remove_left_by_dvc(folders: Iterable[Path], run: Left) -> None:
    """Remove the temporary files that DVC, killed while it worked for us, left."""
    for folder in folders:
        for path in folder.rglob(".*.tmp"):
            if DVC_TEMPORARY.fullmatch(path.name) and _appeared(path, run.since, run.until):
                path.unlink(missing_ok=True)


def _appeared(path: Path, since: float, until: float) -> bool:
    try:
        return path.is_file() and since - 1 <= path.lstat().st_mtime <= until
    except OSError:
        return False


def _this_process() -> dict[str, Any]:
    words = ["evergreen", *sys.argv[1:]]
    return {
        "host": platform.node(),
        "boot": _boot_id(),
        "pid": os.getpid(),
        "began": time.time(),
        "command": shlex.join(words),
    }


def _boot_id() -> str:
    """An id of this start of the machine; where the system has none, the time of the start."""
    if BOOT_ID.is_file():
        return BOOT_ID.read_text("ascii").strip()
    return str(round(psutil.boot_time()))


def _runs(pid: int, began: float) -> bool:
    """Whether a process runs that started when the child did; numbers are used again."""
    try:
        process = psutil.Process(pid)
        started = process.create_time()
        return process.status() != psutil.STATUS_ZOMBIE and bool(
            abs(started - began) < SLACK_SECONDS
        )
    except psutil.Error:
        return False


def _lines() -> Iterator[dict[str, Any]]:
    """The lines of the log; what a kill cut off is left out."""
    try:
        text = LOG.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return
    for line in text.splitlines():
        try:
            content = json.loads(line)
        except ValueError:
            return
        if isinstance(content, dict):
            yield content


def _write(*lines: dict[str, Any]) -> None:
    write_text("".join(f"{json.dumps(line)}\n" for line in lines), LOG)


def _beat(ended: Event) -> None:
    while not ended.wait(BEAT_SECONDS):
        try:
            os.utime(LOG)
        except OSError:
            return
