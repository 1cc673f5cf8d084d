"""Match logged predictions with their outcomes."""

from __future__ import annotations

import difflib
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from evergreen.errors import DataError

DAYS = ("observed_on", "date")


def join_outcomes(predictions_file: Path, outcomes_file: Path) -> pd.DataFrame:
    """Join every prediction with its outcome, where one is known.

    Parameters
    ----------
    predictions_file, outcomes_file
        CSV or Parquet with client_id; rows match by day as well if both have observed_on (or date).
        Other columns are kept unchanged.

    Returns
    -------
    pandas.DataFrame
        client_id (string), observed_on if there is one, the columns of the predictions, then those
        of the outcomes; in the order of the predictions.

    Raises
    ------
    DataError
        If a file is not readable, lacks client_id, has two rows for a client (and day), or shares a
        column with the other; or if no row matches.
    """
    predictions, outcomes = _read(predictions_file), _read(outcomes_file)
    by_day = "observed_on" in predictions and "observed_on" in outcomes
    keys = ["client_id", *(["observed_on"] if by_day else [])]
    for frame, path in ((predictions, predictions_file), (outcomes, outcomes_file)):
        repeated = frame[frame.duplicated(keys)]
        if len(repeated):
            raise DataError(
                f"{path} has {len(repeated):,} repeated rows, such as one of client "
                f"{repeated['client_id'].iloc[0]!r}",
                f"keep one row for each {' and '.join(keys)}",
            )
    shared = sorted({*map(str, predictions)} & {*map(str, outcomes)} - {*keys})
    if shared:
        raise DataError(
            f"{predictions_file} and {outcomes_file} both have {', '.join(shared)}",
            "rename them, for example to purchased_pred and purchased_actual",
        )
    joined = predictions.merge(outcomes, on=keys, how="inner", validate="one_to_one")
    if joined.empty:
        raise DataError(
            f"no client of {predictions_file} ({', '.join(predictions['client_id'].head(3))} ...) "
            f"is in {outcomes_file} ({', '.join(outcomes['client_id'].head(3))} ...)",
            "check that both files write ids and days in the same way",
        )
    return joined


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"{path} does not exist", "check the path")
    try:
        if path.suffix == ".parquet":
            frame: pd.DataFrame = pq.read_table(path).to_pandas()
        else:
            frame = pd.read_csv(path, dtype={"client_id": "str"}, encoding="utf-8-sig")
    except ValueError as error:  # the base class of the read errors of pandas and pyarrow
        raise DataError(f"{path} is not readable: {error}", "CSV or Parquet") from None
    if "client_id" not in frame:
        near = difflib.get_close_matches("client_id", list(frame.columns), n=1)
        hint = f"; nearest: {near[0]!r}" if near else ""
        raise DataError(
            f"{path} lacks client_id (found: {', '.join(frame.columns)}{hint})",
            "rename the column" if len(frame.columns) > 1 else "separate the columns by commas",
        )
    missing = int(frame["client_id"].isna().sum())
    if missing:
        raise DataError(f"{path} has {missing:,} rows without a client_id", "remove them")
    frame["client_id"] = frame["client_id"].astype("str")
    day = next((name for name in DAYS if name in frame), None)
    if day is None:
        return frame
    try:
        frame[day] = pd.to_datetime(frame[day]).astype("datetime64[us]")
    except ValueError as error:
        raise DataError(f"{path}: {day} is not a date: {error}", "YYYY-MM-DD") from None
    return frame.rename(columns={day: "observed_on"})
