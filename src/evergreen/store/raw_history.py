"""The raw tables as they were known by a date, opened as a database."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Protocol

import duckdb

from evergreen.core.events.ledger import create_ledger, create_texts
from evergreen.errors import DataError, shortage
from evergreen.settings import paths
from evergreen.store import sql, tables


class OpenHistory(Protocol):
    """A function with the interface of `open_history`."""

    def __call__(
        self, *, known_by: date, max_lag_days: int, threads: int, max_chars: int | None = None
    ) -> tuple[duckdb.DuckDBPyConnection, date]:
        """Connect to the history as it was known by a date."""


def open_history(
    *, known_by: date, max_lag_days: int, threads: int, max_chars: int | None = None
) -> tuple[duckdb.DuckDBPyConnection, date]:
    """Connect to a database with ``transactions``, ``notes``, ``attributes`` and ``ledger``.

    Parameters
    ----------
    max_chars
        The longest text, in characters. If given, the tables of `create_texts` are created, too.

    Returns
    -------
    (connection, date)
        The date is the first day of which nothing is known yet, at most `known_by`.

    Raises
    ------
    DataError
        As `evergreen.store.tables.view_transactions`, or if a file is damaged.
    """
    con, complete_until = _open_raw(known_by, max_lag_days, threads)
    try:
        create_ledger(con)
    except duckdb.Error as error:
        raise shortage(error) or DataError(
            f"{paths.TRANSACTIONS} can't be read or added up: {str(error).splitlines()[0]}",
            f"dvc checkout --force {paths.RAW}",
        ) from None
    if max_chars is not None:
        create_texts(con, max_chars=max_chars)
    return con, complete_until


def _open_raw(
    known_by: date, max_lag_days: int, threads: int
) -> tuple[duckdb.DuckDBPyConnection, date]:
    con = tables.connect(threads)
    complete_until = tables.view_transactions(con, known_by=known_by, max_lag_days=max_lag_days)
    tables.view_notes(con, known_by=known_by)
    tables.view_attributes(con, known_by=known_by)
    return con, complete_until


class KeptHistory:
    """Opens an aggregated history on many dates.

    The history is aggregated once, as known at its end. What was known by a date are the rows with
    an earlier ``known_on``.

    Parameters
    ----------
    file, max_chars
        The arguments of `keep_history`.
    """

    def __init__(self, file: Path, max_chars: int) -> None:
        self._file, self._max_chars = file, max_chars

    def __call__(
        self, *, known_by: date, max_lag_days: int, threads: int, max_chars: int | None = None
    ) -> tuple[duckdb.DuckDBPyConnection, date]:
        """Connect as `open_history` does; ``texts`` may contain later ones.

        Raises
        ------
        ValueError
            If texts were kept with another length.
        """
        if max_chars not in (None, self._max_chars):
            raise ValueError(f"texts of {self._max_chars} characters were kept, not {max_chars}")
        con, complete_until = _open_raw(known_by, max_lag_days, threads)
        con.execute(f"attach {sql.literal(self._file)} as kept (read_only)")
        for table in ("ledger", "text_ledger"):
            con.execute(
                f"create view {table} as select * from kept.{table} "
                f"where known_on <= date '{known_by}'"
            )
        con.execute("create view texts as select * from kept.texts")
        return con, complete_until


def keep_history(
    file: Path, *, known_by: date, max_lag_days: int, threads: int, max_chars: int
) -> None:
    """Aggregate what is known by a date, for `KeptHistory`; parameters as for `open_history`."""
    con, _ = open_history(
        known_by=known_by, max_lag_days=max_lag_days, threads=threads, max_chars=max_chars
    )
    con.execute(f"attach {sql.literal(file)} as kept")
    for table, order in (
        ("ledger", "client_id, day, known_on"),
        ("text_ledger", "client_id, day, known_on, text_id"),
        ("texts", "text_id"),
    ):
        con.execute(f"create table kept.{table} as select * from {table} order by {order}")
    con.execute("detach kept")
