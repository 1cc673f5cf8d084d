"""Errors that tell a user what was expected, what was found, where, and what to do next."""

from __future__ import annotations

import errno

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
FULL_WORDS = (
    "no space left on device",
    "out of diskspace",
    "disk quota exceeded",
    "file too large",
)
ROOM = "free some space, then call the same command again: it goes on where this one stopped"


class EvergreenError(Exception):
    """Base of every error that Evergreen raises on purpose.

    Parameters
    ----------
    message : str
        What was expected, what was found and where, in whole sentences.
    next_step : str, optional
        The command to run, or the thing to change, to get on.
    """

    def __init__(self, message: str, next_step: str | None = None) -> None:
        self.message = message
        self.next_step = next_step
        super().__init__(message if next_step is None else f"{message}\nNext: {next_step}")


class SettingsError(EvergreenError):
    """``params.yaml`` holds something that the settings do not allow."""


class DataError(EvergreenError):
    """A table lacks what is expected of it, or a source holds what it should not."""


class ModelError(EvergreenError):
    """A model, extractor or release is incomplete, altered, or not what its manifest says."""


def missing_extra(what: str, extra: str) -> EvergreenError:
    """The error of a command or a source whose packages are not installed."""
    return EvergreenError(f"{what} needs the {extra!r} extra", f"pip install 'evergreen[{extra}]'")


def in_words(error: OSError) -> EvergreenError:
    """Tell an error of the operating system, and what to do about a full disk."""
    text = str(error)
    if error.errno in FULL or any(words in text.lower() for words in FULL_WORDS):
        return EvergreenError(f"the disk is full: {text}", ROOM)
    return EvergreenError(f"the operating system refused: {text}")
