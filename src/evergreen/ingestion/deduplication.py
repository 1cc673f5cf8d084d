"""Tell new rows from those taken in before: by their content, as often as it occurs.

A file may come again, grow, or overlap with another (an export of the last 30 days, every day). So
a row is known if the raw table holds its content as often as the file does up to that row. Two
equal rows in one file are two purchases; the same row in two files is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from evergreen.ingestion.corrections import (
    ACCEPTED,
    ALREADY_INGESTED,
    CORRECTION,
    IN_ANOTHER_FILE,
    LATE,
    compare_by_id,
)
from evergreen.ingestion.staging import content_of
from evergreen.store import sql, tables

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb
    import pyarrow as pa

AFTER_THROUGH, DEFERRED = "after the requested date", "waiting for a new day"
AHEAD_DAYS = 366


@dataclass(frozen=True)
class Span:
    """The days that an ingestion writes; `end` is None where it writes none.

    Attributes
    ----------
    newest
        The newest day in the raw table before; None where it is empty.
    through
        The last day that was asked for.
    """

    newest: date | None
    through: date
    start: date | None
    end: date | None

    @property
    def of_earlier(self) -> date | None:
        """On which day a row becomes known that is older than `start`: late, or from the start."""
        return self.start if self.newest is None else self.end


def deduplicate(
    con: duckdb.DuckDBPyConnection,
    folder: Path,
    schema: pa.Schema,
    *,
    through: date,
    complete: bool,
    begins: date | None,
) -> Span:
    """Make the table ``verdicts`` (part, line, verdict) for the rows that need a second look.

    A good row without one is new (accepted), or lies after `through`. A late row belongs to a day
    that was written before: it becomes known on the last day that is written now, and where no
    further day is written it waits.

    Parameters
    ----------
    complete
        Whether the end of the rows is the end of what is known, as with transactions: days without
        rows are known to have had none where a source has rows of later days, up to a year later
        (more is a mistyped year). Otherwise nothing is taken to be missing, and the last day is
        `through`.
    begins
        The first day of the history, if it is known: what is older was known from then on. A file a
        day since the oldest attribute became valid would serve nobody.
    """
    stored = tables.partitions(folder)
    newest = max(stored, default=None)
    if "row_id" in schema.names:
        compare_by_id(con, folder, schema, newest=newest, through=through)
    else:
        _find_doubtful(con, newest or date.min, through)
        _view_stored(con, folder, schema)
        con.execute(_verdicts_sql(schema, newest or date.min))
    [(first, last, later)] = con.sql(
        f"""
        select min(day) filter (day <= date '{through}' and {_is_new(newest)}),
               max(day) filter (day <= date '{through}' and {_is_new(newest)}),
               bool_or(day > date '{through}' and day <= date '{through}' + {AHEAD_DAYS})
        from incoming where status = 0
        """
    ).fetchall()
    end = through if later or not complete else last
    start = newest + timedelta(days=1) if newest else first
    if start and begins and not newest:
        start = max(start, begins)
    if start is None or end is None or end < start:
        return _settle(con, Span(newest, through, None, None))
    return _settle(con, Span(newest, through, start, end))


def _is_new(newest: date | None) -> str:
    return f"day > date '{newest or date.min}'"


def _settle(con: duckdb.DuckDBPyConnection, span: Span) -> Span:
    if span.end is None:
        late = f"verdict in ('{LATE}', '{CORRECTION}')"
        con.execute(f"update verdicts set verdict = '{DEFERRED}' where {late}")
    con.execute(f"update verdicts set verdict = '{ACCEPTED}' where verdict = '{LATE}'")
    return span


def _find_doubtful(con: duckdb.DuckDBPyConnection, newest: date, through: date) -> None:
    """Rows of days that are in the raw table already, or in more than one part."""
    con.execute(
        f"""
        create or replace temp table doubtful as
        select * from incoming
        where status = 0 and day <= date '{through}' and (
            timestamp::date <= date '{newest}' or timestamp::date in (
                select event_day from (
                    select distinct part, timestamp::date as event_day
                    from incoming where status = 0
                ) group by event_day having count(*) > 1))
        """
    )


def _view_stored(con: duckdb.DuckDBPyConnection, folder: Path, schema: pa.Schema) -> None:
    """The rows of these days in the raw table; none became known before it happened."""
    [(first,)] = con.sql("select min(timestamp)::date from doubtful").fetchall()
    files = [p for d, p in tables.partitions(folder).items() if first and d >= first]
    content = ", ".join(content_of(schema))
    if not files:
        con.execute("create or replace temp view stored as select * from doubtful where false")
        return
    con.execute(
        f"create or replace temp view stored as select {content} from {sql.parquet(files)} "
        "where timestamp::date in (select timestamp::date from doubtful)"
    )


def _verdicts_sql(schema: pa.Schema, newest: date) -> str:
    content = ", ".join(content_of(schema))
    same = " and ".join(f"d.{name} is not distinct from s.{name}" for name in content_of(schema))
    return f"""
        create or replace temp table verdicts as
        with numbered as (
            select part, line, day, {content},
                   row_number() over (partition by part, {content} order by line) as copy
            from doubtful
        ), counted as (
            select {content}, count(*) as copies from stored group by all
        ), matched as (
            select d.*, copy <= coalesce(copies, 0) as known
            from numbered d left join counted s on {same}
        )
        select part, line,
               case when known then '{ALREADY_INGESTED}'
                    when row_number() over (
                        partition by copy, {content} order by known, part) > 1
                    then '{IN_ANOTHER_FILE}'
                    when day <= date '{newest}' then '{LATE}'
                    else '{ACCEPTED}' end as verdict
        from matched
    """
