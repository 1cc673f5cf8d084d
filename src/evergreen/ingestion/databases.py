"""Any SQL database that SQLAlchemy reaches: only rows after the last watermark are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from evergreen.errors import DataError
from evergreen.ingestion.connections import error_text, open_database
from evergreen.ingestion.inputs import Input, copied_input
from evergreen.store import sql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb

    from evergreen.settings.sources import TableSource

CHUNK_ROWS = 20_000
OVERLAP, OVERLAP_NUMBERS = timedelta(days=1), 10_000
"""How much before a watermark is asked for again: a transaction may commit after later ones."""


@dataclass(frozen=True)
class QueryResult:
    """The rows of a query, in the order of the watermark, and that of each by its line."""

    rows: Input
    copy: Path

    def watermark(self, con: duckdb.DuckDBPyConnection, before_line: int | None) -> str | None:
        """The watermark of the last row, or of the row at a line; None where there are none."""
        which = "" if before_line is None else f"where line <= {before_line}"
        found = con.sql(
            f"select watermark from {sql.parquet([self.copy])} {which} order by line desc limit 1"
        ).fetchall()
        return str(found[0][0]) if found and found[0][0] is not None else None


def read_database(
    con: duckdb.DuckDBPyConnection, source: TableSource, since: str | None, copy: Path
) -> QueryResult:
    """Ask a database for the rows from a watermark on, and lay them out as text in `copy`.

    Rows are fetched in chunks by a cursor that stays in the database, so memory is bounded.

    Parameters
    ----------
    since
        As `QueryResult.watermark` gave it; None for all rows.

    Raises
    ------
    DataError
        If the variable is not set, or the database can't be reached or asked. The address is never
        part of the message: it may hold a password.
    """
    engine = open_database(source.url_env or "")
    try:
        with engine.connect().execution_options(stream_results=True, max_row_buffer=1000) as asked:
            laid = _lay_out(asked.execute(*_query(asked, source, since)), source, copy)
    except SQLAlchemyError as error:
        raise _refused(source, error_text(engine, error)) from None
    finally:
        engine.dispose()
    return QueryResult(_part(con, source, *laid, copy), copy)


def _refused(source: TableSource, said: str) -> DataError:
    return DataError(
        f"the database of {source.url_env} refused {source.table or 'the query'}: {said}; "
        "nothing was changed",
        f"mend `source` in params.yaml, or what {source.url_env} holds",
    )


def _query(
    asked: sa.Connection, source: TableSource, since: str | None
) -> tuple[sa.TextClause, dict[str, Any]]:
    quote = asked.dialect.identifier_preparer.quote
    named = ".".join(quote(part) for part in (source.table or "").split("."))
    rows = f"({source.query.strip().rstrip(';')})" if source.query else named
    if source.watermark is None:
        return sa.text(f"select * from {rows} as source_rows"), {}
    mark = quote(source.watermark)
    where = "" if since is None else f" where {mark} >= :since"
    query = sa.text(f"select * from {rows} as source_rows{where} order by {mark}")
    return query, {} if since is None else {"since": _value(since)}


def _value(watermark: str) -> object:
    """What to compare with: a time from a day earlier on, a serial number from 10,000 before."""
    kind, _, text = watermark.partition(" ")
    if kind == "datetime":
        return datetime.fromisoformat(text) - OVERLAP
    if kind == "date":
        return date.fromisoformat(text) - OVERLAP
    return int(text) - OVERLAP_NUMBERS if kind == "int" else _earlier(text)


def _earlier(text: str) -> str:
    """A day before a time that is kept as text, as SQLite does; any other text as it is."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    return (time - OVERLAP).isoformat(text[10:11] or "T")[: len(text)]


def _kept(value: object) -> str | None:
    """A watermark as text that `_value` can read."""
    kind = next((t for t in (datetime, date, int) if isinstance(value, t)), None)
    text = value.isoformat() if isinstance(value, date) else value
    return None if value is None else f"{kind.__name__ if kind else 'str'} {text}"


def _lay_out(
    result: sa.CursorResult[Any], source: TableSource, copy: Path
) -> tuple[list[str], frozenset[int]]:
    """Write the rows; return the columns, and which of them hold numbers."""
    headers = list(result.keys())
    at = headers.index(source.watermark) if source.watermark in headers else None
    names = [f"c{i}" for i in range(len(headers))]
    schema = pa.schema(
        [pa.field("line", pa.int64())]
        + [pa.field(name, pa.string()) for name in ("malformed", "watermark", *names)]
    )
    numbers: set[int] = set()
    copy.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(copy, schema) as writer:
        for start, rows in _chunks(result):
            numbers |= {i for i, c in enumerate(zip(*rows, strict=True)) if any(map(_is_number, c))}
            marks = [None if at is None else _kept(row[at]) for row in rows]
            columns = [
                pa.array(range(start, start + len(rows)), pa.int64()),
                pa.nulls(len(rows), pa.string()),
                pa.array(marks, pa.string()),
                *(
                    pa.array(list(map(_text, column)), pa.string())
                    for column in zip(*rows, strict=True)
                ),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    return headers, frozenset(numbers)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal)


def _chunks(result: sa.CursorResult[Any]) -> Iterator[tuple[int, list[Any]]]:
    start = 1
    for rows in result.partitions(CHUNK_ROWS):
        yield start, list(rows)
        start += len(rows)


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ")
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).replace("\0", "")


def _part(
    con: duckdb.DuckDBPyConnection,
    source: TableSource,
    headers: list[str],
    numbers: frozenset[int],
    copy: Path,
) -> Input:
    name = f"{source.url_env}, {source.table or 'query'}"
    return copied_input(con, name, headers, copy, numbers)
