"""Parquet tables: their columns, deterministic writing, checked reading, DuckDB views."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from evergreen.core.events import transactions
from evergreen.errors import DataError
from evergreen.settings import paths
from evergreen.store import spill, sql
from evergreen.store.files import replacing

NOTES = pa.schema(
    [
        pa.field("client_id", pa.string(), nullable=False),
        pa.field("timestamp", pa.timestamp("us"), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("language", pa.string()),
        pa.field("ingested_on", pa.date32(), nullable=False),
    ]
)

WORK_PER_BYTE = 20
"""About how many bytes of tables a byte of the raw tables' compressed files becomes."""


def by_target_schema(targets: Iterable[str]) -> pa.Schema:
    """Return the schema of external outcomes or predictions: a value for each target, or null.

    Yes and no are 1 and 0, with probabilities in between; money is in major units. The row's id is
    client and day, so that the latest row counts.
    """
    return pa.schema(
        [
            pa.field("client_id", pa.string(), nullable=False),
            pa.field("observed_on", pa.date32(), nullable=False),
            *(pa.field(name, pa.float64()) for name in targets),
            pa.field("ingested_on", pa.date32(), nullable=False),
            pa.field("row_id", pa.string()),
        ]
    )


def attributes_schema(numbers: Iterable[str], levels: Iterable[str]) -> pa.Schema:
    """Return the schema of client attributes valid from a date on: numbers (float64) and words.

    The row's id is client and date: a later row with other content corrects the earlier one. Column
    names begin with ``number_`` or ``level_``, so that files of all versions fit together.
    """
    return pa.schema(
        [
            pa.field("client_id", pa.string(), nullable=False),
            pa.field("valid_from", pa.date32(), nullable=False),
            *(pa.field(f"number_{name}", pa.float64()) for name in numbers),
            *(pa.field(f"level_{name}", pa.string()) for name in levels),
            pa.field("ingested_on", pa.date32(), nullable=False),
            pa.field("row_id", pa.string()),
        ]
    )


def connect(threads: int) -> duckdb.DuckDBPyConnection:
    """Open an in-memory DuckDB with a fixed number of threads, whatever the machine's time zone.

    It uses the memory that ``compute.memory`` allows, and spills the rest; see `spill.connect`.
    """
    con = spill.connect(threads)
    con.execute("set TimeZone = 'UTC'")
    con.execute("set enable_progress_bar = false")  # commands show how far they are
    return con


def write(table: pa.Table, path: Path) -> None:
    """Write a Parquet file atomically, with the same bytes for the same rows.

    It has no pandas metadata and no time stamps.
    """
    with replacing(path) as unfinished:
        write_unfinished(table, unfinished)


def write_unfinished(table: pa.Table, path: Path) -> None:
    """Write the bytes of `write` to a file that the caller renames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = table.replace_schema_metadata(None).combine_chunks()
    with open_writer(path, table.schema) as writer:
        writer.write_table(table, row_group_size=1 << 20)


def open_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Open a Parquet file for row groups, written as by `write_unfinished`."""
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        # dictionaries of floats are slow to build and larger than the values
        use_dictionary=[f.name for f in schema if not pa.types.is_floating(f.type)],
        store_schema=False,
    )


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a DataFrame, without its index, as `write` does."""
    write(pa.Table.from_pandas(frame, preserve_index=False), path)


def digest(frame: pd.DataFrame) -> str:
    """SHA-256 of a DataFrame's rows in order, without its index, in hexadecimal."""
    return digest_of(row_hashes(frame))


def row_hashes(frame: pd.DataFrame) -> np.ndarray:
    """A hash of each row's content, uint64 (n,)."""
    rows: np.ndarray = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    return rows


def digest_of(hashes: np.ndarray) -> str:
    """The `digest` of rows with these hashes."""
    return hashlib.sha256(hashes.tobytes()).hexdigest()


def read_frame(path: Path, *, made_by: str, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a table that a stage wrote.

    Raises
    ------
    DataError
        If the file is missing, is not Parquet, or lacks one of `columns`; the next step is to rerun
        the stage `made_by`.
    """
    table = read(path, made_by=made_by, columns=columns)
    frame: pd.DataFrame = table.to_pandas(date_as_object=False)
    return frame


def read(path: Path, *, made_by: str, columns: list[str] | None = None) -> pa.Table:
    """Read a table as `read_frame` does, as an Arrow table."""
    with open_table(path, made_by=made_by, columns=columns) as file:
        return file.read(columns)


@contextmanager
def open_table(
    path: Path, *, made_by: str, columns: list[str] | None = None
) -> Iterator[pq.ParquetFile]:
    """Open a table that a stage wrote, checked as by `read_frame`."""
    next_step = f"dvc repro {made_by}"
    if not path.is_file():
        raise DataError(f"{path}, an output of {made_by}, does not exist", next_step)
    with _open(path, next_step) as file:
        names = file.schema_arrow.names
        for column in columns or []:
            if column not in names:
                raise DataError(f"{path} lacks {column!r}{_nearest(column, names)}", next_step)
        yield file


def partition_path(folder: Path, day: date) -> Path:
    """The file of the rows ingested on a day; a new day adds a file and rewrites none."""
    return folder / f"{day.isoformat()}.parquet"


def partitions(folder: Path) -> dict[date, Path]:
    """Return the files of a partitioned table by day of ingestion, in order.

    Raises
    ------
    DataError
        If a Parquet file is not named after its day.
    """
    files = {}
    for path in sorted(folder.glob("*.parquet")):
        try:
            files[date.fromisoformat(path.stem)] = path
        except ValueError:
            raise DataError(
                f"{folder} contains {path.name}, expected files named by day of ingestion, "
                "such as 2017-03-31.parquet",
                f"move {path} out of {folder}",
            ) from None
    return files


def days_in(folder: Path) -> dict[date, Path]:
    """Return the files of a folder that are named by a day, in order; there may be others."""
    named = sorted(folder.glob("????-??-??.parquet"))
    return {date.fromisoformat(path.stem): path for path in named}


def check_ingested() -> None:
    """Refuse raw tables of which an ingestion that was stopped has written a part.

    Raises
    ------
    DataError
        With the command that completes it.
    """
    if paths.HALF_INGESTED.exists():
        pinned = Path(f"{paths.RAW}.dvc").exists()
        back = f"; or `dvc checkout --force {paths.RAW}`, for the rows of the last run"
        raise DataError(
            f"an ingestion was stopped before {paths.RAW} had all rows",
            f"evergreen ingest, which goes on{back if pinned else ''}",
        )


def transactions_known_by(known_by: date, *, max_lag_days: int) -> dict[date, Path]:
    """The files of the transactions that were ingested before a date, by day, at least one.

    Raises
    ------
    DataError
        If there are no rows, they end more than `max_lag_days` before `known_by`, a day is missing,
        or as `check_ingested`.
    """
    check_ingested()
    files = {day: path for day, path in partitions(paths.TRANSACTIONS).items() if day < known_by}
    if not files:
        raise DataError(
            f"{paths.TRANSACTIONS} contains no transactions that were known by {known_by}",
            "evergreen ingest, or `evergreen pull` if a remote has them",
        )
    missing = [day for day in days(min(files), max(files)) if day not in files]
    if missing:
        raise DataError(
            f"{paths.TRANSACTIONS} has no file for {missing[0]}, between {min(files)} and "
            f"{max(files)}: a day without rows has an empty file, so this one is lost",
            f"dvc checkout --force {paths.RAW}",
        )
    if (known_by - max(files)).days - 1 > max_lag_days:
        through = known_by - timedelta(days=1)
        raise DataError(
            f"{paths.TRANSACTIONS} ends on {max(files)}, expected rows until "
            f"{known_by - timedelta(days=max_lag_days + 1)} or later "
            f"(as_of {known_by}, data.max_lag_days {max_lag_days}): missing data would look like "
            "clients who stay away",
            f"evergreen ingest --through {through}, or set an earlier as_of in {paths.PARAMS}; if "
            "days without rows are normal, raise data.max_lag_days, see docs/troubleshooting.md",
        )
    return files


def view_transactions(con: duckdb.DuckDBPyConnection, *, known_by: date, max_lag_days: int) -> date:
    """Create the view ``transactions`` of all rows known by a date: those ingested before it.

    Returns
    -------
    date
        The first day of which nothing is known: one after the newest partition, at most `known_by`.
        Windows that reach beyond it can't be labelled yet.

    Raises
    ------
    DataError
        As `transactions_known_by`, or if a file does not have the canonical columns.
    EvergreenError
        If aggregating them would need more memory and disk than there are.
    """
    files = transactions_known_by(known_by, max_lag_days=max_lag_days)
    check_space(files.values())
    _view_checked(con, "transactions", list(files.values()), transactions.SCHEMA, known_by)
    return max(files) + timedelta(days=1)


def check_space(files: Iterable[Path]) -> None:
    """Refuse to aggregate transactions that need more memory and disk; see `spill.check_space`."""
    spill.check_space(WORK_PER_BYTE * sum(path.stat().st_size for path in files))


def view_notes(con: duckdb.DuckDBPyConnection, *, known_by: date) -> None:
    """Create the view ``notes`` of all notes known by a date; it may be empty."""
    files = [path for day, path in partitions(paths.NOTES).items() if day < known_by]
    _view_checked(con, "notes", files, NOTES, known_by)


def view_attributes(con: duckdb.DuckDBPyConnection, *, known_by: date) -> None:
    """Create the view ``attributes`` of all client attributes known by a date.

    Files may lack an attribute that is newer than they are.
    """
    rows = _rows_by_name(con, attributes_schema((), ()), paths.ATTRIBUTES, known_by)
    con.execute(f"create view attributes as {rows}")


def view_by_target(
    con: duckdb.DuckDBPyConnection,
    name: str,
    folder: Path,
    *,
    targets: Iterable[str],
    known_by: date,
) -> None:
    """Create a view of rows known by a date: target, client_id, observed_on, value, ingested_on.

    Parameters
    ----------
    folder
        Files of `by_target_schema`; they may lack a target that is newer than they are.
    """
    rows = _rows_by_name(con, by_target_schema(targets), folder, known_by)
    parts = [
        f"select '{target}' as target, client_id, observed_on, {sql.name(target)} as value, "
        f"ingested_on from ({rows}) where {sql.name(target)} is not null"
        for target in targets
    ]
    con.execute(f"create view {name} as {' union all '.join(parts)}")


def _rows_by_name(
    con: duckdb.DuckDBPyConnection, schema: pa.Schema, folder: Path, known_by: date
) -> str:
    """SQL of the rows known by a date; files may lack columns of the schema, or have others."""
    name = f"{folder.name}_columns"
    con.register(name, schema.empty_table())
    rows = f"select * from {name}"
    if files := [path for day, path in partitions(folder).items() if day < known_by]:
        rows += f" union all by name select * from {sql.parquet(files, by_name=True)}"
    return f"select * from ({rows}) where ingested_on < date '{known_by}'"


def _view_checked(
    con: duckdb.DuckDBPyConnection, name: str, files: list[Path], schema: pa.Schema, known_by: date
) -> None:
    for path in files:
        check_schema(path, schema)
    view(con, name, files, schema, known_by=known_by)


def view(
    con: duckdb.DuckDBPyConnection,
    name: str,
    files: Collection[Path],
    schema: pa.Schema,
    *,
    known_by: date,
) -> None:
    """Create a view of the rows of files that were ingested before a date; none is opened yet."""
    if not files:
        con.register(name, schema.empty_table())
        return
    con.execute(
        f"create view {name} as select {sql.names(schema.names)} from {sql.parquet(files)} "
        f"where ingested_on < date '{known_by}'"
    )


def check_schema(path: Path, expected: pa.Schema) -> None:
    """Compare a file's columns with the canonical ones.

    Raises
    ------
    DataError
        If a column is missing or has another type.
    """
    next_step = f"restore {path} with `dvc checkout`, or ingest it again"
    schema = _schema_of(path, next_step)
    for field in expected:
        if field.name not in schema.names:
            raise DataError(
                f"{path} lacks {field.name!r}{_nearest(field.name, schema.names)}", next_step
            )
        if schema.field(field.name).type != field.type:
            raise DataError(
                f"{path} has {field.name!r} as {schema.field(field.name).type}, "
                f"expected {field.type}",
                next_step,
            )


def _schema_of(path: Path, next_step: str) -> pa.Schema:
    with _open(path, next_step) as file:
        return file.schema_arrow


def _open(path: Path, next_step: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path} is not readable as Parquet: {reason}", next_step) from None


def _nearest(column: str, names: list[str]) -> str:
    near = difflib.get_close_matches(column, names, n=1)
    return f" (found: {', '.join(names)}" + (f"; nearest: {near[0]!r})" if near else ")")


def days(first: date, last: date) -> Iterator[date]:
    """Every day from `first` to `last`, both included."""
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)
