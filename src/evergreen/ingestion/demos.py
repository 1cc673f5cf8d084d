"""The data sets that come with Evergreen, by the name that ``source.demo`` gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evergreen.ingestion import cdnow, complete_journey, simulated
from evergreen.ingestion.transactions import ingest_transactions

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    import duckdb

    from evergreen.ingestion.ingestion_report import IngestionReport
    from evergreen.settings.sources import Source

PACKAGED_DEMOS: dict[str, Callable[[duckdb.DuckDBPyConnection], duckdb.DuckDBPyRelation]] = {
    "complete-journey": complete_journey.rows,
    "cdnow": cdnow.rows,
}
"""The demos that an installed package brings; the other one is simulated."""


def ingest_demo(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    *,
    through: date | None = None,
    reach: date | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> IngestionReport:
    """Append what a demo has and ``data/raw`` has not; see `ingest_transactions`."""
    if source.demo not in PACKAGED_DEMOS:
        return simulated.ingest_simulated(
            con, source.simulation, through=through, reach=reach, progress=progress
        )
    rows = PACKAGED_DEMOS[source.demo](con)
    return ingest_transactions(con, rows, through=through, reach=reach, progress=progress)
