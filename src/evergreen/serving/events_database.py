"""Some events as a database, such as `evergreen.store.raw_history.open_history` makes of all."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from evergreen.core.events.ledger import create_ledger
from evergreen.core.events.transactions import invoice_id
from evergreen.store import tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    import pyarrow as pa


class Databases(threading.local):
    """One connection for each thread, kept between calls: to open one takes longer than to use it.

    A thread of its own for each query would cost more than it gains for the few rows of a call.
    """

    def __init__(self) -> None:
        self._con = tables.connect(threads=1)
        # what the caller does not tell of a client is missing, as it is of clients without a row
        self._con.register("attributes", tables.attributes_schema((), ()).empty_table())

    @contextmanager
    def of(self, transactions: pa.Table, notes: pa.Table) -> Iterator[duckdb.DuckDBPyConnection]:
        """A database with ``transactions``, ``notes`` and ``ledger``; emptied afterwards."""
        con = self._con
        con.register("given_transactions", transactions)
        con.register("notes", notes)
        try:
            con.execute(
                f"create or replace temp view transactions as "
                f"select * replace ({invoice_id()} as invoice_id) from given_transactions"
            )
            create_ledger(con)
            yield con
        finally:
            for table in ("ledger", "texts", "text_ledger"):
                con.execute(f"drop table if exists {table}")
            for view in ("given_transactions", "notes"):
                con.unregister(view)
