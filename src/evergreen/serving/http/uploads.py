"""Read uploaded CSV files, with the types that their columns must have."""

from __future__ import annotations

import csv
import re
from collections import Counter

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from evergreen.serving import events
from evergreen.serving.http.limits import RefusedError, check_rows

MAX_COLUMNS = 5_000
HEADER_BYTES = 1 << 20
BLOCK_BYTES = 1 << 22
DELIMITERS = ",;\t"
LINE_END = re.compile(rb"\r\n|\n|\r")


def read_csv(body: bytes, *, max_rows: int) -> pd.DataFrame:
    """Read transactions, feature rows, or just client ids.

    Parameters
    ----------
    body
        UTF-8, with a header; columns are separated by commas, semicolons or tabs. An empty cell is
        a missing value; NA is ordinary text.

    Returns
    -------
    pandas.DataFrame
        amount_minor and features as float64; client_id and other columns of events as strings.

    Raises
    ------
    RefusedError
        422 if it can't be read, has no rows or no client_id; 413 if it holds too many rows.
    """
    first_line = LINE_END.split(body[:HEADER_BYTES], maxsplit=1)[0]
    delimiter, names = _columns(first_line)
    if not body[len(first_line) :].strip():
        raise RefusedError(422, "the CSV file has no rows below its header")
    are_events = events.are_events(pd.DataFrame(columns=names))
    text_columns = {*names} - {"amount_minor"} if are_events else {"client_id", "observed_on"}
    types = {name: pa.string() if name in text_columns else pa.float64() for name in names}
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(body),
            pa_csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, column_names=names,
                               skip_rows=1),
            pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            pa_csv.ConvertOptions(
                column_types=types, null_values=[""], strings_can_be_null=True, check_utf8=True
            ),
        )  # fmt: skip
    except (pa.ArrowException, ValueError) as error:
        raise RefusedError(
            422, f"the CSV file can't be read: {str(error).splitlines()[0]}"
        ) from None
    check_rows(table.num_rows, max_rows)
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _columns(first_line: bytes) -> tuple[str, list[str]]:
    try:
        line = first_line.decode("utf-8-sig")
        delimiter = max(DELIMITERS, key=line.count)
        names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
    except (UnicodeDecodeError, csv.Error):
        raise RefusedError(422, "the first line must name the columns, in UTF-8") from None
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if len(names) > MAX_COLUMNS:
        raise RefusedError(
            422, f"a file may have at most {MAX_COLUMNS:,} columns, found {len(names):,}"
        )
    if "client_id" not in names or repeated:
        header = f"{repeated[0]!r} twice" if repeated else ", ".join(names[:5]) or "an empty line"
        raise RefusedError(
            422, f"the first line must name the columns, including client_id; found {header}"
        )
    return delimiter, names
