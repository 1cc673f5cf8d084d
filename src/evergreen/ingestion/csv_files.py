"""CSV as retailers write it: any usual delimiter, sound quoting or not."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from evergreen.errors import DataError
from evergreen.ingestion.csv_fallback import Record, read_records
from evergreen.ingestion.inputs import Input, write_copy
from evergreen.store import sql

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from evergreen.ingestion.decoding import DecodedText

DELIMITERS = (",", ";", "\t", "|")
BATCH_RECORDS = 20_000
BATCH_CHARS = 1 << 25


def read_csv(
    text: DecodedText, wanted: Collection[str], delimiter: str, copy: Path
) -> Input | None:
    """A CSV file with a header; None if it has no lines at all.

    Parameters
    ----------
    wanted
        The columns that are mapped; with ``auto``, the delimiter that finds most of them is used.
    copy
        Where the careful reader may write the rows.

    Raises
    ------
    DataError
        If the header is malformed.
    """
    tried = DELIMITERS if delimiter == "auto" else (delimiter,)
    first = {d: record for d in tried for record in islice(read_records(text.path, d), 1)}
    sound = {d: record for d, record in first.items() if record.malformed is None}
    if not first:
        return None
    if not sound:
        raise DataError(
            f"{text.name} has a malformed header: {next(iter(first.values())).malformed}; "
            "nothing was changed",
            "set `encoding` of the source in params.yaml, or have the file delivered again",
        )
    headers = {d: [cell.strip() for cell in record.cells] for d, record in sound.items()}
    used = max(headers, key=lambda d: (len(set(wanted) & set(headers[d])), len(headers[d])))
    return _input(text, headers[used], sound[used].line, used, copy)


def _input(text: DecodedText, headers: list[str], line: int, delimiter: str, copy: Path) -> Input:
    columns = {f"c{i}": "VARCHAR" for i in range(len(headers))}
    fast = (
        f"select * from read_csv({sql.literal(text.path)}, auto_detect=false, delim='{delimiter}', "
        f"quote='\"', escape='\"', header=false, skip=1, strict_mode=true, columns={columns})"
    )
    return Input(
        name=text.name,
        headers=headers,
        first_line=2,
        fast=fast if line == 1 else None,
        row_count=text.lines - 1,
        careful=partial(_write_carefully, text.path, delimiter, len(headers), copy),
        values=partial(_values, text.path, delimiter),
    )


def _rows(path: Path, delimiter: str) -> Iterator[Record]:
    return islice(read_records(path, delimiter), 1, None)


def _values(path: Path, delimiter: str, column: int) -> Iterator[str]:
    for record in _rows(path, delimiter):
        if record.malformed is None and column < len(record.cells):
            yield record.cells[column]


def _write_carefully(path: Path, delimiter: str, width: int, copy: Path) -> str:
    records = (_of_width(record, width, delimiter) for record in _rows(path, delimiter))
    write_copy(copy, width, map(_columns, _batches(records)))
    return f"select * from {sql.parquet([copy])}"


def _columns(batch: list[Record]) -> list[Iterable[Any]]:
    cells = zip(*(record.cells for record in batch), strict=True)
    return [[record.line for record in batch], [record.malformed for record in batch], *cells]


def _batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    chars = 0
    for record in records:
        batch.append(record)
        chars += sum(map(len, record.cells))
        if len(batch) >= BATCH_RECORDS or chars > BATCH_CHARS:
            yield batch
            batch, chars = [], 0
    if batch:
        yield batch


def _of_width(record: Record, width: int, delimiter: str) -> Record:
    """A record with as many cells as the header has; a malformed one shows all in the first."""
    if record.malformed is None and len(record.cells) == width:
        return record
    why = record.malformed or f"{len(record.cells)} cells, the header has {width}"
    whole = delimiter.join(record.cells).rstrip("\r\n")
    return Record(record.line, [whole, *[""] * (width - 1)], why)
