"""Take in what is new, of a demo or of what ``params.yaml`` names."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from evergreen.ingestion import demos, user_tables
from evergreen.store import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from evergreen.settings.pipeline import Settings


def ingest_new_rows(
    settings: Settings,
    *,
    demo: str | None = None,
    through: date | None = None,
    reach: date | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Iterator[str]:
    """Append new rows to the raw tables.

    Parameters
    ----------
    demo
        A demo instead of the source that the settings name.
    through
        The last day to take in; by default that before as_of: a file may hold a part of today, or a
        mistyped year.
    reach
        How far the source has to reach at least.

    Yields
    ------
    str
        What became of the rows, a line each.

    Raises
    ------
    DataError
        If the source can't be taken in; nothing was changed then.
    """
    name = demo or settings.source.demo
    through = through or settings.as_of - timedelta(days=1)
    if name is None:
        yield from user_tables.ingest_tables(
            settings, through=through, reach=reach, progress=progress
        )
        return
    con = tables.connect(settings.compute.threads)
    source = settings.source.model_copy(update={"demo": name})
    done = demos.ingest_demo(con, source, through=through, reach=reach, progress=progress)
    yield from (f"{name}: {line}" for line in done.lines())
