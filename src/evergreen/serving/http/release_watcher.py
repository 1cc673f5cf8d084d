"""The release in use, and its replacement when another verified one is published."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import NamedTuple

from evergreen.errors import ModelError
from evergreen.serving.http.schemas import RefusedRelease
from evergreen.serving.release import ServedRelease, read_release
from evergreen.settings import paths

LOG = logging.getLogger(__name__)


class LinkState(NamedTuple):
    """The target of a link, and the size and time of each file there; None if it is missing."""

    target: str
    files: tuple[tuple[str, int, int], ...] | None


class ReleaseWatcher:
    """Holds the release in use; `refresh` replaces it by one assignment.

    Attributes
    ----------
    release : ServedRelease
        The release in use.
    refused : RefusedRelease or None
        The published release, while it can't be used.

    Raises
    ------
    ModelError
        If there is no valid release to start with.
    """

    def __init__(self, link: Path = paths.CURRENT) -> None:
        self._link = link
        self._state = _link_state(link)
        self.release = load_verified(link)
        self.refused: RefusedRelease | None = None

    def refresh(self) -> None:
        """Switch to the published release if it is another one and valid in every file."""
        state = _link_state(self._link)
        if state == self._state:
            return
        try:
            release = load_verified(self._link)
            if _link_state(self._link) != state:
                raise ModelError(f"{self._link} changed while it was read")  # noqa: TRY301
        except Exception as error:  # noqa: BLE001 - a damaged release may raise anything
            published = os.path.basename(state.target)  # noqa: PTH119
            self._refuse(RefusedRelease(release=published, reason=str(error)))
        else:
            self.refused = None
            if release.version != self.release.version:
                LOG.info("release %s replaces %s", release.version, self.release.version)
                self.release = release
        self._state = state

    def _refuse(self, refusal: RefusedRelease) -> None:
        if refusal != self.refused:
            LOG.warning("release %s is refused: %s", refusal.release, refusal.reason)
        self.refused = refusal


def load_verified(folder: Path) -> ServedRelease:
    """Load a release, check every file, and check that it predicts the same as at training.

    Raises
    ------
    ModelError
        If a check fails.
    """
    release = read_release(folder)
    for model in release.models.values():
        model.check_golden_rows()
    return ServedRelease(release)


def _link_state(link: Path) -> LinkState:
    target = os.readlink(link) if link.is_symlink() else str(link)  # noqa: PTH115
    try:
        files = tuple(
            (str(path.relative_to(link)), path.stat().st_size, path.stat().st_mtime_ns)
            for path in sorted(link.rglob("*"))
        )
    except OSError:  # removed in the meantime
        return LinkState(target, None)
    return LinkState(target, files if link.is_dir() else None)
