"""The raw tables as they were known by a date, opened as a database."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import duckdb

from evergreen.core.events import transactions
from evergreen.settings import paths
from evergreen.store import history_parts, sql, tables


def open_history(
    *, known_by: date, max_lag_days: int, threads: int, max_chars: int | None = None
) -> tuple[duckdb.DuckDBPyConnection, date]:
    """Connect to a database with ``transactions``, ``notes``, ``attributes`` and ``ledger``.

    Parameters
    ----------
    max_chars
        The longest text, in characters. If given, ``text_ledger`` is there, too.

    Returns
    -------
    (connection, date)
        The date is the first day of which nothing is known yet, at most `known_by`.

    Raises
    ------
    DataError
        As `evergreen.store.tables.view_transactions`, or if a file is damaged.
    """
    days = tables.transactions_known_by(known_by, max_lag_days=max_lag_days)
    ledger = history_parts.ledger_parts(known_by, threads=threads)
    texts = None
    if max_chars is not None:
        texts = history_parts.text_parts(known_by, threads=threads, max_chars=max_chars)
    con = tables.connect(threads)
    _view_parts(con, "ledger", ledger, known_by)
    if texts is not None:
        _view_parts(con, "text_ledger", texts, known_by)
    # their columns were compared with the canonical ones when the parts were made
    tables.view(con, "transactions", list(days.values()), transactions.SCHEMA, known_by=known_by)
    notes = [path for day, path in tables.partitions(paths.NOTES).items() if day < known_by]
    tables.view(con, "notes", notes, tables.NOTES, known_by=known_by)
    tables.view_attributes(con, known_by=known_by)
    return con, max(days) + timedelta(days=1)


def view_texts(
    con: duckdb.DuckDBPyConnection, *, known_by: date, threads: int, max_chars: int
) -> None:
    """Give a database of `open_history` another ``text_ledger``, of texts of another length."""
    parts = history_parts.text_parts(known_by, threads=threads, max_chars=max_chars)
    _view_parts(con, "text_ledger", parts, known_by)


def _view_parts(
    con: duckdb.DuckDBPyConnection, name: str, parts: Iterable[Path], known_by: date
) -> None:
    con.execute(
        f"create or replace view {name} as select * exclude (bucket) from {sql.parquet(parts)} "
        f"where known_on <= date '{known_by}'"
    )
