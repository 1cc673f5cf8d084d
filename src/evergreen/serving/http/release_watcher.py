"""The release in use, and its replacement when another verified one is published."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NamedTuple

from evergreen.errors import ModelError
from evergreen.serving.http.schemas import RefusedRelease
from evergreen.serving.release import ServedRelease, read_release
from evergreen.settings import paths

LOG = logging.getLogger(__name__)


class FolderState(NamedTuple):
    """A folder, and the size and time of each file in it; None if it is missing."""

    folder: Path
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
        self._state = _state_of(link.resolve())
        self.release = load_verified(self._state.folder)
        self.refused: RefusedRelease | None = None

    def refresh(self) -> None:
        """Switch to the published release if it is another one and valid in every file.

        The link is followed once. A release that is replaced while it is read was published as
        well, and is complete: it is used until the next call. Otherwise a link that moves faster
        than a release loads would never be followed.
        """
        state = _state_of(self._link.resolve())
        if state == self._state:
            return
        folder = state.folder
        try:
            release = load_verified(folder)
            if _state_of(folder) != state:
                raise ModelError(f"{folder} changed while it was read")  # noqa: TRY301
        except Exception as error:  # noqa: BLE001 - a damaged release may raise anything
            self._refuse(RefusedRelease(release=folder.name, reason=str(error)))
        else:
            self.refused = None
            if release.version != self.release.version:
                LOG.info("release %s replaces %s", release.version, self.release.version)
                self.release = release
        self._state = state

    def _refuse(self, refusal: RefusedRelease) -> None:
        if refusal != self.refused:
            reason = "; ".join(refusal.reason.splitlines())
            LOG.warning("release %s is refused: %s", refusal.release, reason)
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


def _state_of(folder: Path) -> FolderState:
    try:
        files = tuple(
            (str(path.relative_to(folder)), path.stat().st_size, path.stat().st_mtime_ns)
            for path in sorted(folder.rglob("*"))
        )
    except OSError:  # removed in the meantime
        return FolderState(folder, None)
    return FolderState(folder, files if folder.is_dir() else None)
