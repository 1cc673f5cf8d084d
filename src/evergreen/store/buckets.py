"""Features by buckets of clients, for workers in other processes and on other machines.

A worker reads the rows of its clients from the parts of the history (see `history_parts`), which it
finds in the repository or, for machines that don't share it, as copies at ``compute.storage``. The
name of a part contains the digest of its content, so a copy is made once and never changes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from evergreen.core.events.buckets import BUCKETS, buckets_of
from evergreen.core.features.extractor import ClientHistories, Extractor
from evergreen.errors import DataError
from evergreen.settings.paths import PARAMS
from evergreen.store import history_parts, tables
from evergreen.store.backends import is_this_process, open_backend

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

    from evergreen.settings.names import TextForm
    from evergreen.settings.pipeline import Settings
    from evergreen.store.backends import Run

    Workers = Callable[..., pd.DataFrame]
    """`features`, without its first two parameters."""

TASKS = 16
"""Tasks of a feature set, each of as many buckets. A constant, like the number of buckets."""
LEDGER, TEXTS = "ledger", "text_ledger"
ROWS_OF_GROUP = 1 << 17
"""Rows of a copy that are read at once: a group without clients of a worker is left out."""


@dataclass(frozen=True)
class History:
    """Where a worker finds what was known by a date.

    Attributes
    ----------
    parts
        The files of ``ledger`` and ``text_ledger``.
    storage
        A folder or an address of fsspec that has them; None for the files as they are.
    """

    known_by: date
    parts: dict[str, list[Path]]
    storage: str | None
    threads: int

    def open(self, first: int, end: int, attributes: pa.Table) -> duckdb.DuckDBPyConnection:
        """A database of the clients in the buckets from `first` on, before `end`."""
        con = tables.connect(self.threads)
        for name, paths in self.parts.items():
            rows = _read(paths, self.storage, first, end)
            con.register(f"{name}_of_buckets", rows)
            con.execute(
                f"create view {name} as select * exclude (bucket) from {name}_of_buckets "
                f"where known_on <= date '{self.known_by}'"
            )
        con.register("attributes", attributes)
        return con


@dataclass(frozen=True)
class Task:
    """The snapshots of some buckets, and what to compute for them.

    Attributes
    ----------
    rows
        client_id and observed_on.
    attributes
        The attributes of these clients, in all versions.
    """

    first: int
    end: int
    rows: pd.DataFrame
    attributes: pa.Table
    extractor: Extractor
    forms: Collection[TextForm]
    history: History


@contextmanager
def open_workers(settings: Settings) -> Iterator[Workers | None]:
    """Connect to the workers of the settings; yields None where there is only this process.

    Raises
    ------
    BackendError, DataError
        As `evergreen.store.backends.open_backend` and `features`.
    """
    if is_this_process(settings.compute):
        yield None
        return
    threads, day = settings.compute.threads, settings.as_of
    parts = {LEDGER: history_parts.ledger_parts(day, threads=threads)}
    if settings.features.text.enabled:
        max_chars = settings.features.text.max_chars
        parts[TEXTS] = history_parts.text_parts(day, threads=threads, max_chars=max_chars)
    with open_backend(settings.compute) as run:
        absolute = {name: [path.resolve() for path in paths] for name, paths in parts.items()}
        history = History(day, absolute, settings.compute.storage, threads)
        share(history)
        yield partial(features, run, history)


def compute(task: Task) -> pd.DataFrame:
    """The features of a task's snapshots, float32, in the same order. Runs on a worker."""
    with task.history.open(task.first, task.end, task.attributes) as con:
        return task.extractor.columns_of(ClientHistories(con, task.rows), text=task.forms)


def features(
    run: Run[Task, pd.DataFrame],
    history: History,
    con: duckdb.DuckDBPyConnection,
    rows: pd.DataFrame,
    *,
    extractor: Extractor,
    forms: Collection[TextForm],
) -> pd.DataFrame:
    """Compute the features of snapshots on the workers of a backend.

    Parameters
    ----------
    con
        The history as of the run, from which attributes are read.
    rows
        client_id and observed_on.

    Returns
    -------
    DataFrame
        float32, one row for each of `rows`, in the same order; the bytes of
        `evergreen.core.features.extractor.Extractor.transform`.

    Raises
    ------
    DataError
        If a part of the history, or its copy, is missing or altered.
    """
    buckets = buckets_of(rows["client_id"])
    bounds = [(first, first + BUCKETS // TASKS) for first in range(0, BUCKETS, BUCKETS // TASKS)]
    places = [np.flatnonzero((buckets >= first) & (buckets < end)) for first, end in bounds]
    tasks = [
        Task(
            first,
            end,
            own := rows.iloc[chosen].reset_index(drop=True),
            _attributes(con, own),
            extractor,
            forms,
            history,
        )
        for (first, end), chosen in zip(bounds, places, strict=True)
        if len(chosen)
    ]
    results = run(compute, tasks)
    order = np.argsort(np.concatenate([chosen for chosen in places if len(chosen)]))
    together: pd.DataFrame = pd.concat(results, ignore_index=True).iloc[order]
    return together.reset_index(drop=True)


def share(history: History) -> None:
    """Copy to ``compute.storage`` the parts that are not there yet.

    Copies have a checksum for each page, by which a worker finds damage in what it reads alone.

    Raises
    ------
    DataError
        If the storage can't be reached, read or written.
    """
    if history.storage is None:
        return
    try:
        system, folder = _open(history.storage)
        there = {Path(name).name for name in system.find(folder)}
        for path in [path for paths in history.parts.values() for path in paths]:
            if path.name not in there:
                _copy(path, system, folder)
    except Exception as error:  # noqa: BLE001 - each file system has errors of its own
        raise DataError(
            f"{history.storage}, the compute.storage of {PARAMS}, can't be read and written: "
            f"{type(error).__name__}: {str(error).splitlines()[0]}",
            "check the address, the bucket and the credentials, then run the same command again",
        ) from None


def _copy(path: Path, system: AbstractFileSystem, folder: str) -> None:
    """Copy a part; what a killed copy leaves has another name."""
    unfinished = f"{folder}/.{path.name}.unfinished"
    system.makedirs(folder, exist_ok=True)
    with system.open(unfinished, "wb") as file:
        pq.write_table(
            pq.read_table(path),
            file,
            compression="zstd",
            row_group_size=ROWS_OF_GROUP,
            write_page_checksum=True,
        )
    system.mv(unfinished, f"{folder}/{path.name}")


def _read(paths: Sequence[Path], storage: str | None, first: int, end: int) -> pa.Table:
    if storage is None:
        system, names = None, [str(path) for path in paths]
    else:
        system, folder = _open(storage)
        names = [f"{folder}/{path.name}" for path in paths]
    checked = ds.ParquetFileFormat(
        default_fragment_scan_options=ds.ParquetFragmentScanOptions(
            page_checksum_verification=storage is not None
        )
    )
    bucket = ds.field("bucket")
    try:
        return ds.dataset(names, filesystem=system, format=checked).to_table(
            filter=(bucket >= first) & (bucket < end)
        )
    except (OSError, pa.ArrowInvalid) as error:
        where = storage or history_parts.FOLDER
        raise DataError(
            f"a part of the history in {where} is missing or altered: {str(error).splitlines()[0]}",
            f"remove it from {where}, and run the same command again: what is missing is made anew",
        ) from None


def _open(storage: str) -> tuple[AbstractFileSystem, str]:
    from fsspec.core import url_to_fs  # noqa: PLC0415 - for few repositories

    system, folder = url_to_fs(storage)
    return system, str(folder)


def _attributes(con: duckdb.DuckDBPyConnection, rows: pd.DataFrame) -> pa.Table:
    con.register("clients_of_task", rows[["client_id"]].drop_duplicates())
    found = con.sql("from attributes semi join clients_of_task using (client_id)")
    table = found.to_arrow_table()
    con.unregister("clients_of_task")
    return table
