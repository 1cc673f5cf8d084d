"""Which canonical column comes from which column of an input."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from evergreen.core.events.transactions import TOO_EARLY, missing
from evergreen.errors import DataError
from evergreen.ingestion.amounts import possible_headers, summands
from evergreen.ingestion.cells import LOST_DIGITS, IdRule, register, scientific_sql
from evergreen.ingestion.conversion import (
    Check,
    Conversion,
    blank_sql,
    trimmed_sql,
)
from evergreen.ingestion.header_row import joined_header
from evergreen.ingestion.inputs import Mapped
from evergreen.ingestion.money import (
    number_sql,
    quick_sql,
    register_readers,
    with_point,
)
from evergreen.ingestion.times import NOT_A_DATE, REASONS, WORDS
from evergreen.store import sql

if TYPE_CHECKING:
    from collections.abc import Collection

    import duckdb

    from evergreen.ingestion.inputs import Input
    from evergreen.ingestion.money import Sign
    from evergreen.ingestion.time_sql import TimeColumn
    from evergreen.settings.columns import (
        AttributeColumns,
        NoteColumns,
        TargetColumns,
        TransactionColumns,
    )

    AnyColumns = TransactionColumns | NoteColumns | AttributeColumns | TargetColumns

CLIENT_ID_OF, ID_OF = "client_id_of", "id_of"
"""SQL functions that read ids."""
MAX_CHARS = 131_072
SQL_TYPES = {"amount": "decimal(28, 10)", "price": "decimal(22, 10)", "quantity": "decimal(16, 4)"}
"""Products of these are exact, or too large for a decimal and so for an amount."""
QUICK = {"amount": (10, 4), "price": (7, 4), "quantity": (4, 0)}
"""Digits before and after the point of numbers whose products in minor units are small decimals."""
MOST_UNITS = 1000
YES, NO = ("true", "yes", "y", "t"), ("false", "no", "n", "f")
TIME_OF = {"observed_on": "observed_at", "valid_from": "valid_at"}
"""The time in a column of which only the day is kept."""


@dataclass(frozen=True)
class CellRules:
    """How the cells of an input become values.

    Attributes
    ----------
    formats
        How the columns that hold dates write them, by their roles.
    decimals
        The decimal separator of the columns that hold numbers as text, by header.
    clients
        How ids of clients are read.
    """

    formats: dict[str, TimeColumn]
    decimals: dict[str, Sign] = field(default_factory=dict)
    clients: IdRule = field(default_factory=IdRule)

    def register(self, con: duckdb.DuckDBPyConnection) -> None:
        """Register the functions that the SQL of `Mapper` calls."""
        register(con, CLIENT_ID_OF, self.clients.read)
        register(con, ID_OF, IdRule().read)
        register_readers(con)


def mapped(columns: AnyColumns) -> Mapped:
    """Every column of the source that is mapped."""
    headers: list[str] = []
    for role, value in columns.model_dump().items():
        if role == "amount":
            headers += possible_headers(value) if isinstance(value, str) else []
        elif isinstance(value, dict):
            headers += value.values()
        else:
            headers += _listed(value)
    return Mapped(headers, _listed(getattr(columns, "text", None)))


def number_headers(columns: AnyColumns, rows: Input) -> list[str]:
    """The columns of an input that hold numbers.

    Raises
    ------
    DataError
        If the input lacks one that is a part of the amount.
    """
    roles = columns.model_dump(include={"amount", "price", "quantity", "targets", "numeric"})
    amount = roles.pop("amount", None)
    headers = [s.header for s in summands(rows, amount)] if isinstance(amount, str) else []
    for value in roles.values():
        headers += value.values() if isinstance(value, dict) else _listed(value)
    return headers


def _listed(headers: str | list[str] | None) -> list[str]:
    return [headers] if isinstance(headers, str) else headers or []


def date_roles(columns: AnyColumns) -> dict[str, str]:
    """The columns of the source that hold dates, by role."""
    roles = columns.model_dump(include={"timestamp", "ingested_on", *TIME_OF})
    return {TIME_OF.get(role, role): joined_header(header) for role, header in roles.items()}


def is_quick(role: str) -> str:
    """The column that tells whether a cell has a plain number of few digits."""
    return f"{role}_is_quick"


class Mapper:
    """Maps the columns of one input, one after the other.

    Attributes
    ----------
    conversion
        What was mapped so far.
    """

    def __init__(self, rows: Input, rules: CellRules) -> None:
        self.conversion = Conversion()
        self._rows = rows
        self._rules = rules
        self._quick_cells: dict[str, str] = {}

    def __setitem__(self, role: str, value: str) -> None:
        """Set a canonical column to SQL, which may refer to columns set before."""
        self.conversion.columns.pop(role, None)
        self.conversion.columns[role] = value

    def cell(self, header: str) -> str:
        """SQL of the cells of a column."""
        return f"c{self._rows.column(header)}"

    def check(self, header: str, fails: str, reason: str) -> None:
        """Keep a row out because of a column."""
        self.conversion.checks.append(Check(header, self.cell(header), fails, reason))

    def text(self, role: str, header: str) -> None:
        """Map a column that holds a text; longer ones than `MAX_CHARS` are mistakes."""
        self[role] = trimmed_sql(self.cell(header))
        self._limit(role, header)

    def client_id(self, headers: str | list[str]) -> None:
        """Map the column with the ids of clients, or the first of several that has one.

        No row may lack it. An id that has lost digits is not replaced by that of a later column.
        """
        first, *others = _listed(headers)
        rule, function = self._rules.clients, CLIENT_ID_OF
        value = rule.sql(self.cell(first), function)
        before = [self.cell(first)]
        for header in others:
            kept = " and ".join(f"not coalesce({scientific_sql(cell)}, false)" for cell in before)
            further = rule.sql(self.cell(header), function)
            value = f"coalesce({value}, case when {kept} then {further} end)"
            before.append(self.cell(header))
        self._id("client_id", [first, *others], value)
        self.check(first, missing("client_id").fails, missing("client_id").reason)

    def id(self, role: str, header: str, *, required: bool) -> None:
        """Map a column with ids of anything else."""
        self._id(role, [header], IdRule().sql(self.cell(header), ID_OF))
        if required:
            rule = missing(role)
            self.check(header, rule.fails, rule.reason)

    def _id(self, role: str, headers: list[str], value: str) -> None:
        self[role] = value
        for header in headers:
            lost = scientific_sql(self.cell(header))
            fails = f"case when {role} is null then {lost} else false end"
            self.check(header, fails, f"{role} {LOST_DIGITS}")
        self._limit(role, headers[0])

    def joined_text(self, headers: str | list[str] | None) -> None:
        """Map one or several columns to ``text``."""
        if headers is None:
            return
        listed = _listed(headers)
        cells = [f"nullif(trim({self.cell(header)}), '')" for header in listed]
        joined = f"nullif(concat_ws(' ', {', '.join(cells)}), '')"
        self["text"] = joined if len(cells) > 1 else cells[0]
        self._limit("text", listed[0])

    def _limit(self, role: str, header: str) -> None:
        reason = f"{role} has more than {MAX_CHARS:,} characters"
        self.check(header, f"length({role}) > {MAX_CHARS}", reason)

    def date(self, role: str, header: str) -> None:
        """Map a column that must hold a date, with or without a time."""
        column, cell = self._rules.formats[role], self.cell(header)
        self[role] = column.sql(cell)
        self["known_clock" if role == "ingested_on" else "clock"] = column.clock_sql(cell, role)
        name = next((day for day, time in TIME_OF.items() if time == role), role)
        self.check(header, blank_sql(role, cell), missing(name).reason)
        for reason in REASONS:
            problem = f"{column.problem_sql(cell)} = {sql.literal(reason)}"
            fails = f"case when {role} is null then {problem} else false end"
            self.check(header, fails, f"{name} {reason}")
        given = "" if column.cells.text in WORDS else f" in the format {column.cells.text}"
        self.check(header, f"{role} is null", f"{name} {NOT_A_DATE}{given}")

    def number(self, role: str, header: str, *, required: bool) -> None:
        """Map a column that holds an exact number."""
        decimal = self._sign(header)
        cell = self.cell(header)
        kind = role.partition("_")[0]
        self[is_quick(role)] = quick_sql(cell, decimal, *QUICK[kind])
        self[role] = number_sql(cell, decimal, SQL_TYPES[kind], is_quick(role))
        self._quick_cells[role] = with_point(cell, decimal)
        blank = blank_sql(role, cell)
        if required:
            self.check(header, blank, missing(role).reason)
        what = role if role in SQL_TYPES else header
        reason = f"{what} is not a number with decimal separator '{decimal}'"
        self.check(header, f"{role} is null and not ({blank})", reason)

    def value(self, role: str, header: str, *, yes_or_no: bool = False) -> None:
        """Map a column that holds a number as float64, or yes or no as 1 or 0."""
        cell = f"lower(trim({self.cell(header)}))"
        plain = cell if self._has_point(header) else f"replace({cell}, '{self._sign(header)}', '.')"
        number = f"try_cast({plain} as double)"
        words = f"case when {cell} in {YES} then 1 when {cell} in {NO} then 0 else {number} end"
        self[role] = words if yes_or_no else number

    def require(self, header: str, allowed: str, reason: str) -> None:
        """Keep a row out where a cell is neither blank nor allowed."""
        blank = f"coalesce(trim({self.cell(header)}), '') = ''"
        self.check(header, f"not coalesce({allowed}, false) and not {blank}", reason)

    def _sign(self, header: str) -> Sign:
        return "." if self._has_point(header) else self._rules.decimals.get(header, ".")

    def _has_point(self, header: str) -> bool:
        return self._rows.column(header) in self._rows.decimal_point

    def own_day(self, role: str, header: str | None) -> None:
        """Map the day of a row; client and day are its id."""
        if header is None:
            self[role] = f"date '{_day_in_name(self._rows, role)}'"
        else:
            self.date(TIME_OF[role], header)
            self[role] = f"{TIME_OF[role]}::date"
        self["row_id"] = f"client_id || '@' || {role}::varchar"
        self["day"] = role

    def ingested_on(self, header: str | None) -> None:
        """Map the day on which a row became known, if the source has it."""
        if header is not None:
            self.date("ingested_on", header)
            self["day"] = "ingested_on::date"

    def happened_by(self, header: str | None) -> None:
        """Map the day on which an event became known: by default its own day, never earlier."""
        self["day"] = "timestamp::date"
        self.ingested_on(header)
        if header is not None:
            self.check(header, TOO_EARLY.fails, TOO_EARLY.reason)


def notes(rows: Input, columns: NoteColumns, rules: CellRules) -> Conversion:
    """The canonical columns of notes."""
    mapper = Mapper(rows, rules)
    mapper.client_id(columns.client_id)
    mapper.date("timestamp", joined_header(columns.timestamp))
    mapper.joined_text(columns.text)
    header = columns.text if isinstance(columns.text, str) else columns.text[0]
    mapper.check(header, "text is null", missing("text").reason)
    if columns.language is not None:
        mapper["language"] = trimmed_sql(mapper.cell(columns.language))
    mapper.happened_by(columns.ingested_on)
    return mapper.conversion


def by_target(
    rows: Input,
    columns: TargetColumns,
    rules: CellRules,
    *,
    binary: Collection[str],
    exact: bool,
) -> Conversion:
    """A client's value for each target, from outcomes or predictions.

    Parameters
    ----------
    binary
        The targets that are yes or no, written as 1 or 0, true or false, yes or no.
    exact
        Whether yes or no is required, as in outcomes, or may be a probability.
    """
    mapper = Mapper(rows, rules)
    mapper.client_id(columns.client_id)
    mapper.own_day("observed_on", columns.observed_on)
    for target, header in columns.targets.items():
        mapper.value(target, header, yes_or_no=target in binary)
        cell = sql.name(target)
        allowed, kind = f"{cell} >= 0 and isfinite({cell})", "a number that is not negative"
        if target in binary and exact:
            allowed, kind = f"{cell} in (0, 1)", "yes or no, as 1 or 0"
        elif target in binary:
            allowed, kind = f"{cell} between 0 and 1", "a probability"
        mapper.require(header, allowed, f"{target} is not {kind}")
    mapper.ingested_on(columns.ingested_on)
    return mapper.conversion


def attributes(rows: Input, columns: AttributeColumns, rules: CellRules) -> Conversion:
    """The attributes of clients from a date on; a blank cell is missing."""
    mapper = Mapper(rows, rules)
    mapper.client_id(columns.client_id)
    mapper.own_day("valid_from", columns.valid_from)
    for name, header in columns.numeric.items():
        mapper.value(f"number_{name}", header)
        mapper.require(header, f"isfinite(number_{name})", f"{name} is not a number")
    for name, header in columns.categorical.items():
        mapper.text(f"level_{name}", header)
    mapper.ingested_on(columns.ingested_on)
    return mapper.conversion


def _day_in_name(rows: Input, role: str) -> date:
    """The date in the name of a file, such as outcomes_2024-03-31.csv.

    Raises
    ------
    DataError
        If there is none.
    """
    for match in re.finditer(r"(\d{4})-?(\d{2})-?(\d{2})", rows.name):
        try:
            return date(*map(int, match.groups()))
        except ValueError:
            continue
    raise DataError(
        f"{rows.name} was expected to have its date in its name; nothing was changed",
        f"rename it to something like table_2024-03-31.csv, or map `{role}` in params.yaml",
    )
