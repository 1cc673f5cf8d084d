"""The raw tables as they were known by a date, opened as a database."""

from __future__ import annotations

from datetime import date, timedelta

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
    parts = {"ledger": history_parts.ledger_parts(known_by, threads=threads)}
    if max_chars is not None:
        parts["text_ledger"] = history_parts.text_parts(
            known_by, threads=threads, max_chars=max_chars
        )
    con = tables.connect(threads)
    for name, paths_of_parts in parts.items():
        con.execute(
            f"create view {name} as select * from {sql.parquet(paths_of_parts)} "
            f"where known_on <= date '{known_by}'"
        )
    # their columns were compared with the canonical ones when the parts were made
    tables.view(con, "transactions", list(days.values()), transactions.SCHEMA, known_by=known_by)
    notes = [path for day, path in tables.partitions(paths.NOTES).items() if day < known_by]
    tables.view(con, "notes", notes, tables.NOTES, known_by=known_by)
    tables.view_attributes(con, known_by=known_by)
    return con, max(days) + timedelta(days=1)
