"""Scores on their way out: batch by batch into one file that is there whole or not at all."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from evergreen.errors import DataError
from evergreen.store.files import replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FORMATS = (".parquet", ".csv")
FORMULA = r"^(?=[=+\-@\t\r])"
"""How a cell begins that a spreadsheet takes for a formula: an apostrophe before it prevents that.

Source: OWASP, "CSV Injection".
"""


@contextmanager
def scores_file(path: Path, schema: pa.Schema) -> Iterator[Callable[[pa.Table], None]]:
    """Open a file for scores; its ending decides on the format.

    Yields
    ------
    callable
        Takes the next batch of rows. The file gets its name when all went well; else nothing of it
        is left, and a file that was there before stays.

    Raises
    ------
    DataError
        If it ends neither in .parquet nor in .csv.
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
    """Refuse a file that is neither Parquet nor CSV by its name; see `scores_file`."""
    if path.suffix not in FORMATS:
        raise DataError(
            f"{path} is expected to end in {' or '.join(FORMATS)}", f"{path.with_suffix('.csv')}"
        )


def without_formulas(batch: pa.Table) -> pa.Table:
    """The same rows, with ids of clients that no spreadsheet takes for a formula; see `FORMULA`."""
    place = batch.schema.get_field_index("client_id")
    ids = batch["client_id"].to_pandas().str.replace(FORMULA, "'", regex=True)
    return batch.set_column(place, batch.schema.field(place), pa.array(ids, pa.string()))


def read_client_ids(path: Path) -> pd.Series:
    """Read the column client_id of a CSV or Parquet file, as it stands there; others are left.

    Raises
    ------
    DataError
        If the file is not there or not readable, or has no such column.
    """
    check_format(path)
    next_step = "a CSV or Parquet file with the column client_id"
    if not path.is_file():
        raise DataError(f"{path} was expected to name clients, and is not there", next_step)
    try:
        if path.suffix == ".csv":
            read = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        else:
            read = pq.read_table(path, columns=["client_id"]).to_pandas()
        ids: pd.Series = read["client_id"]
    except KeyError:
        raise DataError(f"{path} has no column client_id", next_step) from None
    except ValueError as error:  # pyarrow's and pandas' errors of reading are of this kind
        raise DataError(f"{path} is not readable: {error}", next_step) from None
    return ids
