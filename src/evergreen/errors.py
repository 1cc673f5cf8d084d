"""Errors that name what was expected, what was found, where, and what to do next."""

from __future__ import annotations

import errno
import re

DISK_FULL_CODES = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
DISK_FULL_MESSAGES = (
    "no space left on device",
    "out of diskspace",
    "disk quota exceeded",
    "file too large",
    "max_temp_directory_size",
)
SPILL_FULL = "failed to offload"
"""What DuckDB reports when it has spilled as much as it may: it leaves some of the disk free."""
USED = re.compile(r"\([^()]+/([^()]+) used\)")
AGAIN = "run the same command again: it continues where this one stopped"
FREE_SPACE = f"free some space, then {AGAIN}"


class EvergreenError(Exception):
    """Base class of all errors that Evergreen raises on purpose.

    Parameters
    ----------
    message : str
        What was expected, what was found, and where.
    next_step : str, optional
        The command to run or the thing to change.
    """

    def __init__(self, message: str, next_step: str | None = None) -> None:
        self.message = message
        self.next_step = next_step
        super().__init__(message if next_step is None else f"{message}\nNext: {next_step}")


class SettingsError(EvergreenError):
    """``params.yaml`` has a value that is not allowed."""


class DataError(EvergreenError):
    """A table or a source does not have the expected content."""


class UndecidedError(DataError):
    """A source can be read in several ways, and a setting has to say which.

    Parameters
    ----------
    setting : str
        The setting of the table, such as ``date_order``.
    choices : tuple of str
        Its values to choose from.
    """

    def __init__(
        self, message: str, next_step: str, *, setting: str, choices: tuple[str, ...]
    ) -> None:
        self.setting = setting
        self.choices = choices
        super().__init__(message, next_step)


class ModelError(EvergreenError):
    """A model, feature extractor or release is incomplete, or differs from its manifest."""


def missing_extra(what: str, extra: str) -> EvergreenError:
    """The error of a command or a source whose packages are not installed."""
    return EvergreenError(f"{what} needs the {extra!r} extra", f"pip install 'evergreen[{extra}]'")


def is_disk_full(text: str) -> bool:
    """Whether the output of a program or library reports a full disk."""
    return any(message in text.lower() for message in DISK_FULL_MESSAGES)


def shortage(error: BaseException) -> EvergreenError | None:
    """Explain a lack of disk or memory, in whatever error a library reports it; None for others."""
    text = str(error)
    first, used = text.partition("\n")[0], USED.search(text)
    if SPILL_FULL in text:
        beside = f" beside the {used[1]} that are there" if used else ""
        return EvergreenError(
            f"the disk is full: no room to spill more{beside}",
            f"free some space, or raise `compute.memory` in params.yaml, then {AGAIN}",
        )
    if getattr(error, "errno", None) in DISK_FULL_CODES or is_disk_full(text):
        return EvergreenError(f"the disk is full: {first}", FREE_SPACE)
    if "out of memory error" in text.lower():  # DuckDB's, also where Arrow passes it on
        allowed = f"the {used[1]} that " if used else ""
        return EvergreenError(
            f"this needs more memory than {allowed}`compute.memory` allows",
            f"raise `compute.memory` in params.yaml, then {AGAIN}",
        )
    if isinstance(error, MemoryError):
        return EvergreenError(
            f"the memory of this machine is not enough: {first or 'no details'}",
            "lower `compute.memory` in params.yaml, which leaves more to everything else, or use "
            f"a machine with more memory; then {AGAIN}",
        )
    return None


def explained(error: Exception) -> EvergreenError | None:
    """Turn an error into one for users; None for those that only a mistake in the code causes."""
    if isinstance(error, EvergreenError):
        return error
    if (lack := shortage(error)) is not None:
        return lack
    if isinstance(error, OSError):
        return EvergreenError(f"the operating system reports: {error}")
    return None
