"""Append days to a raw table: one file each, oldest first, so a killed run leaves whole days."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pyarrow as pa

from evergreen.store import files, sql, tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date
    from pathlib import Path

    import duckdb

BATCH_ROWS = 1 << 17
WRITERS = 2


def write_days(
    con: duckdb.DuckDBPyConnection,
    rows: str,
    order: list[str],
    *,
    schema: pa.Schema,
    folder: Path,
    days: list[date],
    progress: Callable[[int, int], None],
) -> None:
    """Write the rows of each day in order; an empty file for a day without rows.

    Parameters
    ----------
    rows
        SQL of rows in the columns of `schema`, of which ``ingested_on`` is one of `days`.
    order
        The columns to sort the rows of a day by: rows that are equal in them are equal in all.
    progress
        Called with the number of days written so far, and of all days to write.
    """
    counts = dict(con.sql(f"select ingested_on, count(*) from ({rows}) group by all").fetchall())
    keys = sql.names(["ingested_on", *order])
    reader = con.sql(
        f"select {sql.names(schema.names)} from ({rows}) order by {keys}"
    ).to_arrow_reader(BATCH_ROWS)
    batches = (batch.cast(schema) for batch in reader)
    day_tables = zip(
        days, _slices(batches, [counts.get(day, 0) for day in days], schema), strict=True
    )
    for done, (day, path) in enumerate(_written(day_tables, folder), start=1):
        os.replace(path, tables.partition_path(folder, day))  # noqa: PTH105 - swaps a file in place
        progress(done, len(days))


def _written(
    day_tables: Iterator[tuple[date, pa.Table]], folder: Path
) -> Iterator[tuple[date, Path]]:
    """Write files ahead, several at once; yield them in the order of the days."""
    with ThreadPoolExecutor(WRITERS) as pool:
        waiting: deque[tuple[date, Path, Future[None]]] = deque()
        for day, table in day_tables:
            path = folder / f".{day}.unfinished"
            waiting.append((day, path, pool.submit(_write, table, path)))
            if len(waiting) > WRITERS:
                yield _finished(*waiting.popleft())
        for file in waiting:
            yield _finished(*file)


def _write(table: pa.Table, path: Path) -> None:
    tables.write_unfinished(table, path)
    files.write_through(path)


def _finished(day: date, path: Path, written: Future[None]) -> tuple[date, Path]:
    written.result()
    return day, path


def _slices(
    batches: Iterator[pa.RecordBatch], counts: list[int], schema: pa.Schema
) -> Iterator[pa.Table]:
    """Cut a stream of rows into tables with these numbers of rows."""
    waiting: list[pa.RecordBatch] = []
    for count in counts:
        while (held := sum(batch.num_rows for batch in waiting)) < count:
            waiting.append(next(batches))
        whole = pa.Table.from_batches(waiting, schema=schema)
        yield whole.slice(0, count)
        waiting = whole.slice(count).to_batches() if held > count else []
