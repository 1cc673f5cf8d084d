"""Tell whether quotation marks enclose cells, or are characters of a file without quoting.

Programs that write tab-separated files often quote nothing. A title that begins with a quotation
mark would then swallow the rows up to the next one.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evergreen.errors import DataError

if TYPE_CHECKING:
    from evergreen.ingestion.csv_fallback import Dialect, Record

USUAL = 0.5
"""Where a larger share of the rows has a cell in quotes, quotes enclose cells."""


LONG_NUMBER = len("2024")


@dataclass
class Quoting:
    """What the records of a file tell about its quotes.

    Parameters
    ----------
    width
        The number of cells of a row.
    keys
        The columns in which a quotation mark is a mistake: ids, dates and numbers.
    certain
        Whether the header shows that quotes enclose cells.
    """

    dialect: Dialect
    width: int
    keys: frozenset[int]
    certain: bool
    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    first_doubt: int | None = None

    def see(self, record: Record) -> None:
        """Take account of a record that was read with quotes."""
        self.rows += 1
        quote = self.dialect.quote
        if quote is None or not any(quote in line for line in record.lines):
            return
        lines = [line.rstrip("\r\n").split(self.dialect.delimiter) for line in record.lines]
        whole = all(len(cells) == self.width for cells in lines)
        if record.malformed is not None:
            self.counts["backslash"] += f"\\{quote}" in record.lines[0]
            self.counts["broken"] += whole and not self._in_keys(lines[0], quote)
        elif not whole or (len(lines) > 1 and not self._are_alike(lines)):
            self.counts["enclosing"] += 1
        elif len(lines) > 1:
            self.first_doubt = self.first_doubt or record.line
            self.counts["in keys" if any(self._in_keys(c, quote) for c in lines) else "rows"] += 1
        elif any(re.fullmatch(f"{quote}.*{quote}", cell) for cell in lines[0]):
            self.counts["wrapped"] += 1

    def _are_alike(self, lines: list[list[str]]) -> bool:
        """Whether each line has a date, or another long number, as the first one writes it."""
        first = lines[0]
        return all(
            any(
                sum(map(str.isdigit, cells[column])) >= LONG_NUMBER
                and _shape(cells[column]) == _shape(first[column])
                for column in self.keys
            )
            for cells in lines
        )

    def _in_keys(self, cells: list[str], quote: str) -> bool:
        return any(quote in cells[column] for column in self.keys)

    def are_characters(self, name: str) -> bool:
        """Whether the quotes enclose nothing.

        Raises
        ------
        DataError
            If some enclose cells, and others swallow what may be rows.
        """
        if self.certain:
            return False
        swallowed = self.counts["rows"] + self.counts["in keys"]
        enclose = self.counts["enclosing"] > 0 or self.counts["wrapped"] > USUAL * self.rows
        if swallowed and (enclose or self.counts["in keys"]):
            raise DataError(
                f"{name}, line {self.first_doubt}: a quotation mark either encloses a cell of "
                "several lines or is a character of its text; nothing was changed",
                "set `quote` of the source in params.yaml: '\"' if quotation marks enclose cells, "
                "none if they don't",
            )
        return not enclose and bool(swallowed or self.counts["broken"])


def _shape(cell: str) -> str:
    return re.sub(r"\d+", "9", cell)
