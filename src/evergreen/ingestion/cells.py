"""Text cells as exports write them: blanks, a spreadsheet's marks of text, and ids."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

import pyarrow as pa
from duckdb.func import ARROW, SPECIAL

from evergreen.store import sql

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import duckdb

BLANKS = " \t\r\n\v\f\u00a0\u2007\u2009\u200b\u202f\ufeff"
MISSING = frozenset({"null", "none", "nan", "n/a", "#n/a", "<na>", "nat"})
"""What exports write where there is nothing, in lower case."""
LOST_DIGITS = "is in scientific notation and has lost digits: export the column as text"
SCIENTIFIC = r"[-+]?[0-9](\.[0-9]+[eE][-+]?|[eE][-+])[0-9]+"
_WHOLE = re.compile(r"([-+]?[0-9]+)\.0+")
_PLAIN = "[0-9]+"
_PLAIN_WORD = "[A-Za-z]+[-_]?[0-9]+|[A-Za-z0-9._-]+@[A-Za-z0-9.-]+"
EXACT_WHOLE_FLOATS = 2**53
CACHED_CELLS = 1 << 16


class CellError(ValueError):
    """A cell does not hold what its column should; the message is a reason such as "is missing"."""


def text_of(cell: str) -> str:
    """The text of a cell, without surrounding blanks and a spreadsheet's marks of text.

    >>> [text_of(cell) for cell in (" A1 ", '="0012"', "'0012", "O'Brien")]
    ['A1', '0012', '0012', "O'Brien"]
    """
    text = cell.strip(BLANKS)
    if text.startswith('="') and text.endswith('"') and len(text) > len('="'):
        return text[len('="') : -1].strip(BLANKS)
    return text[1:].strip(BLANKS) if text.startswith("'") else text


def is_missing(text: str) -> bool:
    """Whether a text stands for nothing: it is empty, or a word such as NULL or #N/A."""
    return not text or text.lower() in MISSING


def _is_no_id(text: str) -> bool:
    return is_missing(text) or not any(map(str.isalnum, text))


def number_text(number: float | Decimal) -> str:
    """A number as text; whole numbers that are stored as fractions, due to gaps, are whole again.

    >>> [number_text(number) for number in (12, 12.0, 12.5, 1e16)]
    ['12', '12', '12.5', '1e+16']
    """
    if isinstance(number, Decimal):
        return format(number, "f")
    if isinstance(number, float) and number.is_integer() and abs(number) < EXACT_WHOLE_FLOATS:
        return str(int(number))
    return str(number)


@dataclass(frozen=True)
class IdRule:
    """How the ids of a source are read.

    Attributes
    ----------
    missing
        Words that stand for no client besides those that always do, such as ``Guest``; their case
        does not matter.
    fold_case
        Whether ids that differ only in case are one.
    """

    missing: Collection[str] = ()
    fold_case: bool = False

    def read(self, cell: str) -> str | None:
        """The id in a cell; None where there is none.

        A whole number that a spreadsheet or pandas has written as a float is the same id.

        Raises
        ------
        CellError
            If the cell holds a number in scientific notation, which has lost digits.

        Examples
        --------
        >>> [IdRule().read(cell) for cell in ("12345.0", " '0012345", "NULL", "A1")]
        ['12345', '0012345', None, 'A1']
        """
        text = text_of(cell)
        if re.fullmatch(SCIENTIFIC, text):
            raise CellError(LOST_DIGITS)
        whole = _WHOLE.fullmatch(text)
        text = whole[1] if whole else text
        if _is_no_id(text) or text.lower() in {word.lower() for word in self.missing}:
            return None
        return text.lower() if self.fold_case else text

    def sql(self, cell: str, function: str) -> str:
        """SQL of the id in a cell; null where there is none, or where it has lost digits.

        Parameters
        ----------
        function
            The name under which `read` was registered. Plain ids, which are most, do without it.
        """
        plain = _PLAIN if self.fold_case else f"{_PLAIN}|{_PLAIN_WORD}"
        is_plain, is_float = (
            f"regexp_full_match({cell}, '{pattern}')" for pattern in (plain, rf"{_PLAIN}\.0")
        )
        is_digits = f"{cell} <> '' and {cell} not glob '*[!0-9]*'"  # faster than the same regex
        if self.missing:
            words = ", ".join(sql.literal(word.lower()) for word in self.missing)
            is_digits = f"{is_digits} and {cell} not in ({words})"
            is_plain, is_float = f"{is_plain} and lower({cell}) not in ({words})", "false"
        return (
            f"case when {is_digits} then {cell} when {is_plain} then {cell} "
            f"when {is_float} then {cell}[:-3] else {function}({cell}) end"
        )


def scientific_sql(cell: str) -> str:
    """SQL that is true where a cell holds a number in scientific notation."""
    mark = "[^0-9A-Za-z.+-]*"
    return f"regexp_full_match({cell}, '{mark}{SCIENTIFIC}{mark}')"


def register(con: duckdb.DuckDBPyConnection, name: str, read: Callable[[str], str | None]) -> None:
    """Register a reader of cells as an SQL function from text to text.

    It gives null where `read` gives None or raises `CellError`. Equal cells are read once.
    """

    @lru_cache(CACHED_CELLS)
    def cached(cell: str) -> str | None:
        try:
            return read(cell)
        except CellError:
            return None

    def vectorised(cells: pa.ChunkedArray) -> pa.Array:
        encoded = cells.combine_chunks().dictionary_encode()
        values = [cached(cell) for cell in encoded.dictionary.to_pylist()]
        return pa.array(values, pa.string()).take(encoded.indices)

    con.create_function(name, vectorised, ["VARCHAR"], "VARCHAR", type=ARROW, null_handling=SPECIAL)
