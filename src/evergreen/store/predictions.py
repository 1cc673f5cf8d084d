"""Predictions of production, partitioned by the day on which clients were scored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from evergreen.settings.names import Kind, prediction_column
from evergreen.settings.pipeline import Target
from evergreen.store import sql, tables

if TYPE_CHECKING:
    import duckdb


def schema(kinds: Mapping[str, Kind]) -> pa.Schema:
    """Return the schema: client_id, observed_on, release, and a column for each target."""
    return pa.schema(
        [
            pa.field("client_id", pa.string(), nullable=False),
            pa.field("observed_on", pa.date32(), nullable=False),
            pa.field("release", pa.string()),
            *(
                pa.field(prediction_column(name, kind), pa.float64())
                for name, kind in kinds.items()
            ),
        ]
    )


def by_day(folder: Path) -> dict[date, Path]:
    """Return the files of past runs by day; there are none before the second run."""
    return tables.days_in(folder)


def view(
    con: duckdb.DuckDBPyConnection, parts: Iterable[Path], targets: Mapping[str, Target]
) -> None:
    """Create the view ``predictions`` of some files; they may lack a target that is newer."""
    kinds = {name: target.kind for name, target in targets.items()}
    con.register("prediction_columns", schema(kinds).empty_table())
    rows = "from prediction_columns"
    if files := list(parts):
        rows += f" union all by name from {sql.parquet(files, by_name=True)}"
    con.execute(f"create or replace view predictions as {rows}")


def write_none(folder: Path, targets: Mapping[str, Target]) -> None:
    """Write the empty table of a repository without predictions."""
    kinds = {name: target.kind for name, target in targets.items()}
    tables.write(schema(kinds).empty_table(), folder / "none.parquet")
