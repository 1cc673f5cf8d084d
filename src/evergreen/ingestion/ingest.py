"""Ingest what is new, of a demo or of the source that ``params.yaml`` names."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from evergreen.ingestion import demos, user_tables
from evergreen.ingestion.raw_tables import checked_tables, write_table

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
    """Append the new rows of every table of a source, up to a day.

    All tables are read and checked before the first is written. Days are written whole, oldest
    first, and rows that were written before are recognised. So the same rows give the same bytes,
    wherever an earlier call was killed.

    Parameters
    ----------
    demo
        A demo instead of the source that the settings name.
    through
        The last day to ingest; by default the day before as_of, since a file may hold a part of
        today, or a mistyped year.
    reach
        How far the transactions have to reach at least.
    progress
        Called with the number of days written so far, and of all days to write.

    Yields
    ------
    str
        What became of the rows, a line each.

    Raises
    ------
    DataError
        As `checked_tables`.
    """
    through = through or settings.as_of - timedelta(days=1)
    name = demo or settings.source.demo
    raw_tables = demos.raw_tables(name, settings) if name else user_tables.raw_tables(settings)
    with checked_tables(raw_tables, settings, through=through, reach=reach) as checked:
        for table in checked:
            write_table(table, progress)
            yield from table.lines()


def preview(settings: Settings, *, through: date) -> Iterator[str]:
    """Report what `ingest_new_rows` would ingest of the settings' own tables; append nothing.

    Yields
    ------
    str
        What would become of the rows, a line each.

    Raises
    ------
    DataError
        As `checked_tables`.
    """
    with checked_tables(user_tables.raw_tables(settings), settings, through=through) as checked:
        for table in checked:
            yield from table.lines()
