"""Detect how a source writes its dates, without ever guessing between day and month."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING

from evergreen.errors import DataError
from evergreen.ingestion.redaction import shown
from evergreen.store import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SAMPLE = 2000
TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
YEAR_FIRST = re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}")
COMPACT = re.compile(r"(19|20)\d{6}(?!\d)")
NAMED = re.compile(r"\d{1,2}([- ])([A-Za-z]{3,9})[- ](\d{4}|\d{2})")
NUMBERED = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})(?!\d)")
ISO = "iso"
MONTHS_OF_A_YEAR = 12


@dataclass(frozen=True)
class DateFormat:
    """How dates are written: ``iso``, or as for strptime; without the time if detected."""

    text: str
    given: bool = False

    def sql(self, raw: str) -> str:
        """SQL of the timestamp in a cell, null if it has none."""
        if self.text == ISO:
            return f"try_cast({raw} as timestamp)"
        if self.given:
            return f"try_strptime(trim({raw}), {sql.literal(self.text)})"
        formats = [self.text + time for time in TIMES]
        year_first = f"ltrim({raw}) like '____-__-__%'"
        iso = f"try_cast({raw} as timestamp)"
        return f"case when {year_first} then {iso} else try_strptime(trim({raw}), {formats}) end"

    def __str__(self) -> str:
        """The format, for a message."""
        return "2024-12-31 (year first)" if self.text == ISO else self.text


def find_format(
    values: Iterable[Iterator[str]], setting: str, remembered: str | None, *, name: str
) -> DateFormat:
    """The format of a column, from the setting, from an earlier ingestion, or from the cells.

    Parameters
    ----------
    values
        The cells of each input, read as far as needed.
    name
        The column, for the message.

    Raises
    ------
    DataError
        If the cells could be day before month or month before day, or are not dates.
    """
    if setting not in ("auto", ISO):
        return DateFormat(setting, given=True)
    if setting == ISO or remembered:
        return DateFormat(remembered or ISO)
    inputs = list(values)
    seen = [cell.strip() for cells in inputs for cell in islice(cells, SAMPLE)]
    kinds = [kind for cell in seen if (kind := _kind(cell))]
    if not any(seen):
        return DateFormat(ISO, given=True)
    if not kinds:
        raise DataError(
            f"{name} was expected to hold dates, found {_example(seen)}; nothing was changed",
            "set `date_format` of the source in params.yaml, such as %d/%m/%Y",
        )
    usual = max(sorted(set(kinds)), key=kinds.count)
    if "?" not in usual:
        return DateFormat(usual)
    return DateFormat(_ordered(chain(seen, chain.from_iterable(inputs)), usual, name))


def _example(seen: list[str]) -> str:
    return next(filter(None, map(shown, filter(None, seen))), "other text")


def _kind(cell: str) -> str | None:
    """The format of a cell; each ``?`` is the day or the month."""
    if YEAR_FIRST.match(cell):
        return ISO
    if COMPACT.match(cell):
        return "%Y%m%d"
    if named := NAMED.match(cell):
        month = "%b" if len(named[2]) == len("Jan") else "%B"
        return named[1].join(("%d", month, _year(named[3])))
    if numbered := NUMBERED.match(cell):
        return (
            numbered[2].join(("%d", "%m") if numbered[2] == "." else ("?", "?"))
            + numbered[2]
            + _year(numbered[4])
        )
    return None


def _year(digits: str) -> str:
    return "%Y" if len(digits) == len("2024") else "%y"


def _ordered(cells: Iterable[str], kind: str, name: str) -> str:
    """Find which number is the month, by the first cell in which only one can be."""
    for cell in cells:
        match = NUMBERED.match(cell.strip())
        if match is None:
            continue
        first, second = int(match[1]), int(match[3])
        if first > MONTHS_OF_A_YEAR >= second:
            return kind.replace("?", "%d", 1).replace("?", "%m", 1)
        if second > MONTHS_OF_A_YEAR >= first:
            return kind.replace("?", "%m", 1).replace("?", "%d", 1)
    day, month = kind.replace("?", "%d", 1).replace("?", "%m"), kind.replace("?", "%m", 1)
    raise DataError(
        f"{name} has dates in which day and month can't be told apart; nothing was changed",
        f"set `date_format` of the source in params.yaml: {day} or {month.replace('?', '%d')}",
    )
