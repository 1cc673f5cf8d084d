"""A caller's transactions and notes: check them and bring them to the canonical columns."""

from __future__ import annotations

import difflib
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from evergreen.core.events import transactions
from evergreen.ingestion.cells import CellError, IdRule, number_text
from evergreen.serving.amounts import minor_amounts
from evergreen.serving.errors import EventsError
from evergreen.serving.times import wall_times
from evergreen.settings.source_rules import SourceRules
from evergreen.store import tables

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence
    from datetime import date

RULES = SourceRules()
"""Those of a source without settings."""
AMOUNTS = ("amount_minor", "amount")
TRANSACTION = ("client_id", "timestamp")
OPTIONAL = ("quantity", "text", "invoice_id", "ingested_on")
NOTE = ("client_id", "timestamp", "text")
NOTE_OPTIONAL = ("language", "ingested_on")


class EventsIgnoredWarning(UserWarning):
    """Some events were not known before the as-of date."""


def are_events(frame: pd.DataFrame) -> bool:
    """Whether a table is meant to hold transactions: it has a column of times or of amounts."""
    return bool({"timestamp", *AMOUNTS} & set(frame.columns))


def read_transactions(
    frame: pd.DataFrame, *, minor_units: int, rules: SourceRules = RULES
) -> pa.Table:
    """Check transactions and bring them to the canonical columns.

    Parameters
    ----------
    frame
        client_id (string or whole number), timestamp, and either amount_minor (a whole number of
        minor units) or amount (major units); optionally quantity, text, invoice_id and ingested_on
        (by default the day of the timestamp).
    minor_units
        How many minor units make a major one.
    rules
        How ids and times are read.

    Returns
    -------
    pyarrow.Table
        With the columns of `evergreen.core.events.transactions.SCHEMA`; invoice_id may be null.

    Raises
    ------
    EventsError
        If a column is missing, unknown or of another type, or a row is not valid.
    """
    amounts = [name for name in AMOUNTS if name in frame]
    if len(amounts) > 1:
        raise EventsError("the events have both amount_minor and amount, expected one of them")
    amount = amounts[0] if amounts else "amount"
    _check_columns("the events", frame.columns, (*TRANSACTION, amount), OPTIONAL)
    columns = _common("the events", frame, rules)
    number = "a number"
    if amount == "amount":
        minor = minor_amounts("the events", frame["amount"], minor_units)
        valid = transactions.valid_amounts(minor)
    else:  # 12.50 would be an amount in major units
        numbers = pd.to_numeric(frame[amount], errors="coerce")
        minor, number = numbers.to_numpy(np.float64, na_value=np.nan), "a whole number"
        valid = transactions.valid_amounts(minor) & (minor == np.round(minor))
    _check_rows(
        "the events", valid, f"{amount} is missing, not {number}, or exceeds 10^14 minor units"
    )
    columns |= {
        "amount_minor": pa.array(minor.astype(np.int64)),
        "quantity": pa.nulls(len(frame), pa.float64()),  # no feature uses it
        "text": _text("the events", frame, "text"),
        "invoice_id": _text("the events", frame, "invoice_id"),
    }
    names = transactions.SCHEMA.names
    return pa.table([columns[name] for name in names], names=names)


def read_notes(frame: pd.DataFrame | None, rules: SourceRules = RULES) -> pa.Table:
    """Check notes and bring them to the schema `evergreen.store.tables.NOTES`.

    The columns are client_id, timestamp and text, optionally language and ingested_on; see
    `read_transactions`. None means no notes.
    """
    if frame is None:
        return tables.NOTES.empty_table()
    _check_columns("the notes", frame.columns, NOTE, NOTE_OPTIONAL)
    columns = _common("the notes", frame, rules) | {
        "text": _text("the notes", frame, "text"),
        "language": pa.nulls(len(frame), pa.string()),  # likewise
    }
    names = tables.NOTES.names
    notes = pa.table([columns[name] for name in names], names=names)
    return notes.filter(notes["text"].is_valid()).cast(tables.NOTES)


def ignored(rows: pa.Table, as_of: date) -> np.ndarray:
    """Which rows of `read_transactions` or `read_notes` a prediction ignores: bool (n,).

    They happened on the as-of date or later, or became known after it.
    """
    day = pa.scalar(as_of, pa.date32())
    happened = pc.greater_equal(rows["timestamp"].cast(pa.date32()), day)
    became_known = pc.greater(rows["ingested_on"], day)
    return np.asarray(pc.or_(happened, became_known), dtype=bool)


def ignored_notice(where: str, ignored_rows: np.ndarray, as_of: date) -> list[str]:
    """A sentence about ignored rows, if there are any; see `ignored`."""
    n, total = int(ignored_rows.sum()), len(ignored_rows)
    notice = f"{where}: {n:,} of {total:,} were not known before {as_of} and are ignored"
    return [notice] if n else []


def client_ids(values: Iterable[object], where: str, rules: SourceRules = RULES) -> list[str]:
    """Ids of clients as strings.

    Raises
    ------
    EventsError
        If an id is missing, has lost digits, or is neither a string nor a whole number.
    """
    ids: list[str] = []
    rule = IdRule(rules.missing_ids, rules.fold_case)
    for place, value in enumerate(values):
        try:
            client = client_id(value, rule)
        except CellError as error:
            raise EventsError(
                f"{where}: client_id {error}; the first is at position {place}",
                "fix or drop these rows",
            ) from None
        ids.append(client)
    return ids


def client_id(value: object, rule: IdRule | None = None) -> str:
    """The id of a client as a string: 1, 1.0 and "1.0" are "1".

    Raises
    ------
    CellError
        If it is missing, has lost digits, or is neither a string nor a whole number.
    """
    if value is None or value is pd.NA or value != value:  # noqa: PLR0124 - NaN
        raise CellError("is missing")
    fraction = isinstance(value, float | Decimal) and value % 1 != 0
    if fraction or isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise CellError(f"must hold strings or whole numbers, found {value!r}")
    client = (rule or IdRule()).read(value if isinstance(value, str) else number_text(value))
    if client is None:
        raise CellError("is missing")
    return client


def _common(where: str, frame: pd.DataFrame, rules: SourceRules) -> dict[str, pa.Array]:
    """client_id, timestamp and ingested_on of transactions and of notes."""
    ids = client_ids(frame["client_id"].tolist(), where, rules)
    times = wall_times(where, "timestamp", frame["timestamp"], rules)
    _check_rows(where, ~np.isnat(times), transactions.missing("timestamp").reason)
    days = times.astype("datetime64[D]")
    ingested_on = days
    if "ingested_on" in frame:
        given = wall_times(where, "ingested_on", frame["ingested_on"], rules)
        ingested_on = np.where(np.isnat(given), days, given.astype("datetime64[D]"))
        valid = transactions.valid_times(days, ingested_on)
        _check_rows(where, valid, transactions.TOO_EARLY.reason)
    return {
        "client_id": pa.array(ids, pa.string()),
        "timestamp": pa.array(times),
        "ingested_on": pa.array(ingested_on),
    }


def _text(where: str, frame: pd.DataFrame, name: str) -> pa.Array:
    if name not in frame:
        return pa.nulls(len(frame), pa.string())
    try:
        return pa.array(frame[name], pa.string(), from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise EventsError(f"{where}: {name} must hold strings: {error}") from None


def _check_columns(
    where: str,
    columns: Sequence[Hashable] | pd.Index,
    required: Sequence[str],
    optional: Sequence[str],
) -> None:
    names = [str(name) for name in columns]
    lines = [
        f"- {name} (missing{_nearest(name, set(names) - {*required, *optional})})"
        for name in required
        if name not in names
    ]
    lines += [
        f"+ {name} (unknown{_nearest(name, {*required, *optional} - set(names))})"
        for name in names
        if name not in (*required, *optional)
    ]
    lines += [f"+ {name} (appears twice)" for name in sorted(set(names)) if names.count(name) > 1]
    if lines:
        raise EventsError(
            f"{where} do not have the columns {', '.join(required)} and optionally "
            f"{', '.join(optional)}:\n" + "\n".join(lines),
            "rename or drop columns",
        )


def _nearest(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _check_rows(where: str, valid: np.ndarray, problem: str) -> None:
    if not valid.all():
        raise EventsError(
            f"{where}: in {(~valid).sum():,} of {len(valid):,} rows {problem}; the first is at "
            f"position {int(np.argmin(valid))}",
            "fix or drop these rows",
        )
