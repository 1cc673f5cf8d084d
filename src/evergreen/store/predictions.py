"""What production said: one table, partitioned by the day on which clients were scored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from evergreen.settings.names import prediction_column
from evergreen.store import tables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from evergreen.settings.names import Kind
    from evergreen.settings.pipeline import Target


def schema(kinds: Mapping[str, Kind]) -> pa.Schema:
    """client_id, observed_on, the release that predicted, and a column for each target."""
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
    """Every prediction of past runs, in the order of the days; no rows before the second run."""
    found = [tables.read(path, made_by="promote") for path in sorted(folder.glob("*.parquet"))]
    made = [table for table in found if table.num_rows] or found[:1]
    if not made:
        return pd.DataFrame()
    together = pa.concat_tables(made, promote_options="default")
    frame: pd.DataFrame = together.to_pandas(date_as_object=False)
    return frame


def write_none(folder: Path, targets: Mapping[str, Target]) -> None:
    """Write the table of a repository that has not predicted anything yet."""
    kinds = {name: target.kind for name, target in targets.items()}
    tables.write(schema(kinds).empty_table(), folder / "none.parquet")
