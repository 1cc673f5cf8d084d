"""Events as a user has them, brought to the columns of the raw tables, or refused in words."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from evergreen.core.events import transactions
from evergreen.core.events.transactions import CLIENT_ID
from evergreen.errors import DataError
from evergreen.store import tables

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence
    from datetime import date

AMOUNTS = ("amount_minor", "amount")
TRANSACTION = ("client_id", "timestamp")
OPTIONAL = ("quantity", "text", "invoice_id", "ingested_on")
NOTE = ("client_id", "timestamp", "text")
NOTE_OPTIONAL = ("language", "ingested_on")


class EventsIgnoredWarning(UserWarning):
    """Some events were not known on the day from which clients are looked at."""


def are_events(frame: pd.DataFrame) -> bool:
    """Whether a table is meant to hold transactions: it tells of a time or of an amount."""
    return bool({"timestamp", *AMOUNTS} & set(frame.columns))


def read_transactions(frame: pd.DataFrame, *, minor_units: int) -> pa.Table:
    """Check transactions and bring them to the canonical columns.

    Parameters
    ----------
    frame
        client_id (string or integer), timestamp, and either amount_minor (a whole number of minor
        units) or amount (major units); optionally quantity, text, invoice_id and ingested_on, for
        which the day of the timestamp stands in.
    minor_units
        How many minor units make a major one.

    Returns
    -------
    pyarrow.Table
        With the columns of `evergreen.core.events.transactions.SCHEMA`; invoice_id may be null.

    Raises
    ------
    DataError
        If a column is missing, unknown or of another type, or a row can't be used.
    """
    given = [name for name in AMOUNTS if name in frame]
    if len(given) > 1:
        raise DataError("the events have both amount_minor and amount, expected one of them")
    amount = given[0] if given else "amount"
    _check_columns("the events", frame.columns, (*TRANSACTION, amount), OPTIONAL)
    read = _common("the events", frame)
    numbers = pd.to_numeric(frame[amount], errors="coerce").to_numpy(np.float64, na_value=np.nan)
    with np.errstate(over="ignore"):  # what is too large is refused below
        minor = np.round(numbers * (minor_units if amount == "amount" else 1))
    usable = transactions.valid_amounts(minor)
    number = "number"
    if amount == "amount_minor":  # 12.50 here is the amount in major units
        usable, number = usable & (minor == numbers), "whole number"
    _check_rows(
        "the events", usable, f"{amount} is missing, no {number}, or beyond 10^14 minor units"
    )
    made = read | {
        "amount_minor": pa.array(minor.astype(np.int64)),
        "quantity": pa.nulls(len(frame), pa.float64()),  # no feature is made of it
        "text": _text("the events", frame, "text"),
        "invoice_id": _text("the events", frame, "invoice_id"),
    }
    names = transactions.SCHEMA.names
    return pa.table([made[name] for name in names], names=names)


def read_notes(frame: pd.DataFrame | None) -> pa.Table:
    """Check notes and bring them to the schema `evergreen.store.tables.NOTES`.

    Takes client_id, timestamp and text, optionally language and ingested_on; see
    `read_transactions`. None stands for no notes.
    """
    if frame is None:
        return tables.NOTES.empty_table()
    _check_columns("the notes", frame.columns, NOTE, NOTE_OPTIONAL)
    made = _common("the notes", frame) | {
        "text": _text("the notes", frame, "text"),
        "language": pa.nulls(len(frame), pa.string()),  # likewise
    }
    written = pa.table([made[name] for name in tables.NOTES.names], names=tables.NOTES.names)
    return written.filter(written["text"].is_valid()).cast(tables.NOTES)


def unknown(read: pa.Table, as_of: date) -> np.ndarray:
    """Which rows of `read_transactions` or `read_notes` were not known before a day: bool (n,).

    No prediction of that day counts them: they happened on it or later, or became known later.
    """
    day = pa.scalar(as_of, pa.date32())
    happened = pc.greater_equal(read["timestamp"].cast(pa.date32()), day)
    became_known = pc.greater(read["ingested_on"], day)
    return np.asarray(pc.or_(happened, became_known), dtype=bool)


def told(where: str, unknown_rows: np.ndarray, as_of: date) -> list[str]:
    """A sentence about rows that do not count, if there are any; see `unknown`."""
    found, every = int(unknown_rows.sum()), len(unknown_rows)
    counted = f"{where}: {found:,} of {every:,} were not known before {as_of} and are ignored"
    return [counted] if found else []


def client_ids(values: Iterable[object], where: str) -> list[str]:
    """Ids of clients as strings.

    Raises
    ------
    DataError
        If one is missing, or neither a string nor a whole number: 1.0 is another id than 1.
    """
    ids = list(values)
    for place, one in enumerate(ids):
        if one is None or one is pd.NA or one != one or not CLIENT_ID.search(str(one)):  # noqa: PLR0124
            raise DataError(
                f"{where}: client_id is missing; the first is at position {place}",
                "mend or drop these rows",
            )
        if not isinstance(one, str | int):
            raise DataError(
                f"{where}: client_id is expected to hold strings or whole numbers, found {one!r}",
                "turn them into the strings that data/raw has",
            )
    return [str(one) for one in ids]


def _common(where: str, frame: pd.DataFrame) -> dict[str, pa.Array]:
    """client_id, timestamp and ingested_on of transactions and of notes."""
    ids = client_ids(frame["client_id"].tolist(), where)
    times = _times(where, frame, "timestamp")
    _check_rows(where, times.notna().to_numpy(), "timestamp is missing or no time")
    days = times.dt.normalize()
    known = days
    if "ingested_on" in frame:
        known = _times(where, frame, "ingested_on").dt.normalize().fillna(days)
        on_time = transactions.valid_times(days.to_numpy(), known.to_numpy())
        _check_rows(where, on_time, transactions.TOO_EARLY.reason)
    return {
        "client_id": pa.array(ids, pa.string()),
        "timestamp": pa.array(times.to_numpy("datetime64[us]")),
        "ingested_on": pa.array(known.to_numpy("datetime64[D]")),
    }


def _times(where: str, frame: pd.DataFrame, name: str) -> pd.Series:
    times = pd.to_datetime(frame[name].reset_index(drop=True), errors="coerce", format="mixed")
    if times.dt.tz is not None:
        raise DataError(
            f"{where}: {name} is expected in the retailer's local time, found the zone "
            f"{times.dt.tz}",
            f"frame['{name}'].dt.tz_convert(ZONE).dt.tz_localize(None)",
        )
    return times


def _text(where: str, frame: pd.DataFrame, name: str) -> pa.Array:
    if name not in frame:
        return pa.nulls(len(frame), pa.string())
    try:
        return pa.array(frame[name], pa.string(), from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(f"{where}: {name} is expected to hold strings: {error}") from None


def _check_columns(
    where: str,
    found: Sequence[Hashable] | pd.Index,
    required: Sequence[str],
    optional: Sequence[str],
) -> None:
    names = [str(name) for name in found]
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
    lines += [f"+ {name} (there twice)" for name in sorted(set(names)) if names.count(name) > 1]
    if lines:
        raise DataError(
            f"{where} do not have the columns {', '.join(required)} and optionally "
            f"{', '.join(optional)}:\n" + "\n".join(lines),
            "rename or drop columns",
        )


def _nearest(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _check_rows(where: str, usable: np.ndarray, what: str) -> None:
    if not usable.all():
        raise DataError(
            f"{where}: in {(~usable).sum():,} of {len(usable):,} rows {what}; the first is at "
            f"position {int(np.argmin(usable))}",
            "mend or drop these rows",
        )
