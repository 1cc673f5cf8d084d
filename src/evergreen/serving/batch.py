"""Score all clients, or those of a list, in chunks, so that memory use stays bounded."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import pandas as pd
import pyarrow as pa

from evergreen.core.events.ledger import create_ledger
from evergreen.errors import DataError, shortage
from evergreen.serving.events import client_ids
from evergreen.serving.release import ServedRelease, snapshots_on
from evergreen.serving.scores_file import read_client_ids, scores_file
from evergreen.settings import paths
from evergreen.settings.pipeline import Settings
from evergreen.store import predictions, tables
from evergreen.store.files import remove_left

if TYPE_CHECKING:
    from evergreen.serving.sql_table import SqlTable

CLIENTS = 25_000
EVENTS = 1_000_000
TABLES = ("transactions", "notes")


class BatchResult(NamedTuple):
    """The number of scored clients, and how many of them have no events."""

    clients: int
    new: int


def score(
    release: ServedRelease,
    settings: Settings,
    as_of: date,
    out: Path,
    *,
    clients: Path | None = None,
    to_sql: SqlTable | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> BatchResult:
    """Score clients with what ``data/raw`` held before a date.

    Parameters
    ----------
    settings
        For the form of the raw tables and the number of threads.
    out
        The file to write, .parquet or .csv: the rows of `ServedRelease.predict`, in the order of
        the client ids, or of the list.
    clients
        A CSV or Parquet file with the column client_id; each client is scored once. Without it,
        all clients with a transaction before `as_of` are scored.
    to_sql
        A database table that gets the same rows.
    progress
        Called with the number of scored clients and their total.

    Raises
    ------
    DataError
        As `evergreen.store.tables.view_transactions`, or if the list or an output is not as
        described. Then nothing is written.
    """
    listed = None
    if clients is not None:
        listed = client_ids(read_client_ids(clients).tolist(), str(clients), release.rules)
    schema = predictions.schema(release.kinds)
    with ExitStack() as stack:
        out.parent.mkdir(parents=True, exist_ok=True)
        remove_left(out)
        writers = [stack.enter_context(scores_file(out, schema))]
        if to_sql is not None:
            from evergreen.serving.sql_table import scores_table  # noqa: PLC0415 - an extra

            writers.append(stack.enter_context(scores_table(to_sql, schema)))
        con = _connect(settings, as_of)
        plan = _plan(con, as_of, listed)
        done, total = 0, len(plan)
        for _, rows in plan.groupby("chunk", sort=True):
            scores = _score_chunk(release, con, as_of, rows)
            table = pa.Table.from_pandas(scores, preserve_index=False).cast(schema)
            for write in writers:
                write(table)
            done += len(rows)
            progress(done, total)
    return BatchResult(total, int((plan["events"] == 0).sum()))


def _score_chunk(
    release: ServedRelease, con: duckdb.DuckDBPyConnection, as_of: date, rows: pd.DataFrame
) -> pd.DataFrame:
    try:
        _load_chunk(con, rows)
        return release.score(con, snapshots_on(as_of, rows["client_id"].tolist()), as_of)
    except duckdb.Error as error:
        raise shortage(error) or DataError(
            f"{paths.RAW} can't be read: {str(error).splitlines()[0]}",
            f"dvc checkout --force {paths.RAW}",
        ) from None


def _connect(settings: Settings, as_of: date) -> duckdb.DuckDBPyConnection:
    """Open what was known before a date."""
    con = tables.connect(settings.compute.threads)
    tables.view_transactions(con, known_by=as_of, max_lag_days=settings.data.max_lag_days)
    tables.view_notes(con, known_by=as_of)
    tables.view_attributes(con, known_by=as_of)
    for table in TABLES:
        con.execute(f"alter view {table} rename to all_{table}")
    return con


def _plan(con: duckdb.DuckDBPyConnection, as_of: date, listed: list[str] | None) -> pd.DataFrame:
    """The clients to score: client_id, events and chunk, in the order of the output."""
    clients: pd.DataFrame = con.sql(
        f"select client_id, count(*) as events from all_transactions "
        f"where timestamp::date < date '{as_of}' group by client_id order by client_id"
    ).df()
    if listed is None:
        return clients.assign(chunk=_chunks(clients["events"]))
    unique = pd.DataFrame({"client_id": list(dict.fromkeys(listed))}, dtype="str")
    plan = unique.merge(clients, on="client_id", how="left").fillna({"events": 0})
    return plan.assign(chunk=_chunks(plan["events"]))


def _load_chunk(con: duckdb.DuckDBPyConnection, rows: pd.DataFrame) -> None:
    """Make ``transactions``, ``notes`` and ``ledger`` those of a chunk's clients."""
    con.register("chunk", rows[["client_id"]])
    for table in TABLES:
        con.execute(
            f"create or replace temp table {table} as "
            f"select t.* from all_{table} t semi join chunk using (client_id)"
        )
    con.unregister("chunk")
    create_ledger(con)


def _chunks(events: pd.Series) -> pd.Series:
    """Number the chunks so that each has a bounded number of clients and of events."""
    by_events = events.cumsum() // EVENTS
    by_clients = pd.Series(range(len(events)), index=events.index) // CLIENTS
    return (by_events + by_clients).astype("int64")
