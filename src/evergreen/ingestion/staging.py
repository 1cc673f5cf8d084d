"""All rows of a source in one table: typed, checked, each with its input and line."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import duckdb

from evergreen.errors import DataError, shortage
from evergreen.settings import paths
from evergreen.store import files, sql

if TYPE_CHECKING:
    import pyarrow as pa

    from evergreen.ingestion.conversion import Conversion
    from evergreen.ingestion.inputs import Input

MAX_SHOWN_CHARS = 200
MALFORMED, PUT_OFF, KNOWN_DAY, OTHER_CURRENCY = 1, -1, -2, -3
"""Statuses of a row: malformed; bad, but after the requested date; of a day already ingested; in a
currency that is excluded.

0 is a good row. The checks of an input are numbered from 2 on.
"""

_numbers = itertools.count()
SQL_TYPES = {
    "string": "varchar",
    "timestamp[us]": "timestamp",
    "int64": "bigint",
    "double": "double",
    "date32[day]": "date",
}


def content_of(schema: pa.Schema) -> list[str]:
    """The columns that identify a row: all but the day on which it became known."""
    return [name for name in schema.names if name != "ingested_on"]


def _sql_type(schema: pa.Schema, name: str) -> str:
    return SQL_TYPES[str(schema.field(name).type)]


def create_incoming(con: duckdb.DuckDBPyConnection, schema: pa.Schema) -> None:
    """Create the empty tables ``incoming`` and ``verdicts`` (input, line, verdict).

    ``incoming`` is in a file in `paths.WORK`: compressed, it takes a tenth of the memory, and what
    is not in use needs none.

    Columns of ``incoming``: input, sheet, line; the canonical ones without ingested_on; day (on
    which the row became known, from the source or else its own date); currency,
    where one is beside the amount; clock and known_clock, the readings of
    `evergreen.ingestion.time_sql.TimeColumn.clock_sql`; status, and for a bad row
    why it is malformed (if it is) and the text to show.
    """
    columns = [f"{sql.name(name)} {_sql_type(schema, name)}" for name in content_of(schema)]
    file = paths.WORK / f"incoming-{next(_numbers)}.duckdb"  # a process may attach a file once
    file.parent.mkdir(parents=True, exist_ok=True)
    files.remove(file)
    con.execute(f"attach {sql.literal(file)} as work (recovery_mode 'no_wal_writes')")
    con.execute("set search_path = 'memory.main,work.main'")
    con.execute(
        "create table work.incoming "
        f"(input int, sheet int default 0, line bigint, {', '.join(columns)}, "
        "day date, currency varchar, clock int, known_clock int, "
        "status smallint, malformed varchar, value varchar)"
    )
    con.execute("create temp table verdicts (input int, line bigint, verdict varchar)")


def stage(
    con: duckdb.DuckDBPyConnection,
    number: int,
    rows: Input,
    conversion: Conversion,
    schema: pa.Schema,
) -> str:
    """Put the rows of an input into ``incoming``; return the SQL that they were read with.

    An engine's reader is fast, but may drop blank lines, or join lines at a stray quote. So it is
    trusted only where it gives as many rows as the file has lines; else the careful reader reads
    the file again.

    Raises
    ------
    DataError
        If the file is damaged inside.
    """
    try:
        cells = _stage_fast(con, number, rows, conversion, schema)
        if cells is None and rows.careful is not None:
            cells = rows.careful()
            _insert(con, number, cells, conversion, schema)
    except (duckdb.IOException, duckdb.InvalidInputException) as error:
        raise shortage(error) or DataError(
            f"{rows.name} can't be read: {str(error).splitlines()[0]}; nothing was changed",
            "have the file delivered again, or move it out of the source's folder",
        ) from None
    if conversion.two_sheets:
        _number_sheets(con, number)
    return cells or ""


def _stage_fast(
    con: duckdb.DuckDBPyConnection,
    number: int,
    rows: Input,
    conversion: Conversion,
    schema: pa.Schema,
) -> str | None:
    """Put all rows into ``incoming`` with an engine's reader; None if it could not."""
    if rows.fast is None:
        return None
    lines = f"row_number() over () + {rows.first_line - 1} as line, null::varchar as malformed"
    con.begin()
    try:
        cells = f"select *, {lines} from ({rows.fast})"
        count = _insert(con, number, cells, conversion, schema)
    except duckdb.InvalidInputException:
        con.rollback()
        if rows.careful is None:
            raise
        return None
    complete = rows.row_count in (None, count)
    (con.commit if complete else con.rollback)()
    return cells if complete else None


def _insert(
    con: duckdb.DuckDBPyConnection,
    number: int,
    rows: str,
    conversion: Conversion,
    schema: pa.Schema,
) -> int:
    checks = list(enumerate(conversion.checks, MALFORMED + 1))
    statuses = " ".join(f"when {check.fails} then {status}" for status, check in checks)
    values = " ".join(f"when {status} then {check.value}::varchar" for status, check in checks)
    content = content_of(schema)
    cells = ", ".join(
        f"{sql.name(name) if name in conversion.columns else 'null'}::{_sql_type(schema, name)}"
        for name in content
    )
    optional = ", ".join(
        name if name in conversion.columns else "null"
        for name in ("currency", "clock", "known_clock")
    )
    [(count,)] = con.execute(
        f"""
        insert into incoming
               (input, line, {sql.names(content)}, day, currency, clock, known_clock,
                status, malformed, value)
        select {number}, line, {cells}, day, {optional}, status, malformed,
               case when status > 0 then left(
                   case status when {MALFORMED} then c0 {values} end::varchar, {MAX_SHOWN_CHARS}
               ) end
        from (
            select *,
                   case when malformed is not null then {MALFORMED} {statuses} else 0 end as status
            from ({_typed(rows, conversion.columns)})
        )
        """
    ).fetchall()
    return int(count)


def _typed(rows: str, columns: dict[str, str]) -> str:
    """SQL of rows with the canonical columns.

    A column that uses others selects from them: named in one select, DuckDB would put the SQL of
    the others in its place, and plan each copy.
    """
    names: list[str] = []
    typed: list[str] = []
    for name, cell in columns.items():
        if any(re.search(rf"\b{other}\b", cell) for other in names):
            rows, names, typed = f"select *, {', '.join(typed)} from ({rows})", [], []
        names.append(name)
        typed.append(f"{cell} as {sql.name(name)}")
    return f"select *, {', '.join(typed)} from ({rows})"


def _number_sheets(con: duckdb.DuckDBPyConnection, number: int) -> None:
    """Number the rows from where the dates step back as a sheet of their own."""
    con.execute(
        f"""
        update incoming set sheet = 1 where input = {number} and line >= (
            select min(line) from (
                select line, timestamp::date < max(timestamp::date) over (
                    order by line rows between unbounded preceding and 1 preceding
                ) as steps_back
                from incoming where input = {number} and status = 0
            ) where steps_back
        )
        """
    )
