"""Parquet files and sheets of workbooks: their cells as text."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import duckdb
from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from evergreen.errors import DataError
from evergreen.ingestion.cells import number_text
from evergreen.ingestion.inputs import Input, copied_input, sql_input, write_copy
from evergreen.store import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")
BATCH_ROWS = 50_000


def read_parquet(con: duckdb.DuckDBPyConnection, path: Path) -> Input:
    """A Parquet file; its rows are counted from 1.

    Raises
    ------
    DataError
        If it is not Parquet.
    """
    try:
        described = con.sql(f"describe select * from {sql.parquet([path])}").fetchall()
    except duckdb.Error as error:
        raise _unreadable(path, error) from None
    columns = [(str(name), str(kind)) for name, kind, *_ in described]
    cells = ", ".join(f"{_text(n, k)} as c{i}" for i, (n, k) in enumerate(columns))
    rows = f"select {cells} from {sql.parquet([path])}"
    numbers = (i for i, (_, kind) in enumerate(columns) if kind.lstrip("U").startswith(NUMBERS))
    return sql_input(con, str(path), [name for name, _ in columns], rows, frozenset(numbers))


def _text(name: str, kind: str) -> str:
    """SQL of a cell as text; whole numbers stored as fractions, due to gaps, are whole again."""
    column = '"' + name.replace('"', '""') + '"'
    if kind not in ("FLOAT", "DOUBLE"):
        return f"{column}::varchar"
    whole = f"abs({column}) < 1e15 and {column} = floor({column})"
    text = f"if({whole}, {column}::bigint::varchar, {column}::varchar)"
    return f"case when isfinite({column}) then {text} end"


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path} can't be read: {str(error).splitlines()[0]}; nothing was changed",
        "have the file delivered again, or move it out of the source's folder",
    )


def read_workbook(con: duckdb.DuckDBPyConnection, path: Path, folder: Path) -> list[Input]:
    """The sheets of a workbook, each an input; they are copied to `folder`.

    Raises
    ------
    DataError
        If it is not a workbook, or a protected one.
    """
    try:
        book = CalamineWorkbook.from_path(path)
        copies = {
            name: _copy_sheet(book, name, folder / f"sheet-{number}.parquet")
            for number, name in enumerate(book.sheet_names)
        }
    except (CalamineError, PasswordError, OSError) as error:
        raise _unreadable(path, error) from None
    return [
        copied_input(con, f"{path}, sheet {name}", *copy) for name, copy in copies.items() if copy
    ]


def _copy_sheet(book: CalamineWorkbook, name: str, copy: Path) -> tuple[list[str], Path] | None:
    """Copy a sheet; return its headers and the copy, or None if it is empty."""
    rows = enumerate(book.get_sheet_by_name(name).iter_rows(), start=1)
    header = next((row for _, row in rows if any(cell != "" for cell in row)), None)
    if header is None:
        return None
    write_copy(copy, len(header), map(_columns, _batches(rows)))
    return [(_cell(cell) or "").strip() for cell in header], copy


def _batches(
    rows: Iterator[tuple[int, Sequence[object]]],
) -> Iterator[list[tuple[int, Sequence[object]]]]:
    batch = []
    for line, row in rows:
        if any(cell != "" for cell in row):
            batch.append((line, row))
        if len(batch) >= BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _columns(batch: list[tuple[int, Sequence[object]]]) -> list[Iterable[Any]]:
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
