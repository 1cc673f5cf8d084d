"""How a column writes its dates: settled by file, without ever guessing between day and month."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from evergreen.errors import DataError, UndecidedError
from evergreen.ingestion import times
from evergreen.ingestion.cells import is_missing, text_of
from evergreen.ingestion.redaction import shown
from evergreen.ingestion.time_sql import TimeColumn
from evergreen.ingestion.times import AUTO, EXCEL, WORDS, Order, TimeFormat, order_in
from evergreen.ingestion.zones import Zones

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evergreen.ingestion.times import ShortDate

SAMPLE = 2000
CLOCKS = {
    "": r"\S+",
    " %H:%M": r"\S+ \d+:\d+",
    " %H:%M:%S": r"\S+ \d+:\d+:\d+",
    " %H:%M:%S.%f": r"\S+ \d+:\d+:\d+\.\d+",
    " %I:%M %p": r"\S+ \d+:\d+ [AaPp][Mm]",
    " %I:%M:%S %p": r"\S+ \d+:\d+:\d+ [AaPp][Mm]",
}
"""The usual ways to write a time of day, and what a cell with them looks like."""
NUMBERED = re.compile(r"\d{1,2}([-/.])\d{1,2}\1(\d{4}|\d{2})(?!\d)")
NAMED = re.compile(r"\d{1,2}([- ])([A-Za-z]{3,9})[- ](\d{4}|\d{2})(?!\d)")
HINTS = {
    times.COMPACT_NUMBER: 'set `date_format: "%Y%m%d"` of the source in params.yaml if they are',
    times.EXCEL_NUMBER: "set `date_format: excel` of the source in params.yaml if they are a "
    "spreadsheet's",
    times.EPOCH_NUMBER: "set `date_format: epoch` of the source in params.yaml if they count "
    "seconds since 1970",
    times.EPOCH_MS_NUMBER: "set `date_format: epoch_ms` of the source in params.yaml if they count "
    "milliseconds since 1970",
}


@dataclass(frozen=True)
class DateSettings:
    """What the settings of a table say about its dates."""

    date_format: str = AUTO
    date_order: Order | None = None
    zones: Zones = field(default_factory=Zones)


def settle_dates(
    cells: Iterator[str],
    settings: DateSettings,
    *,
    name: str,
    order: Order | None = None,
    serials: bool = False,
) -> TimeColumn:
    """How a column of a file writes its dates, from the settings or else from its cells.

    Parameters
    ----------
    cells
        Read as far as needed.
    name
        The column, for the message.
    order
        That of earlier rows of the same column, where its cells don't tell.
    serials
        As for `TimeFormat`.

    Raises
    ------
    DataError
        If the cells could be day before month or month before day, or could begin or end with a
        year of two digits, or are not dates.
    """
    how = settings.date_format
    if how not in (AUTO, EXCEL):
        usual = () if how in WORDS else (how.removesuffix("%z").rstrip(),)
        return TimeColumn(TimeFormat(how), settings.zones, usual)
    present = (text for cell in cells if not is_missing(text := text_of(cell)))
    sample = list(islice(present, SAMPLE))
    compact = how == AUTO and all(map(times.is_compact, sample))
    spelling = TimeFormat(how, settings.date_order or "day_first", compact, serials)
    if sample and not any(map(spelling.is_shaped, sample)):
        raise _no_dates(sample, name)
    if settings.date_order:
        points, years = settings.date_order, times.SEPARATORS
        settled: Order | None = settings.date_order
    else:
        told = _Told(order)
        told.add(sample)
        while not told.is_settled and (more := list(islice(present, SAMPLE))):
            told.add(more)
        points, years = "day_first", told.short_years(name)
        settled = order or told.order(name)
    spelling = TimeFormat(how, settled, compact, serials, points, years)
    return TimeColumn(spelling, settings.zones, _usual(sample, spelling))


def _no_dates(sample: list[str], name: str) -> DataError:
    reasons = Counter(times.why_no_date(text) for text in sample)
    reason = max(sorted(reasons), key=lambda r: reasons[r])
    if reason in HINTS:
        example = next(text for text in sample if times.why_no_date(text) == reason)
        found = f"found numbers of {len(re.split('[.,]', example)[0])} digits"
    else:
        found = f"found {next(filter(None, map(shown, sample)), 'other text')}"
    found += ": a time zone's abbreviation may mean several" * (reason == times.ABBREVIATION)
    return DataError(
        f"{name} was expected to hold dates, {found}; nothing was changed",
        HINTS.get(
            reason,
            "have UTC offsets exported instead"
            if reason == times.ABBREVIATION
            else "set `date_format` of the source in params.yaml, such as %d/%m/%Y",
        ),
    )


class _Years:
    """What the dates with one separator tell about years of two digits."""

    def __init__(self) -> None:
        self.first: set[str] = set()
        self.last: set[str] = set()
        self.example = ""
        self.is_last = False
        self.is_first = False

    def add(self, date: ShortDate, text: str) -> None:
        self.first.add(date.first)
        self.last.add(date.last)
        self.example = self.example or text
        self.is_last |= date.ends_with_year
        self.is_first |= date.begins_with_year

    @property
    def are_last(self) -> bool:
        """Whether the year is the last number: of most files, the one that varies less."""
        return self.is_last or (not self.is_first and len(self.first) > len(self.last))

    @property
    def seem_first(self) -> bool:
        return not self.is_last and (self.is_first or len(self.last) > len(self.first))


class _Told:
    """What the cells of a column tell about the order of day, month and year.

    Parameters
    ----------
    known
        The order of day and month of earlier rows.
    """

    def __init__(self, known: Order | None) -> None:
        self.known = known
        self.orders: Counter[str] = Counter()
        self.example: str | None = None
        self.years: dict[str, _Years] = {}

    def add(self, cells: list[str]) -> None:
        for text, count in Counter(cells).items():
            order = order_in(text)
            if order is not None:
                self.orders[order] += count
            if order == "?" and self.example is None:
                self.example = text
            if date := times.short_date(text):
                self.years.setdefault(date.sep, _Years()).add(date, text)

    @property
    def _most(self) -> Order | None:
        most = max(times.ORDERS, key=lambda order: self.orders[order])
        return most if self.orders[most] else None

    @property
    def is_settled(self) -> bool:
        """Whether no other cell is needed."""
        has_order = self.known or self._most or not self.orders
        return bool(has_order) and all(map(self._is_last, self.years))

    def _is_last(self, sep: str) -> bool:
        years = self.years[sep]
        is_known = self.known is not None and sep != times.POINT
        return years.are_last or (is_known and not years.seem_first)

    def short_years(self, name: str) -> str:
        """The separators of dates that end with a year of two digits.

        Raises
        ------
        DataError
            If dates begin with it, or may.
        """
        for sep, years in sorted(self.years.items()):
            if self._is_last(sep):
                continue
            how = f"%y{sep}%m{sep}%d" + next(
                (clock for clock, shape in CLOCKS.items() if re.fullmatch(shape, years.example)), ""
            )
            problem = "seem to begin" if years.seem_first else "may begin or end"
            raise DataError(
                f"{name} has dates such as {shown(years.example) or 'numbers'} that {problem} with "
                "the year; nothing was changed",
                f'set `date_format: "{how}"` of the source in params.yaml if they begin with it, '
                "else `date_order`: day_first or month_first",
            )
        return "".join(sorted(self.years))

    def order(self, name: str) -> Order | None:
        """Which of two numbers is the day, by the cells in which only one can be.

        None where no cell has the question.
        """
        if self._most or self.example is None:
            return self._most
        raise UndecidedError(
            f"{name} has dates such as {shown(self.example) or 'numbers'} in which day and month "
            "can't be told apart; nothing was changed",
            "set `date_order` of the source in params.yaml: day_first or month_first",
            setting="date_order",
            choices=times.ORDERS,
        )


def _usual(sample: list[str], spelling: TimeFormat) -> tuple[str, ...]:
    """The strptime formats of most cells that don't begin with the year, if they have some."""
    written = ("%Y%m%d" if spelling.compact else _date_format(text, spelling) for text in sample)
    dates = Counter(filter(None, written))
    if not dates:
        return ()
    date = max(sorted(dates), key=lambda how: dates[how])
    clocks = {
        clock: sum(re.fullmatch(shape, text) is not None for text in sample)
        for clock, shape in CLOCKS.items()
    }
    return tuple(date + clock for clock in sorted(clocks, key=lambda clock: -clocks[clock]))


def _date_format(text: str, spelling: TimeFormat) -> str | None:
    numbered = NUMBERED.match(text)
    if numbered and len(numbered[2]) == len("24") and numbered[1] not in spelling.short_years:
        return None
    if numbered and (order := spelling.order_with(numbered[1])):
        day_month = ("%d", "%m") if order == "day_first" else ("%m", "%d")
        return numbered[1].join((*day_month, _year(numbered[2])))
    if named := NAMED.match(text):
        month = "%b" if len(named[2]) == len("Jan") else "%B"
        return named[1].join(("%d", month, _year(named[3])))
    return None


def _year(digits: str) -> str:
    return "%Y" if len(digits) == len("2024") else "%y"
