"""The simulated retailer as a source: its transactions, and its notes beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.compute as pc

from evergreen.ingestion.transactions import ingest_transactions
from evergreen.settings import paths
from evergreen.simulation.retailer import simulate
from evergreen.store import tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    import duckdb
    import pyarrow as pa

    from evergreen.ingestion.ingestion_report import IngestionReport
    from evergreen.settings.simulation import Simulation


def ingest_simulated(
    con: duckdb.DuckDBPyConnection,
    settings: Simulation,
    *,
    through: date | None,
    reach: date | None,
    progress: Callable[[int, int], None],
) -> IngestionReport:
    """Append the simulated rows that became known after those already there, up to a date.

    See `ingest_transactions`. The notes of a day follow its transactions: where that was
    interrupted, the next call makes up for it.
    """
    retailer = simulate(settings)
    con.register("simulated", retailer.transactions)
    rows = con.sql("select * from simulated")
    done = ingest_transactions(con, rows, through=through, reach=reach, progress=progress)
    con.unregister("simulated")
    _append_notes(retailer.notes.cast(tables.NOTES))
    return done


def _append_notes(notes: pa.Table) -> None:
    """Write the notes of each day whose transactions are there and whose notes are not."""
    known = tables.partitions(paths.NOTES)
    for day in tables.partitions(paths.TRANSACTIONS):
        if day not in known:
            of_day = notes.filter(pc.equal(notes["ingested_on"], day))
            tables.write(of_day, tables.partition_path(paths.NOTES, day))
