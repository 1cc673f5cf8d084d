"""What a source consists of: files, sheets, answers of a database, all in one shape."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from evergreen.errors import DataError
from evergreen.ingestion.redaction import is_no_header
from evergreen.store import sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import duckdb


@dataclass(frozen=True)
class Input:
    """Rows as text, with the line that each stands on.

    Attributes
    ----------
    name
        What the user calls it, such as ``inbox/2024-03-01.csv``.
    headers
        The columns, in order; column number i is ``c<i>`` in the SQL below.
    first_line
        The line of the first row.
    fast
        SQL of the rows with an engine's reader, which fails, or finds another number of rows than
        `rows`, unless each row is one well-formed line. None where there is no such reader.
    rows
        How many rows `fast` gives if it may be relied upon; None if it always may.
    careful
        Writes the rows for a reader that loses none, and gives the SQL that reads them: the
        columns, ``line``, and ``malformed`` (why the line is no row, or null).
    values
        The cells of a column as text, from the first on.
    decimal_point
        The columns that hold numbers already, so written with a point.
    """

    name: str
    headers: list[str]
    first_line: int
    fast: str | None
    rows: int | None
    careful: Callable[[], str]
    values: Callable[[int], Iterator[str]]
    decimal_point: frozenset[int] = frozenset()

    def column(self, header: str) -> int:
        """The number of a column.

        Raises
        ------
        DataError
            If there is none or more than one of that name; with the nearest name.
        """
        count = self.headers.count(header)
        if count == 1:
            return self.headers.index(header)
        if count > 1:
            raise DataError(
                f"{self.name} has {count} columns named {header!r}, expected one; "
                "nothing was changed",
                "rename one of them where the file is made",
            )
        if is_no_header(self.headers):
            raise DataError(
                f"{self.name} lacks the column {header!r}; its first line holds data rather than "
                "the names of columns; nothing was changed",
                "have the file delivered with a header, or give it one",
            )
        near = difflib.get_close_matches(header, self.headers, n=1, cutoff=0.4)
        nearest = f"; nearest: {near[0]!r}" if near else ""
        raise DataError(
            f"{self.name} lacks the column {header!r} (found: {', '.join(self.headers)}{nearest}); "
            "nothing was changed",
            "name the column in params.yaml as the source does; or move a file that is no part "
            "of the source out of its folder",
        )


def read_copy(
    con: duckdb.DuckDBPyConnection,
    name: str,
    headers: list[str],
    copy: Path,
    *,
    first_line: int,
    decimal_point: frozenset[int] = frozenset(),
) -> Input:
    """The part whose rows were written to a Parquet file as text, with their lines."""
    rows = f"select * from {sql.parquet([copy])}"
    return Input(
        name=name,
        headers=headers,
        first_line=first_line,
        fast=None,
        rows=None,
        careful=partial(str, rows),
        values=partial(sample, con, rows),
        decimal_point=decimal_point,
    )


def sample(con: duckdb.DuckDBPyConnection, rows: str, column: int) -> Iterator[str]:
    """The cells of a column that an engine reads, in order."""
    cursor = con.cursor()
    cells = cursor.execute(f"select c{column} from ({rows}) where c{column} is not null")
    while batch := cells.fetchmany(1000):
        yield from (value for (value,) in batch)
