"""All rows of a source in one table, typed and checked, each with its part and line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from evergreen.errors import DataError
from evergreen.settings import paths
from evergreen.store import sql

if TYPE_CHECKING:
    import pyarrow as pa

    from evergreen.ingestion.conversion import Conversion
    from evergreen.ingestion.inputs import Input

MAX_SHOWN_CHARS = 200
MEMORY = "512MB"
MALFORMED, PUT_OFF = 1, -1
"""Status of a row that could not be split into cells, and of a bad row after the requested date.

0 is a good row; the checks are numbered from 2 on.
"""

SQL_TYPES = {
    "string": "varchar",
    "timestamp[us]": "timestamp",
    "int64": "bigint",
    "double": "double",
    "date32[day]": "date",
}


def bound_memory(con: duckdb.DuckDBPyConnection) -> None:
    """Let a connection put on disk what would need more memory."""
    paths.WORK.mkdir(parents=True, exist_ok=True)
    con.execute(f"set memory_limit = '{MEMORY}'")
    con.execute(f"set temp_directory = {sql.literal(paths.WORK / 'spilled')}")


def content_of(schema: pa.Schema) -> list[str]:
    """The columns that make a row what it is: all but the day on which it became known."""
    return [name for name in schema.names if name != "ingested_on"]


def create_incoming(con: duckdb.DuckDBPyConnection, schema: pa.Schema) -> None:
    """Make the empty table ``incoming``.

    Columns: part, line; the canonical ones but ingested_on; day (on which the row became known, as
    the source says or as its own date says); status, and for a bad row why it is malformed (if it
    is) and the text to show.
    """
    columns = [f"{n} {SQL_TYPES[str(schema.field(n).type)]}" for n in content_of(schema)]
    con.execute(
        f"create or replace temp table incoming (part int, line bigint, {', '.join(columns)}, "
        "day date, status smallint, malformed varchar, value varchar)"
    )


def stage(
    con: duckdb.DuckDBPyConnection, number: int, part: Input, made: Conversion, schema: pa.Schema
) -> int:
    """Put the rows of a part into ``incoming``; return how many there are.

    An engine's reader is fast, but may drop blank lines, or run lines together at a stray quote. So
    it is believed only where it finds as many rows as the file has lines; elsewhere the careful
    reader does it again.

    Raises
    ------
    DataError
        If the file is damaged inside.
    """
    if part.fast is not None:
        lines = f"row_number() over () + {part.first_line - 1} as line, null::varchar as malformed"
        con.begin()
        try:
            rows = _insert(con, number, f"select *, {lines} from ({part.fast})", made, schema)
        except duckdb.InvalidInputException:
            con.rollback()
        else:
            if part.rows in (None, rows):
                con.commit()
                return rows
            con.rollback()
    try:
        return _insert(con, number, part.careful(), made, schema)
    except (duckdb.IOException, duckdb.InvalidInputException) as error:
        raise DataError(
            f"{part.name} can't be read: {str(error).splitlines()[0]}; nothing was changed",
            "have the file delivered again, or move it out of the source's folder",
        ) from None


def _insert(
    con: duckdb.DuckDBPyConnection, number: int, rows: str, made: Conversion, schema: pa.Schema
) -> int:
    typed = ", ".join(f"{sql} as {name}" for name, sql in made.columns.items())
    statuses = "".join(
        f" when {c.fails} then {i}" for i, c in enumerate(made.checks, MALFORMED + 1)
    )
    values = "".join(
        f" when {i} then {c.value}::varchar" for i, c in enumerate(made.checks, MALFORMED + 1)
    )
    content = ", ".join(
        f"{n if n in made.columns else 'null'}::{SQL_TYPES[str(schema.field(n).type)]}"
        for n in content_of(schema)
    )
    [(count,)] = con.execute(
        f"""
        insert into incoming
        select {number}, line, {content}, day, status, malformed,
               case when status > 0 then left(
                   case status when {MALFORMED} then c0 {values} end::varchar, {MAX_SHOWN_CHARS}
               ) end
        from (
            select *,
                   case when malformed is not null then {MALFORMED} {statuses} else 0 end as status
            from (select *, {typed} from ({rows}))
        )
        """
    ).fetchall()
    return int(count)
