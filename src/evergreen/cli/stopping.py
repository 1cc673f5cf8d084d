"""Signals that stop a command: it ends with all that it has started, and says how to go on."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_SECONDS = 1.0
"""Signals within this time count as one: Ctrl-C reaches a command also through its script."""
AGAIN_SECONDS = 0.1
_first: tuple[int, float] | None = None


class Stopped(SystemExit):
    """A signal has stopped the command; what is at work cleans up as this passes.

    Attributes
    ----------
    signal : int
        The number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.signal = number

    def __str__(self) -> str:
        return f"Stopped by {signal.Signals(self.signal).name}."


def handle_signals() -> None:
    """Let signals raise `Stopped`, except those that the caller ignores, as nohup does."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def cause(error: BaseException) -> Stopped | None:
    """The signal behind an error, of which a library may have made another one; None without."""
    if isinstance(error, KeyboardInterrupt):
        return Stopped(signal.SIGINT)
    return Stopped(_first[0]) if _first else None


def end_children() -> None:
    """End what is left: a child that was just starting when the signal came."""
    with suppress(ImportError):  # a machine that only serves has no psutil, and no children
        from evergreen.vcs import processes  # noqa: PLC0415 - see above

        processes.end_children()


def raise_again() -> None:
    """Raise `Stopped` in a moment, as it was raised where nothing can be raised."""
    signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)


def _stop(number: int, _frame: FrameType | None) -> None:
    global _first  # noqa: PLW0603 - signals belong to the process
    if number == signal.SIGALRM and _first:
        raise Stopped(_first[0])
    if _first is None:
        _first = number, time.monotonic()
        raise Stopped(number)
    if time.monotonic() > _first[1] + PATIENCE_SECONDS:
        _end_at_once(number)


def _end_at_once(number: int) -> None:
    with suppress(ImportError):  # a machine that only serves has no psutil, and no children
        from evergreen.vcs.processes import kill_descendants  # noqa: PLC0415 - see above

        kill_descendants()
    with suppress(OSError):
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, b"Stopped at once.\n")
    os._exit(128 + number)
