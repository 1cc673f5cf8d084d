"""Parquet files, and sheets of workbooks: their cells as text."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from evergreen.errors import DataError
from evergreen.ingestion.inputs import Input, copied_input, sql_input
from evergreen.store import sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")
BATCH_ROWS = 50_000


def read_parquet(con: duckdb.DuckDBPyConnection, path: Path) -> Input:
    """A Parquet file; its rows are counted from 1.

    Raises
    ------
    DataError
        If it is none.
    """
    try:
        described = con.sql(f"describe select * from {sql.parquet([path])}").fetchall()
    except duckdb.Error as error:
        raise unreadable(path, error) from None
    columns = [(str(name), str(kind)) for name, kind, *_ in described]
    cells = ", ".join(f"{_text(n, k)} as c{i}" for i, (n, k) in enumerate(columns))
    rows = f"select {cells} from {sql.parquet([path])}"
    numbers = (i for i, (_, kind) in enumerate(columns) if kind.lstrip("U").startswith(NUMBERS))
    return sql_input(con, str(path), [name for name, _ in columns], rows, frozenset(numbers))


def _text(name: str, kind: str) -> str:
    """SQL of a cell as text; a whole number kept as a fraction, for gaps, is one again."""
    column = '"' + name.replace('"', '""') + '"'
    if kind not in ("FLOAT", "DOUBLE"):
        return f"{column}::varchar"
    whole = f"abs({column}) < 1e15 and {column} = floor({column})"
    text = f"if({whole}, {column}::bigint::varchar, {column}::varchar)"
    return f"case when isfinite({column}) then {text} end"


def unreadable(path: Path, error: Exception) -> DataError:
    """What to tell of a file that is not what its name says."""
    return DataError(
        f"{path} can't be read: {str(error).splitlines()[0]}; nothing was changed",
        "have the file delivered again, or move it out of the source's folder",
    )


def read_workbook(con: duckdb.DuckDBPyConnection, path: Path, folder: Path) -> list[Input]:
    """The sheets of a workbook, each a part; what they hold is laid out in `folder`.

    Raises
    ------
    DataError
        If it is no workbook, or a protected one.
    """
    try:
        book = CalamineWorkbook.from_path(path)
        names = book.sheet_names
        laid = [_lay_out(book, name, folder / f"sheet-{i}.parquet") for i, name in enumerate(names)]
    except (CalamineError, PasswordError, OSError) as error:
        raise unreadable(path, error) from None
    sheets = zip(names, laid, strict=True)
    return [copied_input(con, f"{path}, sheet {name}", *copy) for name, copy in sheets if copy]


def _lay_out(book: CalamineWorkbook, name: str, copy: Path) -> tuple[list[str], Path] | None:
    rows = enumerate(book.get_sheet_by_name(name).iter_rows(), start=1)
    first = next(((line, row) for line, row in rows if any(cell != "" for cell in row)), None)
    if first is None:
        return None
    headers = [_cell(cell) or "" for cell in first[1]]
    names = [f"c{i}" for i in range(len(headers))]
    schema = pa.schema(
        [pa.field("line", pa.int64()), pa.field("malformed", pa.string())]
        + [pa.field(column, pa.string()) for column in names]
    )
    copy.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(copy, schema) as writer:
        for batch in _batches(rows):
            cells = zip(*(map(_cell, row) for _, row in batch), strict=True)
            columns = [
                pa.array([line for line, _ in batch], pa.int64()),
                pa.nulls(len(batch), pa.string()),
                *(pa.array(list(column), pa.string()) for column in cells),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    return [header.strip() for header in headers], copy


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


def _cell(value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime | date):
        return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    return str(value)
