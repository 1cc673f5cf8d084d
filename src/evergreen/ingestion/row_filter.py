"""The rows of an input to keep: the conditions of ``where`` on its cells."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from evergreen.errors import DataError
from evergreen.ingestion.conversion import Check, filled_sql, trimmed_sql
from evergreen.ingestion.mapping import NO, YES
from evergreen.ingestion.money import number_sql
from evergreen.ingestion.time_sql import TimeColumn
from evergreen.ingestion.times import ISO, TimeFormat
from evergreen.settings import filters

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from evergreen.ingestion.inputs import Input
    from evergreen.ingestion.money import Sign
    from evergreen.settings.filters import Condition, Kind


OTHER_DATES = TimeColumn(TimeFormat(ISO))
"""How columns with dates are read that no role maps."""
BLANK = " (a cell is blank)"
"""Ends the reason for which a row is excluded if a condition is neither true nor false."""


def filtered_columns(conditions: Mapping[str, str]) -> list[str]:
    """The columns that conditions name."""
    found = [filters.check(text).columns for text in conditions.values()]
    return list(dict.fromkeys(name for columns in found for name in columns))


class RowFilter:
    """The conditions on the rows of one input.

    Parameters
    ----------
    conditions
        The rows to keep, by the reason for which others are excluded.
    quiet
        The reasons that are not reported where no row is excluded, as those of a preset.

    Attributes
    ----------
    numbers
        The columns that are read as numbers.

    Raises
    ------
    DataError
        If the input lacks a column; names the nearest one.
    """

    def __init__(
        self, rows: Input, conditions: Mapping[str, str], quiet: Collection[str] = ()
    ) -> None:
        self._quiet = quiet
        self._rows = rows
        self._conditions = conditions
        found = [filters.check(text).columns for text in conditions.values()]
        named = [(self._header(n), kinds) for columns in found for n, kinds in columns.items()]
        self.numbers = [header for header, kinds in named if "number" in kinds]

    def checks(self, decimals: Mapping[str, Sign], dates: Mapping[str, TimeColumn]) -> list[Check]:
        """For each condition: the rows that it excludes, then those with cells that it can't read.

        Parameters
        ----------
        decimals, dates
            How columns write numbers and dates, by header.
        """
        checks: list[Check] = []
        for reason, text in self._conditions.items():
            read = partial(self._read, decimals=decimals, dates=dates)
            condition = filters.translate(text, read)
            false, unclear = f"not ({condition.sql})", f"({condition.sql}) is null"
            checks += [
                Check("", "null", false, reason, excluded=True, quiet=reason in self._quiet),
                *self._unreadable(condition, decimals, dates),
                Check("", "null", unclear, reason + BLANK, excluded=True),
            ]
        return checks

    def _unreadable(
        self,
        condition: Condition,
        decimals: Mapping[str, Sign],
        dates: Mapping[str, TimeColumn],
    ) -> list[Check]:
        checks = []
        for name, kinds in condition.columns.items():
            header = self._header(name)
            for kind in sorted(kinds & filters.NAMES.keys()):
                value = self._read(name, kind, decimals, dates)
                filled = f"{self._read(name, 'nullable text', decimals, dates)} is not null"
                reason = f"{header} is not {filters.NAMES[kind]}, as `where` reads it"
                undecided = f"({condition.sql}) is null and {value} is null"
                fails = f"case when {undecided} then {filled} else false end"
                checks.append(Check(header, self._cell(header), fails, reason))
        return checks

    def _read(
        self,
        name: str,
        kind: Kind,
        decimals: Mapping[str, Sign],
        dates: Mapping[str, TimeColumn],
    ) -> str:
        """SQL of the cells of a column as a kind."""
        header = self._header(name)
        cell = self._cell(header)
        text = trimmed_sql(cell)
        if kind == "number":
            return number_sql(cell, decimals.get(header, "."), filters.SQL_TYPES[kind])
        if kind == "date":
            return dates.get(header, OTHER_DATES).sql(cell)
        if kind == "truth":
            word = f"lower({text})"
            yes, no = (f"{word} in {words}" for words in ((*YES, "1"), (*NO, "0")))
            return f"case when {yes} then true when {no} or {text} is null then false end"
        return filled_sql(cell) if kind == "nullable text" else f"coalesce({text}, '')"

    def _cell(self, header: str) -> str:
        return f"c{self._rows.column(header)}"

    def _header(self, name: str) -> str:
        """The column with a name, whose case matters only where two differ in it."""
        alike = [header for header in self._rows.headers if header.lower() == name.lower()]
        if len(alike) == 1:
            return alike[0]
        try:
            self._rows.column(name)
        except DataError as error:
            raise DataError(
                error.message,
                "name the column in `where` as the source does; texts stand in single quotes",
            ) from None
        return name
