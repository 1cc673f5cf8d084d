"""Times as exports write them: the one definition of what a cell of text says about time.

A cell is a time of day at some place, the *wall clock*; it may name that place's UTC offset.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple

from evergreen.ingestion.cells import CellError, is_missing, text_of
from evergreen.ingestion.conversion import EARLIEST, LATEST

Order = Literal["day_first", "month_first"]
ORDERS: tuple[Order, ...] = ("day_first", "month_first")
AUTO, ISO, EXCEL, EPOCH, EPOCH_MS = "auto", "iso", "excel", "epoch", "epoch_ms"
WORDS = (AUTO, ISO, EXCEL, EPOCH, EPOCH_MS)
"""Formats that are named by a word; any other is one of strptime."""
POINT = "."
SEPARATORS = "-/."

NOT_A_DATE = "is not a date"
MISSING = "is missing"
OUT_OF_RANGE = "is not between 1970 and 2200"
ABBREVIATION = "names its time zone by an abbreviation, which may mean several: export UTC offsets"
NO_ORDER = "may have day or month first: set date_order to day_first or month_first"
NO_YEAR = "may begin or end with the year: set date_order if it ends with it, else date_format"
OTHER_ORDER = "has day and month in another order than the other dates of its file"
COMPACT_NUMBER = 'is a number: set date_format to "%Y%m%d" if it is a date'
EXCEL_NUMBER = "is a number: set date_format to excel if it is a spreadsheet's date"
EPOCH_NUMBER = "is a number: set date_format to epoch if it counts seconds since 1970"
EPOCH_MS_NUMBER = "is a number: set date_format to epoch_ms if it counts milliseconds since 1970"
REASONS = (
    MISSING,
    OUT_OF_RANGE,
    ABBREVIATION,
    NO_ORDER,
    NO_YEAR,
    OTHER_ORDER,
    COMPACT_NUMBER,
    EXCEL_NUMBER,
    EPOCH_NUMBER,
    EPOCH_MS_NUMBER,
    NOT_A_DATE,
)
"""Why a cell holds no time."""

MAX_OFFSET = 15 * 60
QUARTER = 15
FIRST_SERIAL = datetime(1899, 12, 30)
"""Day 0 of spreadsheets, from March 1900 on."""
UNIX = datetime(1970, 1, 1)
FIRST, END = datetime.fromisoformat(EARLIEST), datetime.fromisoformat(LATEST)
MONTHS_OF_A_YEAR, NOON = 12, 12
DAYS_OF_A_MONTH = 31
HOURS_OF_A_DAY = 24
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)

ZONE = r"(?:UTC|GMT|Z)|(?:UTC|GMT)?[-+\u2212][0-9]{1,2}(?::?[0-9]{2})?"
_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?: ?(?P<half>[ap])\.?m\.?)?"
)
_TIME = rf"(?:[T ,]+{_CLOCK}(?: ?(?P<zone>{ZONE}))?)?"
_BASIC_TIME = r"T(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?(?P<zone>Z|[-+]\d{2}:?\d{2})?"
_MONTH = r"(?P<name>[a-z]{3,9})\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?\.?"
_YEAR = r"(?P<year>\d{4}|\d\d)"
_FLAGS = re.IGNORECASE | re.ASCII
_YEAR_FIRST = re.compile(
    rf"(?P<year>\d{{4}})(?P<sep>[-/.])(?P<month>\d{{1,2}})(?P=sep)(?P<day>\d{{1,2}}){_TIME}", _FLAGS
)
_NUMBERED = re.compile(
    rf"(?P<one>\d{{1,2}})(?P<sep>[-/.])(?P<two>\d{{1,2}})(?P=sep){_YEAR}{_TIME}", _FLAGS
)
_NAMED = (
    re.compile(rf"(?:[a-z]{{3,9}},? )?{_DAY}[- /]{_MONTH},?[- /]{_YEAR}{_TIME}", _FLAGS),
    re.compile(rf"(?:[a-z]{{3,9}},? )?{_MONTH}[- /]{_DAY}(?:, ?|[- /]){_YEAR}{_TIME}", _FLAGS),
)
_COMPACT = tuple(
    re.compile(rf"(?P<year>(?:19|20)\d\d)(?P<month>\d\d)(?P<day>\d\d){time}", re.ASCII)
    for time in (_TIME, _BASIC_TIME)
)
_OFFSET = re.compile(rf" ?(?P<zone>{ZONE})$", re.IGNORECASE | re.ASCII)
_ZERO_DATE = re.compile(r"0000-00-00([T ]00:00(:00(\.0+)?)?)?")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?", re.ASCII)
_ABBREVIATED = re.compile(r".*:\d{2}.*[\dMm. ](?![AP]M$)[A-Z]{2,5}", re.ASCII)
_EXCEL_NUMBERS, _EPOCH_NUMBERS, _EPOCH_MS_NUMBERS = (5, 5), (9, 10), (12, 13)


class Time(NamedTuple):
    """What a cell says.

    Attributes
    ----------
    wall
        Date and time as they are written; midnight if there is no time.
    offset
        Minutes east of UTC; None where the cell names no zone.
    is_day
        Whether the cell holds a date without a time.
    """

    wall: datetime
    offset: int | None = None
    is_day: bool = False


@dataclass(frozen=True)
class TimeFormat:
    """How the cells of one column of one file write times.

    Attributes
    ----------
    text
        One of `WORDS`, or a strptime format.
    order
        Whether the day or the month is first where both are numbers, between slashes or dashes;
        None if no cell tells.
    compact
        Whether eight digits are a date.
    serials
        Whether numbers are dates of a spreadsheet, as the cells of a workbook may be.
    points
        The order of dates with points, with which every locale writes the day first.
    short_years
        The separators of dates that are known to end with the year where it has two digits.
    """

    text: str = AUTO
    order: Order | None = None
    compact: bool = False
    serials: bool = False
    points: Order = "day_first"
    short_years: str = ""

    def order_with(self, sep: str) -> Order | None:
        """The order of day and month in dates with a separator."""
        return self.points if sep == POINT else self.order

    def read(self, cell: str) -> Time | None:
        """The time in a cell; None where there is none.

        Raises
        ------
        CellError
            With one of `REASONS`.

        Examples
        --------
        >>> us = TimeFormat(order="month_first")
        >>> [str(us.read(cell).wall) for cell in ("3/1/2017 2:05 PM", "1 March 2017")]
        ['2017-03-01 14:05:00', '2017-03-01 00:00:00']
        >>> us.read("2017-03-01T12:00:00+05:30").offset
        330
        """
        text = text_of(cell)
        if is_missing(text) or _ZERO_DATE.fullmatch(text):
            return None
        time = self._read(text)
        if not FIRST <= time.wall < END:
            late = self.text == EPOCH and time.wall >= END
            raise CellError(EPOCH_MS_NUMBER if late else OUT_OF_RANGE)
        return time

    def _read(self, text: str) -> Time:
        number = _NUMBER.fullmatch(text)
        if number and (self.serials or self.text in (EXCEL, EPOCH, EPOCH_MS)):
            return _counted(Decimal(text.replace(",", ".")), EXCEL if self.serials else self.text)
        if self.text in WORDS:
            return self._read_written(text)
        time = self._read_given(text)
        if time is None and self.text.startswith("%Y"):  # the year is first, but in another way
            raise CellError(why_no_date(text))
        return time or self._read_written(text)

    def _read_given(self, text: str) -> Time | None:
        zone, how = None, self.text
        if how.endswith("%z"):
            zone = _OFFSET.search(text)
            if zone is None:
                return None
            text, how = text[: zone.start()], how.removesuffix("%z").rstrip()
        try:
            wall = datetime.strptime(text, how)
        except ValueError:
            return None
        return Time(wall, _minutes(zone["zone"]) if zone else None, not has_clock(how))

    def _read_written(self, text: str) -> Time:
        parts = self._parts(text)
        if parts is None:
            raise CellError(why_no_date(text))
        found = {name: part for name, part in parts.groupdict().items() if part is not None}
        if "one" in found:
            is_known = found["sep"] in self.short_years
            if not is_known and len(found["one"]) == len(found["year"]) == len("17"):
                raise CellError(NO_YEAR)
            found |= self._ordered(int(found["one"]), int(found["two"]), found["sep"])
        return _time(found)

    def _parts(self, text: str) -> re.Match[str] | None:
        others = (_NUMBERED, *_NAMED) if self.text in (AUTO, EXCEL) else ()
        shapes = (_YEAR_FIRST, *others, *(_COMPACT if self.compact else ()))
        return next((match for shape in shapes if (match := shape.fullmatch(text))), None)

    def is_shaped(self, text: str) -> bool:
        """Whether a text is built like a date, be it one of the calendar or not."""
        is_number = self.serials or self.text == EXCEL
        return (is_number and _NUMBER.fullmatch(text) is not None) or self._parts(text) is not None

    def _ordered(self, first: int, second: int, sep: str) -> dict[str, str]:
        order = self.order_with(sep) or ("day_first" if first == second else None)
        if order is None:
            raise CellError(NO_ORDER)
        day, month = (first, second) if order == "day_first" else (second, first)
        if month > MONTHS_OF_A_YEAR >= day:
            raise CellError(OTHER_ORDER)
        return {"day": str(day), "month": str(month)}


def is_compact(text: str) -> bool:
    """Whether a text is eight digits that may be a date, with or without a time."""
    return any(shape.fullmatch(text) for shape in _COMPACT)


def has_clock(strptime_format: str) -> bool:
    """Whether a strptime format holds a time of day."""
    return re.search("%[HIMSTXcr]", strptime_format) is not None


def as_order(word: str | None) -> Order | None:
    """The order that a word of the settings or of the state names; None for any other word."""
    return next((order for order in ORDERS if order == word), None)


def order_in(cell: str) -> Order | Literal["?", "="] | None:
    """The order of day and month that a cell tells.

    None where it has none, as with points; ``?`` where it may be either, ``=`` where both are the
    same number.

    >>> [order_in(cell) for cell in ("13/02/2017", "02/13/2017", "02/03/2017", "2017-03-02")]
    ['day_first', 'month_first', '?', None]
    """
    parts = _NUMBERED.fullmatch(text_of(cell))
    if parts is None or parts["sep"] == POINT:
        return None
    first, second = int(parts["one"]), int(parts["two"])
    if first > MONTHS_OF_A_YEAR >= second:
        return "day_first"
    if second > MONTHS_OF_A_YEAR >= first:
        return "month_first"
    if first > MONTHS_OF_A_YEAR:
        return None
    return "=" if first == second else "?"


class ShortDate(NamedTuple):
    """The numbers of a date of which either end may be a year of two digits."""

    sep: str
    first: str
    second: str
    last: str

    @property
    def ends_with_year(self) -> bool:
        """Whether the numbers can't be a year, a month and a day."""
        has_day_second = int(self.first) <= MONTHS_OF_A_YEAR < int(self.second)
        return len(self.first) == 1 or int(self.last) > DAYS_OF_A_MONTH or has_day_second

    @property
    def begins_with_year(self) -> bool:
        """Whether the first number can be neither a day nor a month."""
        return int(self.first) > DAYS_OF_A_MONTH


def short_date(cell: str) -> ShortDate | None:
    """The numbers of a date without a year of four digits; None where a cell holds no such date."""
    parts = _NUMBERED.fullmatch(cell)
    if parts is None or len(parts["year"]) > len("17"):
        return None
    return ShortDate(parts["sep"], parts["one"], parts["two"], parts["year"])


def _time(found: dict[str, str]) -> Time:
    """The time of the parts of a cell."""
    month = int(found["month"]) if "month" in found else _month(found["name"].lower())
    year = found["year"] if len(found["year"]) > len("17") else _century(found["year"])
    hour, minute, second = (int(found.get(name, 0)) for name in ("hour", "minute", "second"))
    if "half" in found:
        if not 1 <= hour <= NOON:
            raise CellError(NOT_A_DATE)
        hour = hour % NOON + NOON * (found["half"].lower() == "p")
    midnight = hour == HOURS_OF_A_DAY and not minute and not second
    fraction = int(found.get("fraction", "0")[:6].ljust(6, "0"))
    try:
        wall = datetime(
            int(year), month, int(found["day"]), 0 if midnight else hour, minute, second, fraction
        )
    except ValueError:
        raise CellError(NOT_A_DATE) from None
    wall += timedelta(days=midnight)
    return Time(wall, _minutes(found["zone"]) if "zone" in found else None, "hour" not in found)


def _month(name: str) -> int:
    """The number of a month by its English name, in full or by its first three letters."""
    for number, full in enumerate(MONTHS, start=1):
        if name in (full, full[:3], "sept" if full == "september" else full):
            return number
    raise CellError(NOT_A_DATE)


def _century(digits: str) -> str:
    """The year of two digits, as POSIX has it."""
    return f"{'19' if int(digits) >= 69 else '20'}{digits}"  # noqa: PLR2004


def _minutes(zone: str) -> int:
    """The minutes east of UTC that a cell names."""
    sign, digits = re.match("(?:UTC|GMT|Z)?(.?)(.*)", zone.upper()).groups()  # type: ignore[union-attr]
    if not digits:
        return 0
    digits = digits.replace(":", "")
    hours, minutes = (digits[:-2], digits[-2:]) if len(digits) > len("12") else (digits, "0")
    offset = int(hours) * 60 + int(minutes)
    if offset > MAX_OFFSET or offset % QUARTER:
        raise CellError(NOT_A_DATE)
    return offset if sign == "+" else -offset


def _counted(number: Decimal, unit: str) -> Time:
    """The time that a number counts: days of a spreadsheet, or time since 1970 in UTC."""
    try:
        if unit == EXCEL:  # floats hold about a microsecond, spreadsheets a millisecond
            return Time(
                FIRST_SERIAL + timedelta(milliseconds=round(number * 86_400_000)),
                is_day=number == int(number),
            )
        seconds = number if unit == EPOCH else number / 1000
        return Time(UNIX + timedelta(microseconds=int(seconds * 1_000_000)), 0)
    except OverflowError:
        late = unit == EPOCH and number > 0
        raise CellError(EPOCH_MS_NUMBER if late else OUT_OF_RANGE) from None


def why_no_date(text: str) -> str:
    """Why a text is not a date."""
    if _NUMBER.fullmatch(text):
        digits = len(re.split("[.,]", text)[0])
        if any(shape.fullmatch(text) for shape in _COMPACT):
            return COMPACT_NUMBER
        for (least, most), reason in (
            (_EXCEL_NUMBERS, EXCEL_NUMBER),
            (_EPOCH_NUMBERS, EPOCH_NUMBER),
            (_EPOCH_MS_NUMBERS, EPOCH_MS_NUMBER),
        ):
            if least <= digits <= most:
                return reason
    return ABBREVIATION if _ABBREVIATED.search(text) else NOT_A_DATE
