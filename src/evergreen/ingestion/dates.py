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
    from collections.abc import Iterable, Iterator

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
        If the cells could be day before month or month before day, or are not dates.
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
    _check_years(sample, name)
    settled = settings.date_order or order or _order(sample, present, name)
    spelling = TimeFormat(how, settled, compact, serials)
    return TimeColumn(spelling, settings.zones, _usual(sample, settled, compact=compact))


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


def _check_years(sample: list[str], name: str) -> None:
    """Refuse two-digit numbers that look like year, month and day rather than ending in a year."""
    parts = [text[:8].split("/") for text in sample if re.match(r"\d\d/\d\d/\d\d(?!\d)", text)]
    if len({first for first, *_ in parts}) == 1 and len({last for *_, last in parts}) > 1:
        raise DataError(
            f"{name} has dates such as {sample[0][:8]!r} that seem to begin with the year; "
            "nothing was changed",
            'set `date_format` of the source in params.yaml, such as "%y/%m/%d"',
        )


def _order(sample: list[str], rest: Iterable[str], name: str) -> Order | None:
    """Which of two numbers is the day, by the cells in which only one can be.

    None where no cell of the sample has the question.
    """
    orders: Counter[str] = Counter(filter(None, map(order_in, sample)))
    if not orders:
        return None
    told = max(times.ORDERS, key=lambda order: orders[order])
    if orders[told]:
        return told
    example = next((text for text in sample if order_in(text) == "?"), None)
    for text in rest:
        order = order_in(text)
        if order in times.ORDERS:
            return times.as_order(order)
        example = text if order == "?" and example is None else example
        orders[order or ""] += 1
    if example is None:
        return "day_first" if orders["."] else None
    raise UndecidedError(
        f"{name} has dates such as {shown(example) or 'numbers'} in which day and month can't be "
        "told apart; nothing was changed",
        "set `date_order` of the source in params.yaml: day_first or month_first",
        setting="date_order",
        choices=times.ORDERS,
    )


def _usual(sample: list[str], order: Order | None, *, compact: bool) -> tuple[str, ...]:
    """The strptime formats of most cells that don't begin with the year, if they have some."""
    written = ("%Y%m%d" if compact else _date_format(text, order) for text in sample)
    dates = Counter(filter(None, written))
    if not dates:
        return ()
    date = max(sorted(dates), key=lambda how: dates[how])
    clocks = {
        clock: sum(re.fullmatch(shape, text) is not None for text in sample)
        for clock, shape in CLOCKS.items()
    }
    return tuple(date + clock for clock in sorted(clocks, key=lambda clock: -clocks[clock]))


def _date_format(text: str, order: Order | None) -> str | None:
    if (numbered := NUMBERED.match(text)) and order is not None:
        day_month = ("%d", "%m") if order == "day_first" else ("%m", "%d")
        return numbered[1].join((*day_month, _year(numbered[2])))
    if named := NAMED.match(text):
        month = "%b" if len(named[2]) == len("Jan") else "%B"
        return named[1].join(("%d", month, _year(named[3])))
    return None


def _year(digits: str) -> str:
    return "%Y" if len(digits) == len("2024") else "%y"
