"""Which canonical column comes from which column of a part."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

from evergreen.core.events.transactions import TOO_EARLY, TOO_LARGE, invoice_id
from evergreen.errors import DataError
from evergreen.ingestion.conversion import (
    Check,
    Conversion,
    add_number,
    limit_text,
    require_date,
    require_text,
    trimmed_sql,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from evergreen.settings.sources import (
        AttributeColumns,
        NoteColumns,
        TargetColumns,
        TransactionColumns,
    )

    AnyColumns = TransactionColumns | NoteColumns | AttributeColumns | TargetColumns
    from evergreen.ingestion.dates import DateFormat
    from evergreen.ingestion.inputs import Input

YES, NO = ("true", "yes", "y", "t"), ("false", "no", "n", "f")
TIME_OF = {"observed_on": "observed_at", "valid_from": "valid_at"}
"""The time in a column of which the day alone is kept."""
Formats = dict[str, "DateFormat"]


def mapped_headers(columns: AnyColumns) -> list[str]:
    """Every column of the source that is mapped."""
    found: list[str] = []
    for value in columns.model_dump().values():
        one = [value] if isinstance(value, str) else value
        found += one.values() if isinstance(one, dict) else one
    return found


def date_roles(columns: AnyColumns) -> dict[str, str]:
    """The columns of the source that hold dates, by role."""
    roles = columns.model_dump(include={"timestamp", "ingested_on", *TIME_OF})
    return {TIME_OF.get(role, role): header for role, header in roles.items()}


def transactions(
    part: Input, columns: TransactionColumns, formats: Formats, *, decimal: str, minor_units: int
) -> Conversion:
    """The canonical columns of transactions from those of a part.

    Parameters
    ----------
    formats
        How the columns that hold dates write them, by their roles.
    decimal
        What stands before the decimals of a number.
    minor_units
        How many minor units of money make a major one.
    """
    made = Conversion()
    require_text(made, "client_id", columns.client_id, _cell(part, columns.client_id))
    _date(made, part, "timestamp", columns.timestamp, formats)
    if columns.quantity is not None:
        _number(made, part, "quantity", columns.quantity, decimal, required=bool(columns.price))
    money = columns.amount or columns.price or ""
    _number(made, part, "amount" if columns.amount else "price", money, decimal, required=True)
    product = "amount" if columns.amount else "price * quantity"
    made.columns["amount_minor"] = f"try_cast({product} * {minor_units} as bigint)"
    too_large = f"amount_minor is null or {TOO_LARGE.fails}"  # null: beyond int64
    made.checks.append(Check(money, _cell(part, money), too_large, TOO_LARGE.reason))
    _texts(made, part, columns.text)
    if columns.invoice_id is not None:
        made.columns["invoice"] = trimmed_sql(_cell(part, columns.invoice_id))
        limit_text(made, "invoice", columns.invoice_id, _cell(part, columns.invoice_id))
    made.columns["invoice_id"] = invoice_id("invoice" if columns.invoice_id else "null")
    if columns.row_id is not None:
        require_text(made, "row_id", columns.row_id, _cell(part, columns.row_id))
    _ingested_on(made, part, columns.ingested_on, formats)
    return made


def notes(part: Input, columns: NoteColumns, formats: Formats) -> Conversion:
    """The canonical columns of notes from those of a part."""
    made = Conversion()
    require_text(made, "client_id", columns.client_id, _cell(part, columns.client_id))
    _date(made, part, "timestamp", columns.timestamp, formats)
    _texts(made, part, columns.text)
    header = columns.text if isinstance(columns.text, str) else columns.text[0]
    made.checks.append(Check(header, _cell(part, header), "text is null", "text is missing"))
    if columns.language is not None:
        made.columns["language"] = trimmed_sql(_cell(part, columns.language))
    _ingested_on(made, part, columns.ingested_on, formats)
    return made


def by_target(
    part: Input,
    columns: TargetColumns,
    formats: Formats,
    *,
    decimal: str,
    binary: Collection[str],
    exact: bool,
) -> Conversion:
    """A client's value for each target, of a part of outcomes or predictions.

    Parameters
    ----------
    binary
        The targets that are yes or no, written as 1 or 0, true or false, yes or no.
    exact
        Whether yes or no is meant, as in outcomes, or a probability between.
    """
    made = Conversion()
    require_text(made, "client_id", columns.client_id, _cell(part, columns.client_id))
    _own_day(made, part, "observed_on", columns.observed_on, formats)
    for target, header in columns.targets.items():
        cell = _cell(part, header)
        made.columns[target] = _value(part, header, decimal, words=target in binary)
        made.checks.append(_not_of_target(header, cell, target, binary, exact=exact))
    _known_on(made, part, columns.ingested_on, formats)
    return made


def attributes(
    part: Input, columns: AttributeColumns, formats: Formats, *, decimal: str
) -> Conversion:
    """What is said of clients from a date on; a blank cell is not known."""
    made = Conversion()
    require_text(made, "client_id", columns.client_id, _cell(part, columns.client_id))
    _own_day(made, part, "valid_from", columns.valid_from, formats)
    for name, header in columns.numeric.items():
        role, cell = f"number_{name}", _cell(part, header)
        made.columns[role] = _value(part, header, decimal, words=False)
        fails = f"not coalesce(isfinite({role}), false) and coalesce(trim({cell}), '') <> ''"
        made.checks.append(Check(header, cell, fails, f"{name} is not a number"))
    for name, header in columns.categorical.items():
        role, cell = f"level_{name}", _cell(part, header)
        made.columns[role] = trimmed_sql(cell)
        limit_text(made, role, header, cell)
    _known_on(made, part, columns.ingested_on, formats)
    return made


def _own_day(
    made: Conversion, part: Input, role: str, header: str | None, formats: Formats
) -> None:
    """The day that a row is of, which with the client is its id."""
    if header is None:
        made.columns[role] = f"date '{_day_in_name(part, role)}'"
    else:
        _date(made, part, TIME_OF[role], header, formats)
        made.columns[role] = f"{TIME_OF[role]}::date"
    made.columns["row_id"] = f"client_id || '@' || {role}::varchar"
    made.columns["day"] = role


def _known_on(made: Conversion, part: Input, header: str | None, formats: Formats) -> None:
    if header is not None:
        _date(made, part, "ingested_on", header, formats)
        made.columns["day"] = "ingested_on::date"


def _value(part: Input, header: str, decimal: str, *, words: bool) -> str:
    cell = f"lower(trim({_cell(part, header)}))"
    written = (
        cell if part.column(header) in part.decimal_point else f"replace({cell}, '{decimal}', '.')"
    )
    number = f"try_cast({written} as double)"
    if not words:
        return number
    return f"case when {cell} in {YES} then 1 when {cell} in {NO} then 0 else {number} end"


def _not_of_target(
    header: str, cell: str, target: str, binary: Collection[str], *, exact: bool
) -> Check:
    allowed, words = f"{target} >= 0 and isfinite({target})", "a number that is not negative"
    if target in binary and exact:
        allowed, words = f"{target} in (0, 1)", "yes or no, as 1 or 0"
    elif target in binary:
        allowed, words = f"{target} between 0 and 1", "a probability"
    fails = f"not coalesce({allowed}, false) and coalesce(trim({cell}), '') <> ''"
    return Check(header, cell, fails, f"{target} is not {words}")


def _day_in_name(part: Input, role: str) -> date:
    """The date in the name of a file, such as outcomes_2024-03-31.csv.

    Raises
    ------
    DataError
        If there is none.
    """
    for found in re.finditer(r"(\d{4})-?(\d{2})-?(\d{2})", part.name):
        try:
            return date(*map(int, found.groups()))
        except ValueError:
            continue
    raise DataError(
        f"{part.name} was expected to have its date in its name; nothing was changed",
        f"name it such as table_2024-03-31.csv, or map `{role}` in params.yaml",
    )


def _cell(part: Input, header: str) -> str:
    return f"c{part.column(header)}"


def _date(made: Conversion, part: Input, role: str, header: str, formats: Formats) -> None:
    called = next((day for day, time in TIME_OF.items() if time == role), role)
    require_date(made, role, header, _cell(part, header), formats[role], called=called)


def _number(
    made: Conversion, part: Input, role: str, header: str, decimal: str, *, required: bool
) -> None:
    sign = "." if part.column(header) in part.decimal_point else decimal
    add_number(made, role, header, _cell(part, header), sign, required=required)


def _texts(made: Conversion, part: Input, headers: str | list[str] | None) -> None:
    if headers is None:
        return
    listed = [headers] if isinstance(headers, str) else headers
    cells = [f"nullif(trim({_cell(part, header)}), '')" for header in listed]
    joined = f"nullif(concat_ws(' ', {', '.join(cells)}), '')"
    made.columns["text"] = joined if len(cells) > 1 else cells[0]
    limit_text(made, "text", listed[0], _cell(part, listed[0]))


def _ingested_on(made: Conversion, part: Input, header: str | None, formats: Formats) -> None:
    if header is None:
        made.columns["day"] = "timestamp::date"
        return
    _date(made, part, "ingested_on", header, formats)
    made.columns["day"] = "ingested_on::date"
    made.checks.append(Check(header, _cell(part, header), TOO_EARLY.fails, TOO_EARLY.reason))
