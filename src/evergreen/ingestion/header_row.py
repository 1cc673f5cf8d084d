"""Find the header of a file, which title lines may precede."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evergreen.ingestion.cells import BLANKS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

SEARCHED = 50
"""The header is one of so many first rows."""


def header_text(cell: str) -> str:
    r"""The name of a column, without the marks, quotes and line breaks around and within it.

    >>> header_text('\ufeff"Order\n ID" ')
    'Order ID'
    """
    return " ".join(cell.strip(BLANKS + '"').split())


def header_of(cells: Sequence[str]) -> list[str]:
    """The names of columns."""
    return [header_text(cell) for cell in cells]


def joined_header(headers: str | Sequence[str]) -> str:
    """The name of a column, or of the one that joins several.

    >>> joined_header(["Date", "Time"])
    'Date + Time'
    """
    return headers if isinstance(headers, str) else " + ".join(headers)


def matches(cells: Sequence[str], wanted: Collection[str]) -> int:
    """How many of the mapped columns a row names."""
    return len({header_text(header) for header in wanted} & set(header_of(cells)))


def find_header(rows: Sequence[Sequence[str]], wanted: Collection[str]) -> int | None:
    """Find the row that names most of the mapped columns, the first of several.

    None if no row has any of them.
    """
    counts = [matches(row, wanted) for row in rows]
    most = max(counts, default=0)
    return counts.index(most) if most else None
