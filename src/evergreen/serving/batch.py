"""Score all clients, or those of a list, in chunks, so that memory use stays bounded."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from evergreen.core.features.chunks import in_chunks
from evergreen.serving.events import client_ids
from evergreen.serving.release import ServedRelease, snapshots_on
from evergreen.serving.scores_file import read_client_ids, scores_file
from evergreen.settings.pipeline import Settings
from evergreen.store import predictions
from evergreen.store.files import remove_left
from evergreen.store.raw_history import open_history, view_texts

if TYPE_CHECKING:
    import duckdb

    from evergreen.serving.extractor_group import CreateTexts
    from evergreen.serving.sql_table import SqlTable


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
        threads = settings.compute.threads
        con, _ = open_history(
            known_by=as_of, max_lag_days=settings.data.max_lag_days, threads=threads
        )
        ids, new = _clients(con, as_of, listed)
        texts, done = _texts_of(as_of, threads), 0
        for rows in in_chunks(snapshots_on(as_of, ids)):
            scores = release.score(con, rows, as_of, texts=texts)
            table = pa.Table.from_pandas(scores, preserve_index=False).cast(schema)
            for write in writers:
                write(table)
            done += len(rows)
            progress(done, len(ids))
    return BatchResult(len(ids), new)


def _texts_of(as_of: date, threads: int) -> CreateTexts:
    """A function that creates ``text_ledger`` if it is not there in that length."""
    lengths: list[int] = []

    def create(con: duckdb.DuckDBPyConnection, *, max_chars: int) -> None:
        if lengths[-1:] != [max_chars]:
            view_texts(con, known_by=as_of, threads=threads, max_chars=max_chars)
            lengths.append(max_chars)

    return create


def _clients(
    con: duckdb.DuckDBPyConnection, as_of: date, listed: list[str] | None
) -> tuple[list[str], int]:
    """The clients to score, in the order of the output, and how many of them have no events."""
    rows = con.sql(
        f"select distinct client_id from ledger where day < date '{as_of}' order by client_id"
    ).fetchall()
    known = [client for (client,) in rows]
    if listed is None:
        return known, 0
    wanted = list(dict.fromkeys(listed))
    return wanted, len(set(wanted).difference(known))
