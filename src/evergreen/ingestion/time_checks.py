"""Checks of the times of a whole source, before any row is written."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from evergreen.errors import DataError
from evergreen.ingestion.redaction import shown
from evergreen.ingestion.time_sql import PER_HOUR, UTC
from evergreen.ingestion.times import OTHER_ORDER, QUARTER, UNIX
from evergreen.ingestion.zones import (
    ZONE_SETTING,
    ClockReading,
    is_one_place,
    offset_text,
    offsets_problem,
    turning_points,
)

if TYPE_CHECKING:
    import duckdb


def check_order(con: duckdb.DuckDBPyConnection, label: str) -> None:
    """Stop if a file has days before months and months before days, unless a setting says which.

    Programs that swap day and month do so wherever they can, in silence: if some cells show that
    they were swapped, others were whose day is 12 or less.

    Raises
    ------
    DataError
        With the number of the cells, and the first of them.
    """
    rows = con.execute(
        """
        select count(*) over (partition by input), source, line, blamed, value
        from incoming join inputs using (input) join checks using (input, status)
        where label = ? and ends_with(reason, ?) order by input, sheet, line limit 1
        """,
        [label, OTHER_ORDER],
    ).fetchall()
    for count, source, line, column, value in rows:
        raise DataError(
            f"{source}: column {column!r} has days before months and months before days "
            f"({count:,} unlike the others, first in line {line}: {shown(value) or 'not shown'}); "
            "nothing was changed",
            "have it exported again; or set `date_order` of the source in params.yaml: day_first "
            "or month_first",
        )


def check_clock(con: duckdb.DuckDBPyConnection, label: str, known: list[int]) -> list[int]:
    """Stop if zoned times are to be kept as they are written, but are not one place's clock.

    Parameters
    ----------
    known
        What this function returned for earlier rows.

    Returns
    -------
    list of int
        The readings to remember, as of `evergreen.ingestion.time_sql.TimeColumn.clock_sql`.

    Raises
    ------
    DataError
        With the number of rows of each offset, and one of them.
    """
    rows = con.execute(
        """
        select reading, count(*) as rows, min((input, line)) as first
        from (select input, line, unnest([clock, known_clock]) as reading
              from incoming join inputs using (input)
              where label = ? and status = 0 and coalesce(clock, known_clock) is not null)
        where reading is not null group by reading order by reading
        """,
        [label],
    ).fetchall()
    points = turning_points(_reading(number) for number in [*known, *(row[0] for row in rows)])
    if rows and not is_one_place(points):
        counts: Counter[int] = Counter()
        firsts: dict[int, tuple[int, int]] = {}
        for number, count, first in rows:
            offset = _reading(number).offset
            counts[offset] += count
            firsts[offset] = min(firsts.get(offset, first), first)
        rarest = min(counts, key=lambda offset: (counts[offset], offset))
        number, line = firsts[rarest]
        [(source,)] = con.execute("select source from inputs where input = ?", [number]).fetchall()
        example = f"{offset_text(rarest)} in {source}, line {line}"
        raise DataError(
            f"{label}: {offsets_problem(counts, example)}; nothing was changed", ZONE_SETTING
        )
    return [_packed(point) for point in points]


def _reading(number: int) -> ClockReading:
    hours, offset = divmod(number, PER_HOUR)
    return ClockReading(UNIX + timedelta(hours=hours), (offset - UTC) * QUARTER)


def _packed(reading: ClockReading) -> int:
    hours = (reading.hour - UNIX) // timedelta(hours=1)
    return hours * PER_HOUR + UTC + reading.offset // QUARTER
