"""Write scores batch by batch into a file that appears complete or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from evergreen.errors import DataError
from evergreen.store.files import replacing

FORMATS = (".parquet", ".csv")
FORMULA = r"^(?=[=+\-@\t\r])"
"""How a cell starts that a spreadsheet takes for a formula; an apostrophe before it helps.

Source: OWASP, "CSV Injection".
"""


@contextmanager
def scores_file(path: Path, schema: pa.Schema) -> Iterator[Callable[[pa.Table], None]]:
    """Open a file for scores; its suffix decides the format.

    Yields
    ------
    callable
        Writes the next batch of rows. The file gets its name on success. Otherwise it is removed,
        and an existing file stays as it was.

    Raises
    ------
    DataError
        If the suffix is neither .parquet nor .csv.
    """
    check_format(path)
    with replacing(path, shared=True) as unfinished:
        if path.suffix == ".csv":
            with pa_csv.CSVWriter(unfinished, schema) as writer:
                yield lambda batch: writer.write(without_formulas(batch))
        else:
            with pq.ParquetWriter(
                unfinished, schema, compression="zstd", store_schema=False
            ) as writer:
                yield writer.write


def check_format(path: Path) -> None:
    """Refuse a file whose suffix is neither .parquet nor .csv; see `scores_file`."""
    if path.suffix not in FORMATS:
        raise DataError(
            f"{path} must end in {' or '.join(FORMATS)}", f"use {path.with_suffix('.csv')}"
        )


def without_formulas(batch: pa.Table) -> pa.Table:
    """The same rows, with client ids that no spreadsheet takes for a formula; see `FORMULA`."""
    place = batch.schema.get_field_index("client_id")
    ids = batch["client_id"].to_pandas().str.replace(FORMULA, "'", regex=True)
    return batch.set_column(place, batch.schema.field(place), pa.array(ids, pa.string()))


def read_client_ids(path: Path) -> pd.Series:
    """Read the column client_id of a CSV or Parquet file as it is; ignore other columns.

    Raises
    ------
    DataError
        If the file is missing or not readable, or has no such column.
    """
    check_format(path)
    next_step = "use a CSV or Parquet file with the column client_id"
    if not path.is_file():
        raise DataError(f"{path} was expected to list clients, but does not exist", next_step)
    try:
        if path.suffix == ".csv":
            read = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        else:
            read = pq.read_table(path, columns=["client_id"]).to_pandas()
        ids: pd.Series = read["client_id"]
    except KeyError:
        raise DataError(f"{path} has no column client_id", next_step) from None
    except ValueError as error:  # the base of pyarrow's and pandas' reading errors
        raise DataError(f"{path} is not readable: {error}", next_step) from None
    return ids
