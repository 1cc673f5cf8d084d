"""Append rows of a source to the raw tables: checked, partitioned by day, nothing lost silently."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from evergreen.core.events import transactions
from evergreen.errors import DataError
from evergreen.ingestion.corrections import ACCEPTED, ALREADY_INGESTED
from evergreen.ingestion.day_files import write_days
from evergreen.ingestion.deduplication import AFTER_THROUGH
from evergreen.ingestion.ingestion_report import IngestionReport
from evergreen.settings import paths
from evergreen.store import tables

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb

STATUS = f"""
    case {" ".join(f"when {rule.fails} then '{rule.reason}'" for rule in transactions.RULES)}
         when ingested_on <= $after then '{ALREADY_INGESTED}'
         when ingested_on > $through then '{AFTER_THROUGH}'
         else '{ACCEPTED}'
    end
"""
"""The status of a row; any but the last three is the reason for its quarantine."""


def ingest_transactions(
    con: duckdb.DuckDBPyConnection,
    rows: duckdb.DuckDBPyRelation,
    *,
    through: date | None = None,
    reach: date | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> IngestionReport:
    """Append the rows that became known after those already there, up to a date.

    Each day of ingestion is one file under ``data/raw/transactions``, written whole, oldest first,
    an empty one for a day without rows (the shop was closed; the data is not late). So an
    interrupted call leaves whole days behind and the next one goes on after them.

    Parameters
    ----------
    con
        The connection that `rows` belongs to.
    rows
        The canonical columns, unchecked; a missing invoice is named after client and time.
    through
        The last day of ingestion to take; all days where it is None.
    reach
        How far the source has to reach at least; if it doesn't, nothing is written.
    progress
        Called with the number of days written so far, and of all days to write.

    Raises
    ------
    DataError
        If the source has no rows at all, or does not reach as far as it has to.
    """
    known = tables.partitions(paths.TRANSACTIONS)
    limits = {"after": max(known, default=date.min), "through": through or date.max}
    rows.create_view("source_rows")
    con.execute(
        f"create temp table incoming as select *, {STATUS} as status from source_rows", limits
    )
    counts = con.sql(
        "select status, count(*) from incoming group by status order by status"
    ).fetchall()
    if not counts:
        raise DataError("the source holds no rows", "check what it points at")
    _check_reach(con, reach)
    [(first, last)] = con.sql(
        f"select min(ingested_on), max(ingested_on) from incoming where status = '{ACCEPTED}'"
    ).fetchall()
    if first is not None:
        start = limits["after"] + timedelta(days=1) if known else first
        end = max(last, through) if through and dict(counts).get(AFTER_THROUGH) else last
        write_days(
            con,
            _accepted_sql(),
            schema=transactions.SCHEMA,
            folder=paths.TRANSACTIONS,
            days=list(tables.days(start, end)),
            progress=progress,
        )
    _write_quarantine(con, through)
    con.execute("drop table incoming; drop view source_rows")
    return IngestionReport(rows_by_status=dict(counts), first_day=first, last_day=last)


def _check_reach(con: duckdb.DuckDBPyConnection, reach: date | None) -> None:
    [(newest,)] = con.sql("select max(ingested_on) from incoming").fetchall()
    if reach is not None and (newest is None or newest < reach):
        con.execute("drop table incoming; drop view source_rows")
        raise DataError(
            f"the source ends on {newest}, and rows until {reach} are needed; nothing was changed",
            "an earlier date; or wait until the source has more",
        )


def _accepted_sql() -> str:
    columns = ", ".join(
        f"{transactions.invoice_id()} as invoice_id" if name == "invoice_id" else name
        for name in transactions.SCHEMA.names
    )
    return f"select {columns} from incoming where status = '{ACCEPTED}'"


def _write_quarantine(con: duckdb.DuckDBPyConnection, through: date | None) -> None:
    bad = con.sql(
        "select status as reason, * exclude (status) from incoming "
        f"where status not in ('{ACCEPTED}', '{ALREADY_INGESTED}', '{AFTER_THROUGH}') order by all"
    ).to_arrow_table()
    if bad.num_rows:
        name = f"transactions-{through or 'all'}.parquet"
        tables.write(bad, paths.QUARANTINE / name)
