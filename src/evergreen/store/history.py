"""Open what was known by a date as a database: the way into the raw tables for every stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evergreen.core.ledger import create_ledger
from evergreen.store import tables

if TYPE_CHECKING:
    from datetime import date

    import duckdb


def open_history(
    *, known_by: date, max_lag_days: int, threads: int
) -> tuple[duckdb.DuckDBPyConnection, date]:
    """Connect to a database with ``transactions``, ``notes`` and ``ledger``.

    Returns
    -------
    (connection, date)
        The date is the first day on which nothing is known yet, at most `known_by`.

    Raises
    ------
    DataError
        As `evergreen.store.tables.view_transactions`.
    """
    con = tables.connect(threads)
    complete_until = tables.view_transactions(con, known_by=known_by, max_lag_days=max_lag_days)
    tables.view_notes(con, known_by=known_by)
    create_ledger(con)
    return con, complete_until
