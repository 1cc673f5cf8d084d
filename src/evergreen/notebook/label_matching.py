"""Predictions that were logged, beside what became of them."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow.parquet as pq

from evergreen.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

DAYS = ("observed_on", "date")


def join_outcomes(predictions_file: Path, outcomes_file: Path) -> pd.DataFrame:
    """Every prediction whose outcome is known, with the outcome.

    Parameters
    ----------
    predictions_file, outcomes_file
        CSV or Parquet with client_id; with observed_on (or date) in both, rows of a client are
        matched by day as well. Other columns are taken as they are.

    Returns
    -------
    pandas.DataFrame
        client_id (string), observed_on where there is one, the columns of the predictions, then
        those of the outcomes; in the order of the predictions.

    Raises
    ------
    DataError
        If a file is not readable, lacks client_id, has two rows of a client (and day), or shares a
        column with the other; or if no row of one meets one of the other.
    """
    made, came = _read(predictions_file), _read(outcomes_file)
    keys = [
        "client_id",
        *(["observed_on"] if "observed_on" in made and "observed_on" in came else []),
    ]
    for frame, path in ((made, predictions_file), (came, outcomes_file)):
        twice = frame[frame.duplicated(keys)]
        if len(twice):
            raise DataError(
                f"{path} has {len(twice):,} rows of clients that are there already, such as "
                f"{twice['client_id'].iloc[0]!r}",
                f"keep one row for each {' and '.join(keys)}",
            )
    both = sorted({*map(str, made)} & {*map(str, came)} - {*keys})
    if both:
        raise DataError(
            f"{predictions_file} and {outcomes_file} both have {', '.join(both)}",
            "rename them: such as purchased_pred and purchased_actual",
        )
    joined = made.merge(came, on=keys, how="inner", validate="one_to_one")
    if joined.empty:
        raise DataError(
            f"no client of {predictions_file} ({', '.join(made['client_id'].head(3))} ...) is in "
            f"{outcomes_file} ({', '.join(came['client_id'].head(3))} ...)",
            "check that ids and days are written alike",
        )
    return joined


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"{path} was expected, and is not there", "check the path")
    try:
        if path.suffix == ".parquet":
            frame: pd.DataFrame = pq.read_table(path).to_pandas()
        else:
            frame = pd.read_csv(path, dtype={"client_id": "str"}, encoding="utf-8-sig")
    except ValueError as error:  # pandas' and pyarrow's errors of reading are of this kind
        raise DataError(f"{path} is not readable: {error}", "CSV or Parquet") from None
    if "client_id" not in frame:
        near = difflib.get_close_matches("client_id", list(frame.columns), n=1)
        hint = f"; nearest: {near[0]!r}" if near else ""
        raise DataError(
            f"{path} lacks client_id (found: {', '.join(frame.columns)}{hint})",
            "rename the column" if len(frame.columns) > 1 else "separate the columns by commas",
        )
    nameless = int(frame["client_id"].isna().sum())
    if nameless:
        raise DataError(f"{path} has {nameless:,} rows without a client_id", "remove them")
    frame["client_id"] = frame["client_id"].astype("str")
    day = next((name for name in DAYS if name in frame), None)
    if day is not None:
        try:
            frame[day] = pd.to_datetime(frame[day]).astype("datetime64[us]")
        except ValueError as error:
            raise DataError(f"{path}: {day} is no day: {error}", "YYYY-MM-DD") from None
        frame = frame.rename(columns={day: "observed_on"})
    return frame
