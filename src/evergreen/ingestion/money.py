"""Amounts as exports write them: signs, brackets, currencies and groups of digits.

An amount stays an exact decimal until it is rounded once, to minor units, half away from zero.
"""

from __future__ import annotations

import re
from collections import Counter
from decimal import Decimal
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple

from evergreen.ingestion.cells import CellError, is_missing, register, text_of
from evergreen.settings.currencies import currency_code

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb

Sign = Literal[".", ","]

DIGITS, DECIMALS = 18, 10
"""Digits that are read before and after the decimal separator.

Further decimals are cut off, which rounds to the same minor unit.
"""
SAMPLE = 2000
SYMBOL = "[$€£]"
"""Currencies that SQL reads without a function, as most exports have one of these."""
READERS: dict[Sign, str] = {".": "number_with_point", ",": "number_with_comma"}
"""SQL functions that read numbers, by decimal separator."""
CURRENCY_NAMED = "currency_named"
"""SQL function that reads a currency from a cell of its own."""
_POWER = re.compile(r"[-+]?\d(?:\.\d+)?[eE]([-+]?\d{1,3})")
_SAME = str.maketrans(
    dict.fromkeys("\u00a0\u2007\u2009\u202f", " ")
    | dict.fromkeys("\u2212\u2010\u2011\u2012\u2013\u2014\ufe63\uff0d", "-")
    | {"\u2019": "'"}
)
_CURRENCY = (
    r"[^\W\d_]+\.?(?: ?[^\W\d_]+\.?)?|(?:[^\W\d_]+ ?)?[$€£¥₹₽₩₺₫₦₱₪₴₡₲₵₸₾฿¢¤](?: ?[^\W\d_]+)?"
)
_CELL = re.compile(
    rf"(?P<open>\(?) ?(?P<first>[-+]?) ?(?P<before>{_CURRENCY})? ?(?P<second>[-+]?) ?(?P<inner>\(?)"
    rf"(?P<number>\d[\d.,' ]*|[.,]\d+)"
    rf"(?P<close>\)?) ?(?P<after>(?![cd]r\b)(?:{_CURRENCY}))? ?(?P<last>-?) ?(?P<end>\)?)"
    r" ?(?P<side>cr|dr)?",
    re.IGNORECASE,
)
_NUMBER = {
    ".": re.compile(
        r"(?:\d+|[1-9]\d{0,2}(?:(?:,\d{3})+|(?:'\d{3})+|(?: \d{3})+)|[1-9]\d?(?:,\d{2})*,\d{3})?"
        r"(?:\.\d*)?"
    ),
    ",": re.compile(r"(?:\d+|[1-9]\d{0,2}(?:(?:\.\d{3})+|(?:'\d{3})+|(?: \d{3})+))?(?:,\d*)?"),
}


class Money(NamedTuple):
    """An amount in major units, and the currency beside it."""

    amount: Decimal
    currency: str | None


def read_money(cell: str, sign: Sign = ".") -> Money | None:
    """The amount in a cell; None where there is none.

    Parameters
    ----------
    sign
        The decimal separator.

    Raises
    ------
    CellError
        If the cell is not clearly a number with this decimal sign: ``12,50`` is not one where the
        sign is a point, for it may be 12.5 or 1250.

    Examples
    --------
    >>> [str(read_money(cell).amount) for cell in ("-$5.00", "($900.23)", "5.00-", "5.00 CR")]
    ['-5.00', '-900.23', '-5.00', '-5.00']
    >>> read_money("Fr. 5.-")
    Money(amount=Decimal('5'), currency='CHF')
    >>> read_money("1.234,50 EUR", ",")
    Money(amount=Decimal('1234.50'), currency='EUR')
    """
    text = text_of(cell).translate(_SAME)
    if is_missing(text):
        return None
    parts = _CELL.fullmatch(text)
    if parts is None:
        return Money(_power(text, sign), None)
    number = parts["number"].rstrip()
    if _NUMBER[sign].fullmatch(number) is None:
        raise CellError(f"is not a number with decimal separator '{sign}'")
    opened, closed = parts["open"] + parts["inner"], parts["close"] + parts["end"]
    credit = (parts["side"] or "").lower() == "cr"
    last = "" if number.endswith((".", ",")) else parts["last"]  # as in "Fr. 5.-", without cents
    minus = [*filter("-".__eq__, (parts["first"], parts["second"], last))]
    if len(opened) != len(closed) or len(opened) + len(minus) + credit > 1:
        raise CellError("has more than one sign")
    grouped = number.replace(" ", "").replace("'", "").replace("," if sign == "." else ".", "")
    whole, _, decimals = grouped.partition(sign)
    amount = Decimal(f"{whole or '0'}.{decimals[:DECIMALS]}" if decimals else whole)
    written = _currency(parts)
    currency = currency_code(written) if written else None
    if (written and currency is None) or len(whole) > DIGITS:
        raise CellError("is not a number")
    return Money(-amount if opened or minus or credit else amount, currency)


def _currency(parts: re.Match[str]) -> str:
    return " ".join(part.strip() for part in (parts["before"], parts["after"]) if part)


def _power(text: str, sign: Sign) -> Decimal:
    """A number as programs write very small or large ones, such as 1e-05."""
    power = _POWER.fullmatch(text) if sign == "." else None
    if power is None or abs(int(power[1])) >= DIGITS:
        raise CellError("is not a number")
    return Decimal(text)


def sign_in(cell: str) -> Sign | Literal["?"] | None:
    """The decimal separator in a cell.

    None where it has no separator; ``?`` where it could be one of thousands.

    >>> [sign_in(n) for n in ("1.234,56", "$1,234", "0,750", "12,34,567", "5.0", "12")]
    [',', '?', ',', '.', '.', None]
    """
    parts = _CELL.fullmatch(text_of(cell).translate(_SAME))
    number = parts["number"].strip() if parts else ""
    signs = re.findall("[.,]", number)
    if not signs:
        return None
    last: Sign = "." if signs[-1] == "." else ","
    if len(set(signs)) > 1:
        return last
    if len(signs) > 1:
        return "," if last == "." else "."
    before, after = number.split(last)
    group = len("000")
    told = len(after) != group or not before.isdigit() or len(before) > group
    return last if told or before.startswith("0") else "?"


def settle_sign(cells: Iterable[str]) -> Sign | Literal["?"] | None:
    """The decimal separator of a column, from the first cells that tell it.

    ``?`` where it has to be asked for; None where no cell has a separator. Where cells tell
    different ones, the usual one holds and the others are bad rows, unless neither is usual and
    further cells fit both.
    """
    signs: Counter[str] = Counter()
    remaining = iter(cells)
    while sample := list(islice(remaining, SAMPLE)):
        signs.update(sign for cell in sample if (sign := sign_in(cell)))
        fewer, more = sorted((signs["."], signs[","]))
        if signs["?"] and fewer > more / 2:
            return "?"
        if more:
            return "." if signs["."] == more else ","
    return "?" if signs["?"] else None


def are_whole_thousands(cells: Iterable[str]) -> bool:
    """Whether every number with a separator ends in it and three zeros, in the first cells.

    Quantities such as ``2.000`` are 2 with three decimals in some exports, and 2,000 in others.
    """
    texts = [text_of(cell) for cell in islice(cells, SAMPLE)]
    return all(re.search(r"[.,]000$", text) for text in texts if re.search("[.,]", text))


def quick_sql(cell: str, sign: Sign, digits: int, decimals: int) -> str:
    """SQL that is true where a cell is a plain number of at most so many digits."""
    after = f"([{sign}][0-9]{{1,{decimals}}})?" if decimals else ""
    return f"regexp_full_match({cell}, '[-+]?[0-9]{{1,{digits}}}{after}')"


def with_point(cell: str, sign: Sign) -> str:
    """SQL of a plain number with a decimal point."""
    return cell if sign == "." else f"replace({cell}, ',', '.')"


def number_sql(cell: str, sign: Sign, kind: str, quick: str = "false") -> str:
    """SQL of the number in a cell, exact; null where there is none.

    Parameters
    ----------
    kind
        An SQL type of a decimal.
    quick
        As from `quick_sql`; a column that has it, so that it is found once.
    """
    plain = rf"[-+]?[0-9]{{1,{DIGITS}}}([{sign}][0-9]{{1,{DECIMALS}}})?"
    text = with_point(cell, sign)
    is_plain = f"regexp_full_match({cell}, '{plain}')"
    with_symbol = f"regexp_full_match({cell}, '{SYMBOL}{plain}') and not {cell}[2] in ('-', '+')"
    number = (
        f"case when {quick} or {is_plain} then {text} when {with_symbol} then {text}[2:] "
        f"else {READERS[sign]}({cell}) end"
    )
    return f"try_cast({number} as {kind})"


def currency_sql(cell: str, quick: str) -> str:
    """SQL of the currency in a cell; null where it has none."""
    none = f"{quick} or regexp_full_match({cell}, '[-+0-9.,]*')"
    usual = f"regexp_full_match({cell}, '{SYMBOL}[0-9.,]+')"
    code = f"case {cell}[1] when '€' then 'EUR' when '£' then 'GBP' else '$' end"
    return f"case when {none} then null when {usual} then {code} else currency_of({cell}) end"


def register_readers(con: duckdb.DuckDBPyConnection) -> None:
    """Register the functions that `number_sql` and `currency_sql` call."""
    for sign, name in READERS.items():
        register(con, name, partial(_amount_text, sign=sign))
    register(con, "currency_of", _currency_text)
    register(con, CURRENCY_NAMED, lambda cell: currency_code(text_of(cell)))


def _amount_text(cell: str, sign: Sign) -> str | None:
    money = read_money(cell, sign)
    return format(money.amount, "f") if money else None


def _currency_text(cell: str) -> str | None:
    parts = _CELL.fullmatch(text_of(cell).translate(_SAME))
    return currency_code(_currency(parts)) if parts else None
