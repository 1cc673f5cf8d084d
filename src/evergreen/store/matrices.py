"""Feature tables on disk: one file for each feature extractor in use, and their labels."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from evergreen.core.events.label_selection import KEYS
from evergreen.errors import DataError
from evergreen.store import files, tables

LABELS = "labels.parquet"
SNAPSHOTS = "snapshots.parquet"
TEXT_REPORT = "text.json"
DRAWN_FROM = "drawn.json"


def features_path(folder: Path, extractor: str) -> Path:
    """The file of the features by the extractor with this digest."""
    return folder / f"{extractor[:16]}.parquet"


def features_path_of(day: date, folder: Path, extractor: str) -> Path:
    """The file of the features of the snapshots of a day, in a set with a file for each day."""
    return tables.partition_path(features_path(folder, extractor).with_suffix(""), day)


def _features_files(folder: Path, extractor: str) -> list[Path]:
    """The files with the features by an extractor: one, or one for each day."""
    path = features_path(folder, extractor)
    return list(tables.partitions(path.with_suffix("")).values()) or [path]


def write_features(path: Path, chunks: Iterable[pd.DataFrame]) -> None:
    """Write client_id, observed_on and the features by an extractor; each chunk is a row group."""
    with ExitStack() as stack:
        writer = None
        for chunk in chunks:
            table = pa.Table.from_pandas(chunk, preserve_index=False)
            table = table.replace_schema_metadata(None)
            if writer is None:
                writer = stack.enter_context(tables.open_writer(path, table.schema))
            writer.write_table(table, row_group_size=max(1, len(table)))


def write_drawn_from(folder: Path, counts: dict[str, int]) -> None:
    """Write of how many labels of each target those in a folder were drawn, if they were."""
    if counts:
        files.write_json(counts, folder / DRAWN_FROM)


def read_drawn_from(folder: Path) -> dict[str, int]:
    """Read what `write_drawn_from` wrote; nothing if all labels were used."""
    path = folder / DRAWN_FROM
    counts: dict[str, int] = (
        files.read_json(path, next_step="dvc repro featurize") if path.is_file() else {}
    )
    return counts


def read_features(folder: Path, extractor: str, columns: list[str]) -> pd.DataFrame:
    """Read client_id, observed_on and some features by an extractor.

    Raises
    ------
    DataError
        If the file, or a column, is missing.
    """
    parts = [
        tables.read_frame(path, made_by="featurize", columns=[*KEYS, *columns])
        for path in _features_files(folder, extractor)
    ]
    return pd.concat(parts, ignore_index=True)


def read_labels(folder: Path, target: str) -> pd.DataFrame:
    """Read the labels of one target, in the order of `featurize`."""
    labels = tables.read_frame(folder / LABELS, made_by="featurize")
    return labels[labels["target"] == target].reset_index(drop=True)


def features_of(
    rows: pd.DataFrame, folder: Path, extractor: str, columns: list[str]
) -> pd.DataFrame:
    """Read some features of labels or snapshots, one column after another if there are many.

    Parameters
    ----------
    rows
        client_id and observed_on (n), in any order.

    Returns
    -------
    DataFrame
        float32 (n, columns), in the order of `rows`.

    Raises
    ------
    DataError
        As `read_features`; or if a row has no features: it would look like an unknown client.
    """
    [path, *more] = _features_files(folder, extractor)
    if more:  # a set with a file for each day has few rows
        features = read_features(folder, extractor, columns)
        return features.loc[_places(rows, features), columns].reset_index(drop=True)
    with tables.open_table(path, made_by="featurize", columns=[*KEYS, *columns]) as file:
        places = _places(rows, file.read(KEYS).to_pandas(date_as_object=False))
        matrix = np.empty((len(columns), len(rows)), np.float32)
        for name, values in zip(columns, matrix, strict=True):
            values[:] = file.read([name]).column(0).to_numpy()[places]
    return pd.DataFrame(matrix.T, columns=columns, copy=False)


def _places(rows: pd.DataFrame, keys: pd.DataFrame) -> np.ndarray:
    """The place (n,) of each row among the keys."""
    numbered = keys[KEYS].assign(place=np.arange(len(keys)))
    joined = rows[KEYS].merge(numbered, on=KEYS, how="inner", validate="many_to_one")
    if len(joined) != len(rows):
        raise DataError(
            f"{len(rows) - len(joined):,} of {len(rows):,} rows have no features",
            "dvc repro --force featurize",
        )
    return joined["place"].to_numpy()


def write_text_report(
    folder: Path, shares: dict[str, float | None], *, extractor: str, clients: int
) -> None:
    """Write the share of out-of-vocabulary words in the texts of some clients.

    Parameters
    ----------
    shares
        By the digest of each extractor.
    extractor
        The digest of the run's own extractor.
    """
    content = {"unknown_words": shares[extractor], "by_extractor": shares, "clients": clients}
    files.write_json(content, folder / TEXT_REPORT)


def read_text_report(folder: Path) -> dict[str, Any]:
    """Read the report of `write_text_report`; empty for a data set without text."""
    path = folder / TEXT_REPORT
    report: dict[str, Any] = (
        files.read_json(path, next_step="dvc repro featurize") if path.is_file() else {}
    )
    return report
