"""Parquet files and sheets of workbooks: their cells as text."""

from __future__ import annotations

import re
import zipfile
from collections import deque
from dataclasses import replace
from datetime import date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import duckdb
from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetVisibleEnum

from evergreen.errors import DataError, EvergreenError, shortage
from evergreen.ingestion.cells import number_text
from evergreen.ingestion.header_row import SEARCHED, find_header, header_of, matches
from evergreen.ingestion.inputs import Input, copied_input, sql_input, write_copy
from evergreen.store import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from python_calamine import CalamineSheet

    from evergreen.ingestion.inputs import Mapped
    from evergreen.settings.sources import TableSource

NESTED = ("STRUCT", "MAP", "UNION")
NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")
BATCH_ROWS = 50_000
MAX_CELLS = 1 << 26
CHUNK_BYTES, LONGEST_PLACE = 1 << 20, 16
COLUMN = re.compile(rb" r=[\"']([A-Z]+)[0-9]")
ROW = re.compile(rb" r=[\"'][A-Z]+([0-9]+)[\"']")
"""In the place of a cell, such as ``r="B7"``."""


def read_parquet(con: duckdb.DuckDBPyConnection, path: Path, mapped: Mapped) -> Input:
    """A Parquet file; its rows are counted from 1.

    Raises
    ------
    DataError
        If it is not Parquet, or a mapped column is nested.
    """
    try:
        described = con.sql(f"describe select * from {sql.parquet([path])}").fetchall()
    except duckdb.Error as error:
        raise _unreadable(path, error) from None
    columns = [(str(name), str(kind)) for name, kind, *_ in described]
    for name, kind in columns:
        if name in mapped.headers and (kind.endswith("]") or kind.startswith(NESTED)):
            raise DataError(
                f"{path}: column {name!r} holds several values a row ({kind}); nothing was changed",
                "have it exported with a column for each value, and map that in params.yaml",
            )
    cells = ", ".join(f"{_text(n, k)} as c{i}" for i, (n, k) in enumerate(columns))
    rows = f"select {cells} from {sql.parquet([path])}"
    numbers = (i for i, (_, kind) in enumerate(columns) if kind.lstrip("U").startswith(NUMBERS))
    return sql_input(con, str(path), [name for name, _ in columns], rows, frozenset(numbers))


def _text(name: str, kind: str) -> str:
    """SQL of a cell as text; whole numbers stored as fractions, due to gaps, are whole again."""
    column = sql.name(name)
    if kind == "TIMESTAMP_NS":
        return f"{column}::timestamp::varchar"
    if kind not in ("FLOAT", "DOUBLE"):
        return f"{column}::varchar"
    whole = f"abs({column}) < 1e15 and {column} = floor({column})"
    text = f"if({whole}, {column}::bigint::varchar, {column}::varchar)"
    return f"case when isfinite({column}) then {text} end"


def _unreadable(path: Path, error: Exception) -> EvergreenError:
    return shortage(error) or DataError(
        f"{path} can't be read: {str(error).splitlines()[0]}; nothing was changed",
        "have the file delivered again, or move it out of the source's folder",
    )


def read_workbook(
    con: duckdb.DuckDBPyConnection, path: Path, mapped: Mapped, source: TableSource, folder: Path
) -> list[Input]:
    """The sheets of a workbook, each an input; they are copied to `folder`.

    Hidden sheets are not read, nor sheets with none of the mapped columns if others have some.

    Raises
    ------
    DataError
        If it is not a workbook, or a protected one.
    """
    _check_size(path)
    with path.open("rb") as file:
        if file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            raise DataError(
                f"{path} is a web page or XML with the name of a workbook; nothing was changed",
                "open it in a spreadsheet program and save it as .xlsx or CSV",
            )
    try:
        book = CalamineWorkbook.from_path(path)
        serials = not _counts_from_1904(path)
        sheets = [
            _Sheet(f"{path}, sheet {meta.name}", book.get_sheet_by_name(meta.name), mapped, source)
            for meta in book.sheets_metadata
            if meta.visible == SheetVisibleEnum.Visible
        ]
        filled = [sheet for sheet in sheets if sheet.header is not None]
        read = [sheet for sheet in filled if sheet.names] or filled
        inputs = [
            sheet.as_input(con, folder / f"sheet-{number}.parquet", serials=serials)
            for number, sheet in enumerate(read)
        ]
    except (CalamineError, PasswordError, OSError) as error:
        raise _unreadable(path, error) from None
    hidden = [
        meta.name for meta in book.sheets_metadata if meta.visible != SheetVisibleEnum.Visible
    ]
    others = [sheet.name for sheet in filled if sheet not in read]
    if inputs:
        inputs[0].notices.extend(f"{path}, sheet {name} is hidden, and not read" for name in hidden)
        inputs[0].notices.extend(
            f"{name} has none of the columns, and is not read" for name in others
        )
    return inputs


def _counts_from_1904(path: Path) -> bool:
    """Whether a workbook counts days as old ones of the Macintosh do."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as book:
        try:
            properties = book.read("xl/workbook.xml")
        except KeyError:
            return False
    return re.search(rb'date1904="(1|true)"', properties) is not None


def _check_size(path: Path) -> None:
    """Refuse a sheet with a cell so far out that the area up to it does not fit into memory.

    The sheet's own statement of its area may be missing or wrong, so the cells are looked at.

    Raises
    ------
    DataError
        With the limit.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if not name.startswith("xl/worksheets/") or not name.endswith(".xml"):
                continue
            column, row = _last_cell(archive, name)
            if _column(column) * row > MAX_CELLS:
                raise DataError(
                    f"{path} has a sheet that reaches to cell {column.decode()}{row}: the limit is "
                    f"{MAX_CELLS:,} cells; nothing was changed",
                    "delete the stray cells below and beside the table, and save it again",
                )


def _last_cell(archive: zipfile.ZipFile, name: str) -> tuple[bytes, int]:
    """The last column and the last row that have a cell in a sheet."""
    column, row, rest = b"", 0, b""
    with archive.open(name) as sheet:
        while chunk := sheet.read(CHUNK_BYTES):
            text = rest + chunk
            column = max({column, *COLUMN.findall(text)}, key=_column)
            row = max(row, *map(int, ROW.findall(text)), 0)
            rest = text[-LONGEST_PLACE:]
    return column, row


def _column(letters: bytes) -> int:
    """The number of a column, from 1.

    >>> _column(b"A"), _column(b"XFD")
    (1, 16384)
    """
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number


class _Sheet:
    """A sheet of a workbook.

    Attributes
    ----------
    header
        The number of the row with the names of columns, from 0; None if the sheet is empty.
    names
        How many of the mapped columns it names.
    """

    def __init__(
        self, name: str, sheet: CalamineSheet, mapped: Mapped, source: TableSource
    ) -> None:
        self.name = name
        self._sheet = sheet
        self._dated: set[int] = set()
        self._footer = source.skip_footer or 0
        firsts = [
            [_cell(cell) or "" for cell in row]
            for row in islice(sheet.iter_rows(), max(SEARCHED, source.header_row or 0))
        ]
        self.header = self._find(firsts, mapped, source.header_row)
        self.headers = [] if self.header is None else header_of(firsts[self.header])
        self.names = matches(self.headers, mapped.headers)

    def _find(self, firsts: list[list[str]], mapped: Mapped, header_row: int | None) -> int | None:
        if header_row is not None:
            return header_row - 1 if header_row <= len(firsts) else None
        at = find_header(firsts, mapped.headers)
        filled = (number for number, row in enumerate(firsts) if any(row))
        return next(filled, None) if at is None else at

    def as_input(self, con: duckdb.DuckDBPyConnection, copy: Path, *, serials: bool) -> Input:
        """Copy the rows, and give the input that reads the copy.

        With `serials`, numbers in columns that hold dates are dates.
        """
        start = (self.header or 0) + 1
        footer: deque[tuple[int, list[Any]]] = deque()
        write_copy(copy, len(self.headers), map(_columns, self._batches(start, footer)))
        notices = [f"{self.name}: its header is on line {start}"] if start > 1 else []
        text = copied_input(con, self.name, self.headers, copy)
        lines = tuple(line for line, _ in footer)
        dated = frozenset(self._dated) if serials else frozenset()
        return replace(text, notices=notices, in_lines=True, footer=lines, serials=dated)

    def _batches(
        self, start: int, footer: deque[tuple[int, list[Any]]]
    ) -> Iterator[list[tuple[int, list[Any]]]]:
        """The rows that are not blank, but for those of the footer, which are put there."""
        batch = []
        for line, row in enumerate(islice(self._sheet.iter_rows(), start, None), start=start + 1):
            if any(cell != "" for cell in row):
                self._dated.update(i for i, cell in enumerate(row) if isinstance(cell, date))
                footer.append((line, row))
            if len(footer) > self._footer:
                batch.append(footer.popleft())
            if len(batch) >= BATCH_ROWS:
                yield batch
                batch = []
        if batch:
            yield batch


def _columns(batch: list[tuple[int, list[Any]]]) -> list[Iterable[Any]]:
    cells = zip(*(map(_cell, row) for _, row in batch), strict=True)
    return [[line for line, _ in batch], [None] * len(batch), *cells]


def _cell(value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, datetime | date):
        return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    return str(value)
