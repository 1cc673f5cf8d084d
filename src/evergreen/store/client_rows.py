"""The rows of clients in the tables of the repository: find them, and write the tables without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evergreen.settings import paths
from evergreen.store import tables

FOLDERS = (paths.RAW, paths.PREDICTIONS, paths.LABELS, Path("data/features"), paths.SCORED)
"""Where the repository keeps rows of clients. Models and releases hold no ids."""
CLIENT_ID = "client_id"
MAGIC = b"PAR1"
IsClient = Callable[[str], bool]


def table_files() -> Iterator[Path]:
    """The Parquet files below `FOLDERS`, in order."""
    for folder in FOLDERS:
        yield from sorted(folder.rglob("*.parquet"))


def count_rows(path: Path, is_client: IsClient) -> int:
    """How many rows of some clients a file holds; 0 if it is not a table of clients."""
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return 0
    try:
        with pq.ParquetFile(path) as parquet:
            if CLIENT_ID not in parquet.schema_arrow.names:
                return 0
            rows = parquet.read([CLIENT_ID])
    except pa.ArrowInvalid:
        return 0
    return int(pc.sum(_mask(rows, is_client)).as_py() or 0)


def write_without(path: Path, is_client: IsClient) -> None:
    """Write a table without the rows of some clients, unless it holds none."""
    if count_rows(path, is_client):
        rows = tables.read(path, made_by="collect_labels")
        tables.write(rows.filter(pc.invert(_mask(rows, is_client))), path)


def _mask(rows: pa.Table, is_client: IsClient) -> pa.ChunkedArray:
    """Which rows are of these clients: bool (n,)."""
    column = rows[CLIENT_ID].cast(pa.string())
    found = [name for name in pc.unique(column).to_pylist() if name is not None and is_client(name)]
    return pc.is_in(column, pa.array(found, pa.string()))
