"""Predictions of production, partitioned by the day on which clients were scored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa

from evergreen.settings.names import Kind, prediction_column
from evergreen.settings.pipeline import Target
from evergreen.store import tables


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


def read_all(folder: Path) -> pd.DataFrame:
    """Read every prediction of past runs, by day; there are none before the second run."""
    parts = [tables.read(path, made_by="promote") for path in sorted(folder.glob("*.parquet"))]
    filled = [part for part in parts if part.num_rows] or parts[:1]
    if not filled:
        return pd.DataFrame()
    table = pa.concat_tables(filled, promote_options="default")
    frame: pd.DataFrame = table.to_pandas(date_as_object=False)
    return frame


def write_none(folder: Path, targets: Mapping[str, Target]) -> None:
    """Write the empty table of a repository without predictions."""
    kinds = {name: target.kind for name, target in targets.items()}
    tables.write(schema(kinds).empty_table(), folder / "none.parquet")
