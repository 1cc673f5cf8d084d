"""What a source consists of (files, sheets, query results), all in one shape."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from evergreen.errors import DataError
from evergreen.ingestion.header_row import header_text, joined_header
from evergreen.ingestion.redaction import is_no_header
from evergreen.store import sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import duckdb


class Mapped(NamedTuple):
    """The columns of a source that are mapped, and those of them that hold texts."""

    headers: list[str]
    texts: list[str]

    def extended(self, aliases: Mapping[str, Sequence[str]], others: Iterable[str]) -> Mapped:
        """With the other names of the columns, and with other columns."""
        texts = [name for text in self.texts for name in (text, *aliases.get(text, ()))]
        return Mapped([*self.headers, *chain.from_iterable(aliases.values()), *others], texts)


@dataclass(frozen=True)
class Input:
    """Rows as cells, each with the line that it is on.

    Attributes
    ----------
    name
        What the user calls it, such as ``inbox/2024-03-01.csv``.
    headers
        The columns, in order; column number i is ``c<i>`` in the SQL below.
    first_line
        The line of the first row.
    fast
        SQL of the rows with an engine's reader. It fails, or gives a number of rows other than
        `row_count`, unless each row is one well-formed line. None where there is no such reader.
    row_count
        How many rows `fast` gives if it is reliable; None if it always is.
    careful
        Writes the rows with a reader that loses none, and gives the SQL that reads them: the
        columns, ``line``, and ``malformed`` (why the line is not a row, or null). None where
        `fast` always suffices.
    values
        The cells of a column as text, from the first on.
    decimal_point
        The columns that held numbers in the source, so their text has a decimal point.
    notices
        What users should know about it, a line each; complete once its rows are read.
    in_lines
        Whether lines that are not rows, such as blank ones and totals, may be among its rows.
    footer
        The lines at its end that the settings skip.
    serials
        The columns of a workbook in which some cells are dates, so that numbers are dates too.
    """

    name: str
    headers: list[str]
    first_line: int
    fast: str | None
    row_count: int | None
    careful: Callable[[], str] | None
    values: Callable[[int], Iterator[str]]
    decimal_point: frozenset[int] = frozenset()
    notices: list[str] = field(default_factory=list)
    in_lines: bool = False
    footer: tuple[int, ...] = ()
    serials: frozenset[int] = frozenset()

    def renamed(self, aliases: Mapping[str, Sequence[str]]) -> Input:
        """With one of its other names renamed to each column that it lacks."""
        headers = list(self.headers)
        for header, others in aliases.items():
            found = next((name for name in others if name in headers), None)
            if found is not None and header not in headers:
                headers[headers.index(found)] = header
        return replace(self, headers=headers)

    def joined(self, headers: Sequence[str]) -> Input:
        """With a further column that joins others, as a date and a time of day, by a blank.

        It is named as by `joined_header`. A midnight that a spreadsheet
        adds to a date is left out of it.
        """
        numbers = [self.column(header) for header in headers]
        texts = ", ".join(f"nullif(replace(trim(c{n}), ' 00:00:00', ''), '')" for n in numbers)
        cells = f"nullif(concat_ws(' ', {texts}), '') as c{len(self.headers)}"
        careful = self.careful

        def values(column: int) -> Iterator[str]:
            if column < len(self.headers):
                yield from self.values(column)
                return
            for parts in zip(*map(self.values, numbers), strict=False):
                yield " ".join(part.strip().replace(" 00:00:00", "") for part in parts).strip()

        return replace(
            self,
            headers=[*self.headers, joined_header(headers)],
            fast=self.fast and f"select *, {cells} from ({self.fast})",
            careful=careful and (lambda: f"select *, {cells} from ({careful()})"),
            values=values,
        )

    def column(self, header: str) -> int:
        """The number of a column.

        Raises
        ------
        DataError
            If no column, or more than one, has that name; names the nearest one.
        """
        header = header if header in self.headers else header_text(header)
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
                f"{self.name} lacks the column {header!r}; its first line holds data, not column "
                "names; nothing was changed",
                "have the file delivered with a header, or add one; or set `header_row` of the "
                "source in params.yaml to the line that has it",
            )
        near = difflib.get_close_matches(header, self.headers, n=1, cutoff=0.4)
        nearest = f"; nearest: {near[0]!r}" if near else ""
        raise DataError(
            f"{self.name} lacks the column {header!r} (found: {', '.join(self.headers)}{nearest}); "
            "nothing was changed",
            "name the column in params.yaml as the source does; or move a file that is not part "
            "of the source out of its folder",
        )


def sql_input(
    con: duckdb.DuckDBPyConnection,
    name: str,
    headers: list[str],
    rows: str,
    decimal_point: frozenset[int] = frozenset(),
) -> Input:
    """Rows that SQL gives as columns ``c<i>``, counted from 1."""
    values = partial(_values, con, rows)
    return Input(name, headers, 1, rows, None, None, values, decimal_point)


def copied_input(
    con: duckdb.DuckDBPyConnection,
    name: str,
    headers: list[str],
    copy: Path,
    decimal_point: frozenset[int] = frozenset(),
) -> Input:
    """Rows that were copied to Parquet as text, with their ``line`` and ``malformed``."""
    rows = f"select * from {sql.parquet([copy])}"
    values = partial(_values, con, rows)
    return Input(name, headers, 1, None, None, partial(str, rows), values, decimal_point)


def write_copy(
    copy: Path, width: int, batches: Iterable[Sequence[Iterable[Any]]], *, extra: Sequence[str] = ()
) -> None:
    """Write what `copied_input` reads.

    Parameters
    ----------
    width
        The number of columns of the input.
    batches
        Some rows at a time as columns: line, malformed, the `extra` ones, then the cells as text.
    """
    texts = ["malformed", *extra, *(f"c{i}" for i in range(width))]
    schema = pa.schema([("line", pa.int64()), *((name, pa.string()) for name in texts)])
    copy.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(copy, schema) as writer:
        for batch in batches:
            arrays = [
                pa.array(list(column), field.type)
                for column, field in zip(batch, schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _values(con: duckdb.DuckDBPyConnection, rows: str, column: int) -> Iterator[str]:
    """The cells of a column, in order."""
    cursor = con.cursor()
    cells = cursor.execute(f"select c{column} from ({rows}) where c{column} is not null")
    while batch := cells.fetchmany(1000):
        yield from (value for (value,) in batch)
