"""CSV as retailers write it: title lines, any usual delimiter, sound quoting or not."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from evergreen.errors import DataError
from evergreen.ingestion.csv_fallback import Dialect, Record, read_records
from evergreen.ingestion.file_end import without_end
from evergreen.ingestion.header_row import SEARCHED, find_header, header_of, matches
from evergreen.ingestion.inputs import Input, write_copy
from evergreen.ingestion.quoting import Quoting
from evergreen.store import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from evergreen.ingestion.decoding import DecodedText
    from evergreen.ingestion.inputs import Mapped
    from evergreen.settings.sources import TableSource

DELIMITERS = (",", ";", "\t", "|")
QUOTES = ('"', "'")
BATCH_RECORDS = 20_000
BATCH_CHARS = 1 << 25


class _Header(NamedTuple):
    dialect: Dialect
    record: Record


def read_csv(text: DecodedText, mapped: Mapped, source: TableSource, folder: Path) -> Input | None:
    """A CSV file with a header; None if it has no lines at all.

    Parameters
    ----------
    mapped
        The columns that are mapped; the header is the line, and the delimiter the one, that gives
        most of them.
    source
        Settings that say what is not to be detected.
    folder
        Where copies may be written.

    Raises
    ------
    DataError
        If the header is malformed, or not where the settings say.
    """
    firsts = {dialect: _first_records(text, dialect, source) for dialect in _dialects(source)}
    if not any(firsts.values()):
        return None
    headers = [
        header
        for dialect, records in firsts.items()
        if (header := _header_in(dialect, records, mapped))
    ]
    if not headers:
        [first, *_] = (records[0] for records in firsts.values() if records)
        raise DataError(
            f"{text.name} has a malformed header: {first.malformed}; nothing was changed",
            "set `encoding` or `header_row` of the source in params.yaml, or have the file "
            "delivered again",
        )
    used = max(
        headers,
        key=lambda header: (matches(header.record.cells, mapped.headers), len(header.record.cells)),
    )
    file = _CsvFile(text, used, mapped, source.quote in (None, "auto"), folder)
    return file.as_input(source.skip_footer or 0)


def _dialects(source: TableSource) -> list[Dialect]:
    delimiters = DELIMITERS if source.delimiter in (None, "auto") else (source.delimiter,)
    quotes = {None: QUOTES, "auto": QUOTES, "none": (None,)}.get(source.quote, (source.quote,))
    return [Dialect(delimiter, quote) for quote in quotes for delimiter in delimiters]


def _first_records(text: DecodedText, dialect: Dialect, source: TableSource) -> list[Record]:
    """The records that may be the header; the one that the settings name, if they do.

    Raises
    ------
    DataError
        If no record begins on the line that they name.
    """
    if source.header_row is None:
        return list(islice(read_records(text.path, dialect), SEARCHED))
    records = read_records(text.path, dialect, start=source.header_row)
    if first := next(records, None):
        return [first]
    raise DataError(
        f"{text.name} has no line {source.header_row}, where header_row says that its header is; "
        "nothing was changed",
        "fix `header_row` of the source in params.yaml, or remove it",
    )


def _header_in(dialect: Dialect, records: list[Record], mapped: Mapped) -> _Header | None:
    """The header among the first records; by default the first one of the usual width."""
    sound = [record for record in records if record.malformed is None]
    at = find_header([record.cells for record in sound], mapped.headers)
    if at is not None:
        return _Header(dialect, sound[at])
    if not records or records[0].malformed is not None:
        return None
    widths = [len(record.cells) for record in sound]
    usual = max(dict.fromkeys(widths), key=lambda width: (widths.count(width), width))
    return _Header(dialect, sound[widths.index(usual)])


@dataclass
class _CsvFile:
    text: DecodedText
    header: _Header
    mapped: Mapped
    detect_quotes: bool
    folder: Path
    notices: list[str] = field(default_factory=list)

    def as_input(self, skip_footer: int) -> Input:
        """The rows of the file."""
        self.text, footer = without_end(self.text, skip_footer, self.folder / "rows.csv")
        dialect, record = self.header
        end = record.line + len(record.lines) - 1
        if record.line > 1:
            self.notices.append(f"{self.text.name}: its header is on line {record.line}")
        return Input(
            name=self.text.name,
            headers=self.headers,
            first_line=end + 1,
            fast=_fast_sql(self.text.path, dialect, end, len(self.headers)),
            row_count=self.text.lines - end,
            careful=self._write_carefully,
            values=self._values,
            notices=self.notices,
            in_lines=True,
            footer=footer,
        )

    @cached_property
    def headers(self) -> list[str]:
        """The names of the columns; a last one without a name only if rows end in a delimiter."""
        headers = header_of(self.header.record.cells)
        first = next(self._rows(self.header.dialect), None)
        if first and len(first.cells) == len(headers) + 1 and not first.cells[-1].strip():
            return [*headers, ""]
        if first and len(first.cells) == len(headers) - 1 and not headers[-1]:
            return headers[:-1]
        return headers

    @property
    def _copy(self) -> Path:
        return self.folder / "rows.parquet"

    def _rows(self, dialect: Dialect) -> Iterator[Record]:
        record = self.header.record
        return read_records(self.text.path, dialect, start=record.line + len(record.lines))

    def _values(self, column: int) -> Iterator[str]:
        for record in self._rows(self.header.dialect):
            if record.malformed is None and column < len(record.cells):
                yield record.cells[column]

    def _write_carefully(self) -> str:
        dialect = self.header.dialect
        quoting = Quoting(dialect, len(self.headers), self._keys(), self._quotes_in_header())
        malformed = self._write(dialect, quoting)
        if not self.detect_quotes:
            pass
        elif quoting.are_characters(self.text.name):
            self._write(replace(dialect, quote=None), None)
            self.notices.append(
                f"{self.text.name}: quotation marks do not enclose cells (as with `quote: none`)"
            )
        elif quoting.counts["backslash"]:
            if self._write(replace(dialect, backslash=True), None) < malformed:
                self.notices.append(f'{self.text.name}: \\" is a quotation mark within a cell')
            else:
                self._write(dialect, None)
        return f"select * from {sql.parquet([self._copy])}"

    def _keys(self) -> frozenset[int]:
        keys = set(header_of(self.mapped.headers)) - set(header_of(self.mapped.texts))
        return frozenset(i for i, header in enumerate(self.headers) if header in keys)

    def _quotes_in_header(self) -> bool:
        quote = self.header.dialect.quote
        return quote is not None and any(quote in line for line in self.header.record.lines)

    def _write(self, dialect: Dialect, quoting: Quoting | None) -> int:
        """Copy the rows; return how many are malformed."""
        width, malformed = len(self.headers), 0

        def records() -> Iterator[Record]:
            nonlocal malformed
            for record in self._rows(dialect):
                if quoting:
                    quoting.see(record)
                row = _of_width(record, width, dialect.delimiter)
                malformed += row.malformed is not None
                yield row

        write_copy(self._copy, width, map(_columns, _batches(records())))
        return malformed


def _fast_sql(path: Path, dialect: Dialect, skip: int, width: int) -> str:
    columns = {f"c{i}": "VARCHAR" for i in range(width)}
    quote = sql.literal(dialect.quote or "")
    return (
        f"select * from read_csv({sql.literal(path)}, auto_detect=false, "
        f"delim='{dialect.delimiter}', quote={quote}, escape={quote}, header=false, "
        f"skip={skip}, strict_mode=true, columns={columns})"
    )


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
    """A record with as many cells as the header has; a malformed one shows all in the first.

    A blank cell at the end, after a last delimiter, does not count.
    """
    if record.malformed is None and len(record.cells) == width:
        return record
    if record.malformed is None and len(record.cells) == width + 1 and not record.cells[-1].strip():
        return record._replace(cells=record.cells[:-1])
    why = record.malformed or f"{len(record.cells)} cells, the header has {width}"
    whole = delimiter.join(record.cells).rstrip("\r\n")
    return record._replace(cells=[whole, *[""] * (width - 1)], malformed=why)
