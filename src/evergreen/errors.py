"""Errors that name what was expected, what was found, where, and what to do next."""

from __future__ import annotations

import errno

DISK_FULL_CODES = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
DISK_FULL_MESSAGES = (
    "no space left on device",
    "out of diskspace",
    "disk quota exceeded",
    "file too large",
)
FREE_SPACE = "free some space, then run the same command again: it continues where this one stopped"


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


def from_os_error(error: OSError) -> EvergreenError:
    """Turn an error of the operating system into one that says what to do about a full disk."""
    if error.errno in DISK_FULL_CODES or is_disk_full(str(error)):
        return EvergreenError(f"the disk is full: {error}", FREE_SPACE)
    return EvergreenError(f"the operating system reports: {error}")
