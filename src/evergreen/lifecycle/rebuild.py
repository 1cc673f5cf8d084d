"""Make the raw history anew, and pin it where the one before was pinned."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from evergreen.errors import EvergreenError
from evergreen.ingestion.rebuild import rebuild
from evergreen.settings import paths
from evergreen.settings.pipeline import Settings
from evergreen.vcs.dvc import dvc
from evergreen.vcs.dvc_internals import pin_file
from evergreen.vcs.pinned_inputs import check_unaltered

if TYPE_CHECKING:
    from evergreen.ingestion.raw_tables import Progress

UNPINNED = Path(".dvc/tmp/rebuild-unfinished")
"""Is there from the start of a rebuild until it is pinned; rows may differ from their pin then."""


def rebuild_raw(
    settings: Settings,
    *,
    through: date | None,
    drop_missing: bool,
    progress: Progress,
) -> Iterator[str]:
    """Rebuild `paths.RAW` as `evergreen.ingestion.rebuild.rebuild` does.

    The history before stays in DVC's cache, so recorded runs can still be reproduced.

    Yields
    ------
    str
        What became of the rows, and what to do next, a line each.

    Raises
    ------
    DataError
        As `rebuild`, or if rows are pinned that are not there.
    """
    pinned = pin_file(paths.RAW).exists()
    if pinned and not UNPINNED.exists():
        check_unaltered(paths.RAW)
    UNPINNED.parent.mkdir(parents=True, exist_ok=True)
    UNPINNED.touch()
    try:
        yield from rebuild(settings, through=through, drop_missing=drop_missing, progress=progress)
    except EvergreenError:
        UNPINNED.unlink()
        raise
    if pinned:
        dvc("add", str(paths.RAW))
        yield f"{pin_file(paths.RAW)} pins the new rows; the next run uses and records them"
    UNPINNED.unlink()
