"""Any SQL database that SQLAlchemy reaches: only rows after the last watermark are queried."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from evergreen.errors import DataError
from evergreen.ingestion.cells import number_text
from evergreen.ingestion.connections import error_text, open_database
from evergreen.ingestion.inputs import Input, copied_input, write_copy
from evergreen.store import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import duckdb

    from evergreen.settings.sources import TableSource

CHUNK_ROWS = 20_000
OVERLAP, OVERLAP_NUMBERS = timedelta(days=1), 10_000
"""How far before a watermark a query begins: a transaction may commit after later ones."""


@dataclass(frozen=True)
class QueryResult:
    """The rows of a query in the order of the watermark, and the copy that has it for each line."""

    rows: Input
    copy: Path

    def watermark(self, con: duckdb.DuckDBPyConnection, before_line: int | None) -> str | None:
        """The watermark of the last row, or of the row at a line; None without rows."""
        which = "" if before_line is None else f"where line <= {before_line}"
        marks = con.sql(
            f"select watermark from {sql.parquet([self.copy])} {which} order by line desc limit 1"
        ).fetchall()
        return marks[0][0] if marks else None


def read_database(
    con: duckdb.DuckDBPyConnection, source: TableSource, since: str | None, copy: Path
) -> QueryResult:
    """Query a database for the rows from a watermark on, and copy them as text.

    Rows are fetched in chunks by a cursor that stays in the database, so memory is bounded.

    Parameters
    ----------
    since
        As `QueryResult.watermark` gave it; None for all rows.

    Raises
    ------
    DataError
        If the variable is not set, or the database can't be reached or queried. The address is
        never part of the message: it may hold a password.
    """
    engine = open_database(source.url_env or "")
    try:
        with engine.connect().execution_options(stream_results=True, max_row_buffer=1000) as db:
            result = db.execute(*_query(db, source, since))
            headers = list(result.keys())
            numbers = _copy(result, headers, source.watermark, copy)
    except SQLAlchemyError as error:
        raise DataError(
            f"the database of {source.url_env} refused {source.table or 'the query'}: "
            f"{error_text(engine, error)}; nothing was changed",
            f"fix `source` in params.yaml, or {source.url_env}",
        ) from None
    finally:
        engine.dispose()
    name = f"{source.url_env}, {source.table or 'query'}"
    return QueryResult(copied_input(con, name, headers, copy, numbers), copy)


def _query(
    db: sa.Connection, source: TableSource, since: str | None
) -> tuple[sa.TextClause, dict[str, Any]]:
    quote = db.dialect.identifier_preparer.quote
    table = ".".join(quote(part) for part in (source.table or "").split("."))
    rows = f"({source.query.strip().rstrip(';')})" if source.query else table
    if source.watermark is None:
        return sa.text(f"select * from {rows} as source_rows"), {}
    mark = quote(source.watermark)
    where = "" if since is None else f" where {mark} >= :since"
    query = sa.text(f"select * from {rows} as source_rows{where} order by {mark}")
    return query, {} if since is None else {"since": _with_overlap(since)}


def _with_overlap(watermark: str) -> object:
    """What to compare with: a time a day earlier, a serial number 10,000 earlier."""
    kind, _, text = watermark.partition(" ")
    if kind == "datetime":
        return datetime.fromisoformat(text) - OVERLAP
    if kind == "date":
        return date.fromisoformat(text) - OVERLAP
    return int(text) - OVERLAP_NUMBERS if kind == "int" else _earlier(text)


def _earlier(text: str) -> str:
    """A day before a time that is stored as text, as in SQLite; any other text unchanged."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    return (time - OVERLAP).isoformat(text[10:11] or "T")[: len(text)]


def _as_watermark(value: object) -> str | None:
    """A value as text that `_with_overlap` can read."""
    kind = next((t for t in (datetime, date, int) if isinstance(value, t)), None)
    text = value.isoformat() if isinstance(value, date) else value
    return None if value is None else f"{kind.__name__ if kind else 'str'} {text}"


def _copy(
    result: sa.CursorResult[Any], headers: list[str], watermark: str | None, copy: Path
) -> frozenset[int]:
    """Write the rows; return the columns that hold numbers."""
    at = headers.index(watermark) if watermark in headers else None
    numbers: set[int] = set()

    def batches() -> Iterator[list[Iterable[Any]]]:
        start = 1
        for rows in result.partitions(CHUNK_ROWS):
            columns = list(zip(*rows, strict=True))
            numbers.update(i for i, column in enumerate(columns) if any(map(_is_number, column)))
            marks = [None if at is None else _as_watermark(row[at]) for row in rows]
            lines = range(start, start + len(rows))
            start = lines.stop
            yield [lines, [None] * len(rows), marks, *(map(_text, column) for column in columns)]

    write_copy(copy, len(headers), batches(), extra=["watermark"])
    return frozenset(numbers)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal)


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        # a database keeps the instant alone; the offset is that of a session
        zoned = value.tzinfo is not None
        return (value.astimezone(UTC) if zoned else value).isoformat(" ")
    if isinstance(value, float | Decimal):
        return number_text(value)
    return str(value).replace("\0", "")
