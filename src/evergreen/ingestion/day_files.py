"""Append days to a raw table: one file each, oldest first, so a killed run leaves whole days."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pyarrow as pa

from evergreen.store import files, sql, tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date
    from pathlib import Path

    import duckdb

BATCH_ROWS = 1 << 17
CHUNK_ROWS, CHUNK_DAYS = 1 << 20, 64
"""What is sorted at a time, and on the disk before it gets its names."""
WRITERS = 2


def write_days(
    con: duckdb.DuckDBPyConnection,
    rows: Callable[[date, date], str],
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
        Gives the SQL of the rows in the columns of `schema` whose ``ingested_on`` is between two
        days, both included.
    order
        The columns to sort the rows of a day by: rows that are equal in them are equal in all.
    days
        All days from the first to the last.
    progress
        Called with the number of days written so far, and of all days to write.
    """
    grouped = f"select ingested_on, count(*) from ({rows(days[0], days[-1])}) group by all"
    counts = dict(con.sql(grouped).fetchall())
    keys = sql.names(["ingested_on", *order])
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for chunk in _chunks(days, counts):
        of_chunk = rows(chunk[0], chunk[-1])
        sorted_rows = f"select {sql.names(schema.names)} from ({of_chunk}) order by {keys}"
        unfinished = {day: folder / f".{day}.unfinished" for day in chunk}
        try:
            lengths = [counts.get(day, 0) for day in chunk]
            _write_all(_slices(con, sorted_rows, lengths, schema), unfinished.values())
            files.sync_file_systems(folder)
            for day, path in unfinished.items():
                os.replace(path, tables.partition_path(folder, day))  # noqa: PTH105 - swaps a file
                written += 1
                progress(written, len(days))
        finally:
            for path in unfinished.values():
                files.remove(path)


def _chunks(days: list[date], counts: dict[date, int]) -> Iterator[list[date]]:
    """Groups of days that together have few rows, and of single days with many."""
    chunk: list[date] = []
    rows = 0
    for day in days:
        rows += counts.get(day, 0)
        if chunk and (rows > CHUNK_ROWS or len(chunk) == CHUNK_DAYS):
            yield chunk
            chunk, rows = [], counts.get(day, 0)
        chunk.append(day)
    yield chunk


def _write_all(day_tables: Iterator[pa.Table], places: Iterable[Path]) -> None:
    """Write files, several at once, of which few are kept in memory."""
    with ThreadPoolExecutor(WRITERS) as pool:
        waiting: deque[Future[None]] = deque()
        for table, path in zip(day_tables, places, strict=True):
            waiting.append(pool.submit(tables.write_unfinished, table, path))
            if len(waiting) > WRITERS:
                waiting.popleft().result()
        for written in waiting:
            written.result()


def _slices(
    con: duckdb.DuckDBPyConnection, rows: str, lengths: list[int], schema: pa.Schema
) -> Iterator[pa.Table]:
    """Cut the result of a query into tables with these numbers of rows."""
    batches = con.sql(rows).to_arrow_reader(BATCH_ROWS)
    waiting: list[pa.RecordBatch] = []
    for length in lengths:
        while (held := sum(batch.num_rows for batch in waiting)) < length:
            waiting.append(next(batches).cast(schema))
        whole = pa.Table.from_batches(waiting, schema=schema)
        yield whole.slice(0, length)
        waiting = whole.slice(length).to_batches() if held > length else []
    deque(batches, maxlen=0)  # DuckDB answers nothing else before it has told the end
