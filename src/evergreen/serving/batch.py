"""All clients at once, or those of a list: in parts, so that memory does not grow with them."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import pandas as pd
import pyarrow as pa

from evergreen.core.events.ledger import create_ledger
from evergreen.errors import DataError
from evergreen.serving.events import client_ids
from evergreen.serving.release import snapshots_on
from evergreen.serving.scores_file import read_client_ids, scores_file
from evergreen.settings import paths
from evergreen.store import predictions, sql, tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from evergreen.serving.release import ServedRelease
    from evergreen.serving.sql_table import SqlTable
    from evergreen.settings.pipeline import Settings

CLIENTS = 25_000
EVENTS = 1_000_000
MEMORY = "300MB"
TABLES = ("transactions", "notes")


class Scored(NamedTuple):
    """What a batch came to; `new` are clients of whom nothing was known."""

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
) -> Scored:
    """Score clients from ``data/raw`` as it was known on a day.

    Parameters
    ----------
    settings
        What the raw tables are like, and how many threads may be used.
    out
        The file to write, .parquet or .csv: the rows that `ServedRelease.predict` gives, in the
        order of the client ids, or in that of the list.
    clients
        A CSV or Parquet file with the column client_id: who is scored, each once. Without it all
        clients with a transaction before `as_of`.
    to_sql
        A table that gets the same rows.
    progress
        Called with the number of clients scored, and of all.

    Raises
    ------
    DataError
        As of `evergreen.store.tables.view_transactions`, or if the list or a place to write to is
        not as described. Nothing is written then.
    """
    listed = None
    if clients is not None:
        listed = client_ids(read_client_ids(clients).tolist(), str(clients))
    schema = predictions.schema(release.kinds)
    with ExitStack() as stack:
        out.parent.mkdir(parents=True, exist_ok=True)
        writers = [stack.enter_context(scores_file(out, schema))]
        if to_sql is not None:
            from evergreen.serving.sql_table import scores_table  # noqa: PLC0415 - an extra

            writers.append(stack.enter_context(scores_table(to_sql, schema)))
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=out.parent)))
        con = _connect(settings, as_of, scratch)
        plan = _divided(con, as_of, listed)
        done, total = 0, len(plan)
        for _, rows in plan.groupby("part", sort=True):
            scored = _score_part(release, con, as_of, rows)
            table = pa.Table.from_pandas(scored, preserve_index=False).cast(schema)
            for write in writers:
                write(table)
            done += len(rows)
            progress(done, total)
    return Scored(total, int((plan["events"] == 0).sum()))


def _score_part(
    release: ServedRelease, con: duckdb.DuckDBPyConnection, as_of: date, rows: pd.DataFrame
) -> pd.DataFrame:
    try:
        _open(con, rows)
        return release.score(con, snapshots_on(as_of, rows["client_id"].tolist()), as_of)
    except duckdb.Error as error:
        raise DataError(
            f"{paths.RAW} holds what can't be read, or is too much for {MEMORY} and the disk: "
            f"{error}",
            f"dvc checkout --force {paths.RAW}",
        ) from None


def _connect(settings: Settings, as_of: date, scratch: Path) -> duckdb.DuckDBPyConnection:
    """Open what was known on a day, with little memory and a place to put what exceeds it."""
    con = tables.connect(settings.compute.threads)
    con.execute(f"set memory_limit = '{MEMORY}'; set temp_directory = {sql.literal(scratch)}")
    con.execute("set enable_progress_bar = false")  # the caller has one of its own
    tables.view_transactions(con, known_by=as_of, max_lag_days=settings.data.max_lag_days)
    tables.view_notes(con, known_by=as_of)
    tables.view_attributes(con, known_by=as_of)
    for table in TABLES:
        con.execute(f"alter view {table} rename to all_{table}")
    return con


def _divided(con: duckdb.DuckDBPyConnection, as_of: date, listed: list[str] | None) -> pd.DataFrame:
    """Who is scored: client_id, events and part, in the order in which they are to be written."""
    known: pd.DataFrame = con.sql(
        f"select client_id, count(*) as events from all_transactions "
        f"where timestamp::date < date '{as_of}' group by client_id order by client_id"
    ).df()
    if listed is None:
        return known.assign(part=_parts(known["events"]))
    once = pd.DataFrame({"client_id": list(dict.fromkeys(listed))}, dtype="str")
    plan = once.merge(known, on="client_id", how="left").fillna({"events": 0})
    return plan.assign(part=_parts(plan["events"]))


def _open(con: duckdb.DuckDBPyConnection, rows: pd.DataFrame) -> None:
    """Make ``transactions``, ``notes`` and ``ledger`` those of some clients."""
    con.register("part", rows[["client_id"]])
    for table in TABLES:
        con.execute(
            f"create or replace temp table {table} as "
            f"select t.* from all_{table} t semi join part using (client_id)"
        )
    con.unregister("part")
    create_ledger(con)


def _parts(events: pd.Series) -> pd.Series:
    """Number the parts: neither too many clients in one, nor too many events."""
    by_events = events.cumsum() // EVENTS
    by_clients = pd.Series(range(len(events)), index=events.index) // CLIENTS
    return (by_events + by_clients).astype("int64")
