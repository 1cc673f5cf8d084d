"""A small retailer for tests, and the ways into it that several test files need."""

from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from evergreen.core.ledger import create_ledger
from evergreen.core.text import create_texts
from evergreen.store import tables

WORDS = {True: ("silk scarf", "leather bag", "gift wrap"), False: ("belt", "key ring")}


def transactions_table(rows):
    """A canonical table from (client_id, day, amount_minor) and optional further columns.

    A row is a tuple (client, day) or (client, day, amount) or a dict with any of the columns.
    """
    names = ("client_id", "timestamp", "amount_minor")
    made = [row if isinstance(row, dict) else dict(zip(names, row, strict=False)) for row in rows]
    for number, row in enumerate(made):
        if not isinstance(row["timestamp"], datetime):
            row["timestamp"] = datetime.combine(row["timestamp"], datetime.min.time())
        row.setdefault("amount_minor", 1000)
        row.setdefault("quantity", 1.0)
        row.setdefault("text", None)
        row.setdefault("invoice_id", f"i{number}")
        row.setdefault("ingested_on", row["timestamp"].date())
    return pa.Table.from_pylist(made, schema=tables.TRANSACTIONS)


@pytest.fixture
def database():
    """Open a database of some rows (see `transactions_table`), as `open_history` does of files."""

    def opened(rows, notes=()):
        con = tables.connect(threads=2)
        con.register("transactions", transactions_table(rows))
        con.register("notes", pa.Table.from_pylist(list(notes), schema=tables.NOTES))
        create_ledger(con)
        create_texts(con, max_chars=5000)
        return con

    return opened


def simulate(*, clients, first, days, seed):
    """Clients with gamma-distributed purchase rates; some leave; the frequent use other words."""
    random = np.random.default_rng(seed)
    rate = random.gamma(1.0, 0.12, clients)
    life = random.exponential(days * 1.5, clients)
    rows = []
    for client in range(clients):
        frequent = bool(rate[client] > 0.12)
        for offset in np.flatnonzero(random.random(days) < rate[client]):
            if offset > life[client]:
                break
            rows.append(
                {
                    "client_id": f"c{client:04d}",
                    "timestamp": datetime.combine(first, datetime.min.time())
                    + timedelta(days=int(offset), hours=int(random.integers(9, 18))),
                    "amount_minor": int(random.lognormal(8.0, 0.6)),
                    "text": str(random.choice(WORDS[frequent])),
                }
            )
    return transactions_table(rows)


@pytest.fixture(scope="session")
def retailer():
    """800 clients over 120 days from 2024-01-01."""
    return simulate(clients=800, first=date(2024, 1, 1), days=120, seed=7)


@pytest.fixture
def snapshots():
    """A frame of snapshots from (client_id, observed_on) pairs."""

    def frame(*pairs):
        return pd.DataFrame(
            {"client_id": [c for c, _ in pairs], "observed_on": [pd.Timestamp(d) for _, d in pairs]}
        )

    return frame
