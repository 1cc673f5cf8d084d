"""Ingest what is new, of a demo or of the source that ``params.yaml`` names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING

from evergreen.ingestion import demos, user_tables
from evergreen.ingestion.hints import ids_by_case
from evergreen.ingestion.outliers import WARNING
from evergreen.ingestion.raw_tables import (
    Limits,
    Progress,
    checked_tables,
    nothing_shown,
    write_table,
)
from evergreen.ingestion.totals import accepted_totals
from evergreen.settings import paths
from evergreen.store import files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from evergreen.ingestion.hints import Hint
    from evergreen.ingestion.totals import Totals
    from evergreen.settings.pipeline import Settings


def ingest_new_rows(
    settings: Settings,
    *,
    through: date | None = None,
    reach: date | None = None,
    progress: Progress = nothing_shown,
) -> Iterator[str]:
    """Append the new rows of every table of a source, up to a day.

    All tables are read and checked before the first is written. Days are written whole, oldest
    first, and rows that were written before are recognised. So the same rows give the same bytes,
    wherever an earlier call was killed; until the next call has finished its work, no run can start
    from the part that it wrote.

    Parameters
    ----------
    through
        The last day to ingest; by default the day before as_of, since a file may hold a part of
        today, or a mistyped year.
    reach
        How far the transactions have to reach at least.
    progress
        Called with how many files or days are done, how many there are, and the current step.

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
    demo = settings.source.demo
    raw_tables = demos.raw_tables(demo, settings) if demo else user_tables.raw_tables(settings)
    limits = Limits(through, reach)
    with checked_tables(raw_tables, settings, limits, progress) as checked:
        if any(table.span.start for table in checked):
            files.write_text("", paths.HALF_INGESTED)
        for table in checked:
            write_table(table, progress)
            yield from table.lines()
            yield from (f"{WARNING}{hint}" for hint in table.hints)
        files.remove(paths.HALF_INGESTED)


@dataclass(frozen=True)
class Preview:
    """What `ingest_new_rows` would ingest.

    Attributes
    ----------
    lines
        What would become of the rows, a line each.
    totals
        What the new transactions add up to; None if there are none.
    hints
        What to look at.
    """

    lines: list[str]
    totals: Totals | None
    hints: list[Hint]


def preview(settings: Settings, *, through: date) -> Preview:
    """Read the settings' own tables as `ingest_new_rows` would; append nothing.

    Raises
    ------
    DataError
        As `checked_tables`.
    """
    limits = Limits(through)
    with checked_tables(user_tables.raw_tables(settings), settings, limits) as checked:
        totals = accepted_totals(checked[0].con, through, settings.data.minor_units)
        lines = list(chain.from_iterable(table.lines() for table in checked))
        added = [f"{checked[0].table.label}: {totals}"] if totals else []
        warned = [line for line in lines if line.startswith(WARNING)]
        hints = list(chain.from_iterable(table.hints for table in checked))
        hints += ids_by_case(checked[0].con, "incoming where status = 0")
        lines = [line for line in lines if line not in warned] + added + warned
        return Preview(lines, totals, hints)
