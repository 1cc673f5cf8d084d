"""Read CSV record by record: slower than an engine, but never loses a line."""

from __future__ import annotations

import csv
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MAX_RECORD_CHARS = 1 << 24
MAX_RECORD_LINES = 10_000
NEVER_CLOSED = "a quote is not closed"


@dataclass(frozen=True)
class Dialect:
    """How cells are separated and enclosed.

    Attributes
    ----------
    quote
        What encloses a cell; None where quotes are characters like others.
    backslash
        Whether a backslash precedes a quote within a cell.
    """

    delimiter: str
    quote: str | None = '"'
    backslash: bool = False

    def reader(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """Read the cells of lines, strictly."""
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            escapechar="\\" if self.backslash else None,
            strict=True,
        )


class Record(NamedTuple):
    """One record: its first line, and its cells; or, where it is malformed, why and the line.

    The last attribute has its lines as they are in the file.
    """

    line: int
    cells: list[str]
    malformed: str | None
    lines: list[str]


def read_records(path: Path, dialect: Dialect, *, start: int = 1) -> Iterator[Record]:
    """Every record of a file that should be UTF-8, from a line on; blank lines are not records.

    A record may span lines if a quote is open at their end. If that quote is never closed, or
    something but a delimiter follows the one that closes it, only its first line is reported as
    malformed, and reading continues with the next line.
    """
    csv.field_size_limit(MAX_RECORD_CHARS)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        lines = _Lines(file, start)
        reader = dialect.reader(lines)
        while True:
            lines.begin()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except (csv.Error, _TooLongError) as error:
                yield Record(lines.first, [_shown(lines.taken[0])], _reason(error), lines.taken[:1])
                lines.give_back()
                continue
            if cells:
                yield _checked(lines, cells)


def _checked(lines: _Lines, cells: list[str]) -> Record:
    if all(map(str.isascii, lines.taken)) or _is_utf8("".join(cells)):
        return Record(lines.first, cells, None, lines.taken)
    reason = "bytes that are invalid in its encoding"
    return Record(lines.first, [_shown(cell) for cell in cells], reason, lines.taken)


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _shown(text: str) -> str:
    return text.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="replace")


def _reason(error: Exception) -> str:
    message = str(error)
    if isinstance(error, _TooLongError) or "unexpected end" in message:
        return NEVER_CLOSED
    return "more than 16 million characters" if "limit" in message else f"not CSV: {message}"


class _TooLongError(Exception):
    """A record is longer than any real one."""


class _Lines:
    """Numbered lines; those of the current record can be read again."""

    def __init__(self, lines: Iterable[str], start: int) -> None:
        self._lines = islice(lines, start - 1, None)
        self._waiting: deque[str] = deque()
        self._next = start
        self._chars = 0
        self.taken: list[str] = []
        self.first = start

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self._chars > MAX_RECORD_CHARS or len(self.taken) >= MAX_RECORD_LINES:
            raise _TooLongError
        line = self._waiting.popleft() if self._waiting else next(self._lines)
        self.taken.append(line)
        self._next += 1
        self._chars += len(line)
        return line

    def begin(self) -> None:
        """Begin a new record with the next line."""
        self.taken, self.first, self._chars = [], self._next, 0

    def give_back(self) -> None:
        """Give back all lines of the record except the first."""
        rest = self.taken[1:]
        self._waiting.extendleft(reversed(rest))
        self._next -= len(rest)
