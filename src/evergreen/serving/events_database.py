"""A database of some events, like that of `evergreen.store.raw_history.open_history`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from evergreen.core.events.ledger import create_ledger
from evergreen.core.events.transactions import invoice_id
from evergreen.store import tables

if TYPE_CHECKING:
    import pyarrow as pa


class Databases(threading.local):
    """One connection per thread, kept between calls: opening one takes longer than using it.

    Queries use one thread: for the few rows of a call, more would cost more than they gain.
    """

    def __init__(self) -> None:
        self._con = tables.connect(threads=1)
        # callers send no attributes: they are missing, as for clients without a row
        self._con.register("attributes", tables.attributes_schema((), ()).empty_table())

    @contextmanager
    def of(self, transactions: pa.Table, notes: pa.Table) -> Iterator[duckdb.DuckDBPyConnection]:
        """A database with ``transactions``, ``notes`` and ``ledger``; emptied afterwards."""
        con = self._con
        con.register("raw_transactions", transactions)
        con.register("notes", notes)
        try:
            con.execute(
                f"create or replace temp view transactions as "
                f"select * replace ({invoice_id()} as invoice_id) from raw_transactions"
            )
            create_ledger(con)
            yield con
        finally:
            for table in ("ledger", "text_ledger"):
                con.execute(f"drop table if exists {table}")
            for view in ("raw_transactions", "notes"):
                con.unregister(view)
