"""Open what was known by a date as a database: the way into the raw tables for every stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from evergreen import paths
from evergreen.core.ledger import create_ledger
from evergreen.errors import DataError
from evergreen.store import tables

if TYPE_CHECKING:
    from datetime import date


def open_history(
    *, known_by: date, max_lag_days: int, threads: int
) -> tuple[duckdb.DuckDBPyConnection, date]:
    """Connect to a database with ``transactions``, ``notes``, ``attributes`` and ``ledger``.

    Returns
    -------
    (connection, date)
        The date is the first day on which nothing is known yet, at most `known_by`.

    Raises
    ------
    DataError
        As `evergreen.store.tables.view_transactions`; or if a file is damaged inside.
    """
    con = tables.connect(threads)
    complete_until = tables.view_transactions(con, known_by=known_by, max_lag_days=max_lag_days)
    tables.view_notes(con, known_by=known_by)
    tables.view_attributes(con, known_by=known_by)
    try:
        create_ledger(con)
    except duckdb.Error as error:
        raise DataError(
            f"{paths.TRANSACTIONS} holds what can't be read or added up: "
            f"{str(error).splitlines()[0]}",
            f"dvc checkout --force {paths.RAW}",
        ) from None
    return con, complete_until
