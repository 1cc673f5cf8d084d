"""Find the rows that are not ingested yet, by their content and how often it occurs.

A file may be delivered again, grow, or overlap with another (such as a daily export of the last 30
days). So a row is already ingested if the raw table holds its content at least as often as the file
does up to that row. Two equal rows in one file are two purchases; the same row in two files is one.

Rows with an id are compared by it, see `corrections`. A demo gives the same rows for the same days
every time, so comparing the days is enough.
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
    WITHDRAWAL,
    compare_by_id,
)
from evergreen.ingestion.staging import KNOWN_DAY, content_of
from evergreen.store import sql, tables

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from evergreen.ingestion.sources import RawTable

AFTER_THROUGH, DEFERRED = "after the requested date", "waiting for a new day"
AHEAD_DAYS = 366


@dataclass(frozen=True)
class Span:
    """The days that an ingestion writes; `start` and `end` are None where it writes none.

    Attributes
    ----------
    newest
        The newest day in the raw table before; None where it is empty.
    through
        The requested last day.
    """

    newest: date | None
    through: date
    start: date | None
    end: date | None

    @property
    def of_earlier(self) -> date | None:
        """The day on which rows older than `start` become known: late ones on the last day."""
        return self.start if self.newest is None else self.end


def deduplicate(
    con: duckdb.DuckDBPyConnection,
    table: RawTable,
    *,
    through: date,
    history: tuple[date, date] | None,
) -> Span:
    """Fill the table ``verdicts`` (input, line, verdict) for the rows that are not simply new.

    A good row without a verdict is new (accepted), or after `through`. A late row belongs to a day
    that was written before: it becomes known on the last day that is written now. Where no further
    day is written, it is deferred.

    Parameters
    ----------
    table
        If it is `complete`, days without rows are known to have had none where the source has rows
        of later days, up to a year later (more is a mistyped year). Otherwise nothing is taken to
        be missing, and the last day is `through`.
    history
        The first and last day of the transactions, unless `table` holds them. What is older was
        known from the first day on: one file for each day since the oldest attribute became valid
        would help nobody.
    """
    newest = max(tables.partitions(table.folder), default=None)
    newest_or_min = newest or date.min
    if table.by_day:
        con.execute(
            f"update incoming set status = {KNOWN_DAY} "
            f"where status = 0 and day <= date '{newest_or_min}'"
        )
    elif "row_id" in table.schema.names:
        compare_by_id(con, table.folder, table.schema, newest=newest_or_min, through=through)
    if not table.by_day and "timestamp" in table.schema.names:
        _find_doubtful(con, table.schema, newest_or_min, through)
        _view_stored(con, table.folder, table.schema)
        con.execute(_verdicts_sql(table.schema, newest_or_min))
    span = Span(newest, through, *_days_to_write(con, table, newest, through, history))
    if span.end is None:
        late = f"verdict in ('{LATE}', '{CORRECTION}', '{WITHDRAWAL}')"
        con.execute(f"update verdicts set verdict = '{DEFERRED}' where {late}")
    con.execute(f"update verdicts set verdict = '{ACCEPTED}' where verdict = '{LATE}'")
    return span


def _days_to_write(
    con: duckdb.DuckDBPyConnection,
    table: RawTable,
    newest: date | None,
    through: date,
    history: tuple[date, date] | None,
) -> tuple[date, date] | tuple[None, None]:
    new = f"day <= date '{through}' and day > date '{newest or date.min}'"
    [(first, last, later)] = con.sql(
        f"""
        select min(day) filter ({new}), max(day) filter ({new}),
               bool_or(day > date '{through}' and day <= date '{through}' + {AHEAD_DAYS})
        from incoming where status = 0
        """
    ).fetchall()
    end = through if later or not table.complete else last
    if history and table.by_day:  # the days of the transactions, which come from the same source
        first, end = history
    start = newest + timedelta(days=1) if newest else first
    if start and history and not newest:
        start = max(start, history[0])
    return (None, None) if start is None or end is None or end < start else (start, end)


def _find_doubtful(
    con: duckdb.DuckDBPyConnection, schema: pa.Schema, newest: date, through: date
) -> None:
    """Select rows without id of days that are in the raw table or in more than one sheet."""
    without_id = "and row_id is null" if "row_id" in schema.names else ""
    con.execute(
        f"""
        create temp table doubtful as
        select * from incoming
        where status = 0 {without_id} and day <= date '{through}' and (
            timestamp::date <= date '{newest}' or timestamp::date in (
                select event_day from (
                    select distinct input, sheet, timestamp::date as event_day
                    from incoming where status = 0 {without_id}
                ) group by event_day having count(*) > 1))
        """
    )


def _view_stored(con: duckdb.DuckDBPyConnection, folder: Path, schema: pa.Schema) -> None:
    """View the rows of these days in the raw table; none became known before it happened."""
    [(first,)] = con.sql("select min(timestamp)::date from doubtful").fetchall()
    files = [p for d, p in tables.partitions(folder).items() if first and d >= first]
    content = ", ".join(content_of(schema))
    con.register("raw_columns", schema.empty_table())
    rows = "from raw_columns"
    if files:
        rows += f" union all by name from {sql.parquet(files, by_name=True)}"
    con.execute(
        f"create temp view stored as select {content} from ({rows}) "
        "where timestamp::date in (select timestamp::date from doubtful)"
    )


def _verdicts_sql(schema: pa.Schema, newest: date) -> str:
    content = ", ".join(content_of(schema))
    same = " and ".join(f"d.{name} is not distinct from s.{name}" for name in content_of(schema))
    return f"""
        insert into verdicts
        with numbered as (
            select input, sheet, line, day, {content},
                   row_number() over (partition by input, sheet, {content} order by line) as copy
            from doubtful
        ), counted as (
            select {content}, count(*) as copies from stored group by all
        ), matched as (
            select d.*, copy <= coalesce(copies, 0) as ingested
            from numbered d left join counted s on {same}
        )
        select input, line,
               case when ingested then '{ALREADY_INGESTED}'
                    when row_number() over (
                        partition by copy, {content} order by ingested, input, sheet) > 1
                    then '{IN_ANOTHER_FILE}'
                    when day <= date '{newest}' then '{LATE}'
                    else '{ACCEPTED}' end as verdict
        from matched
    """
