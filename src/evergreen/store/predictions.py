"""What production said: one table, partitioned by the day on which clients were scored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from evergreen.store import tables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from evergreen.params import Target


def column_of(name: str, target: Target) -> str:
    """The column of a target: ``purchase_probability``, ``churn_probability``, ``clv``."""
    return f"{name}_probability" if target.kind == "binary" else name


def schema(targets: Mapping[str, Target]) -> pa.Schema:
    """client_id, observed_on, the release that predicted, and a column for each target."""
    return pa.schema(
        [
            pa.field("client_id", pa.string(), nullable=False),
            pa.field("observed_on", pa.date32(), nullable=False),
            pa.field("release", pa.string()),
            *(pa.field(column_of(name, target), pa.float64()) for name, target in targets.items()),
        ]
    )


def read_all(folder: Path) -> pd.DataFrame:
    """Every prediction of past runs, in the order of the days; no rows before the second run."""
    found = [
        tables.read_frame(path, made_by="promote") for path in sorted(folder.glob("*.parquet"))
    ]
    made = [frame for frame in found if len(frame)] or found[:1]
    return pd.concat(made, ignore_index=True) if made else pd.DataFrame()


def write_none(folder: Path, targets: Mapping[str, Target]) -> None:
    """Write the table of a repository that has not predicted anything yet."""
    tables.write(schema(targets).empty_table(), folder / "none.parquet")
