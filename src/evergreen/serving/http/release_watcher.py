"""The release in use: verified whole, and replaced by the next one that is."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, NamedTuple

from evergreen.errors import ModelError
from evergreen.serving.release import ServedRelease
from evergreen.settings import paths
from evergreen.store import releases

if TYPE_CHECKING:
    from pathlib import Path

LOG = logging.getLogger(__name__)


class Refusal(NamedTuple):
    """A release that is not taken over, and why."""

    release: str
    reason: str


class State(NamedTuple):
    """What a link names, and the size and time of each file there; None where it names nothing."""

    target: str
    files: tuple[tuple[str, int, int], ...] | None


class Watched:
    """Holds the release in use; `look` replaces it by one assignment.

    Attributes
    ----------
    release : ServedRelease
        The release in use.
    refused : Refusal or None
        What `look` has found last, if it could not be used.

    Raises
    ------
    ModelError
        If there is no sound release to begin with.
    """

    def __init__(self, link: Path = paths.CURRENT) -> None:
        self._link = link
        self._seen = _state(link)
        self.release = open_verified(link)
        self.refused: Refusal | None = None

    def look(self) -> None:
        """Take over what is published now, if it is another release and sound in every file."""
        state = _state(self._link)
        if state == self._seen:
            return
        try:
            found = open_verified(self._link)
            if _state(self._link) != state:
                raise ModelError(f"{self._link} has changed while it was read")  # noqa: TRY301
        except Exception as error:  # noqa: BLE001 - what a broken release raises can't be foreseen
            self._refuse(Refusal(os.path.basename(state.target), str(error)))  # noqa: PTH119
        else:
            self.refused = None
            if found.version != self.release.version:
                LOG.info("release %s follows %s", found.version, self.release.version)
                self.release = found
        self._seen = state

    def _refuse(self, refusal: Refusal) -> None:
        if refusal != self.refused:
            LOG.warning("release %s is refused: %s", *refusal)
        self.refused = refusal


def open_verified(folder: Path) -> ServedRelease:
    """Load a release after checking every file, and that it predicts what it did at training.

    Raises
    ------
    ModelError
        If it is not sound.
    """
    if not folder.is_dir():
        raise ModelError(
            f"{folder} was expected to hold a release, and is not there", "evergreen finish"
        )
    found = releases.load_release(folder.resolve())
    for model in found.models.values():
        model.check_golden_rows()
    return ServedRelease(found)


def _state(link: Path) -> State:
    target = os.readlink(link) if link.is_symlink() else str(link)  # noqa: PTH115
    try:
        files = tuple(
            (str(path.relative_to(link)), path.stat().st_size, path.stat().st_mtime_ns)
            for path in sorted(link.rglob("*"))
        )
    except OSError:  # taken away meanwhile
        return State(target, None)
    return State(target, files if link.is_dir() else None)
