"""CSV files as they are uploaded: read with the types that their columns are to have."""

from __future__ import annotations

import csv
import re
from collections import Counter

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from evergreen.serving import events
from evergreen.serving.http.limits import RefusedError

MAX_COLUMNS = 5_000
HEADER_BYTES = 1 << 20
BLOCK_BYTES = 1 << 22
DELIMITERS = ",;\t"
LINE_END = re.compile(rb"\r\n|\n|\r")


def read_csv(body: bytes, *, max_rows: int) -> pd.DataFrame:
    """Read transactions, feature rows, or client ids alone.

    Parameters
    ----------
    body
        UTF-8, with a header; columns are separated by commas, semicolons or tabs. An empty cell is
        a missing value, and NA is a name.

    Returns
    -------
    pandas.DataFrame
        Amounts and features as float64; client_id, and what else belongs to events, as strings.

    Raises
    ------
    RefusedError
        422 if it can't be read, has no rows or no client_id; 413 if it holds too many rows.
    """
    header = LINE_END.split(body[:HEADER_BYTES], maxsplit=1)[0]
    delimiter, names = _columns(header)
    if not body[len(header) :].strip():
        raise RefusedError(422, "the CSV file has no rows below its header")
    of_events = events.are_events(pd.DataFrame(columns=names))
    words = {*names} - {*events.AMOUNTS} if of_events else {"client_id", "observed_on"}
    kinds = {name: pa.string() if name in words else pa.float64() for name in names}
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(body),
            pa_csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, column_names=names,
                               skip_rows=1),
            pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            pa_csv.ConvertOptions(
                column_types=kinds, null_values=[""], strings_can_be_null=True, check_utf8=True
            ),
        )  # fmt: skip
    except (pa.ArrowException, ValueError) as error:
        raise RefusedError(
            422, f"the CSV file can't be read: {str(error).splitlines()[0]}"
        ) from None
    if table.num_rows > max_rows:
        raise RefusedError(
            413, f"at most {max_rows:,} rows are answered at once, found {len(table):,}"
        )
    frame: pd.DataFrame = table.to_pandas()
    return frame


def _columns(header: bytes) -> tuple[str, list[str]]:
    try:
        line = header.decode("utf-8-sig")
        delimiter = max(DELIMITERS, key=line.count)
        names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
    except (UnicodeDecodeError, csv.Error):
        raise RefusedError(422, "the first line is expected to name columns, in UTF-8") from None
    twice = [name for name, times in Counter(names).items() if times > 1]
    if len(names) > MAX_COLUMNS:
        raise RefusedError(422, f"at most {MAX_COLUMNS:,} columns are read, found {len(names):,}")
    if "client_id" not in names or twice:
        found = f"{twice[0]!r} twice" if twice else ", ".join(names[:5]) or "an empty line"
        raise RefusedError(
            422, f"the first line is expected to name columns, client_id among them; found {found}"
        )
    return delimiter, names
