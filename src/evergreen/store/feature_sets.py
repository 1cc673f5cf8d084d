"""Feature sets: the features of the snapshots that a run wants, computed in chunks."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from datetime import date
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pandas as pd

from evergreen.core.events.label_selection import KEYS
from evergreen.core.features import chunks
from evergreen.core.features.chunks import in_chunks
from evergreen.core.features.extractor import ClientHistories, Extractor
from evergreen.settings.names import TextForm
from evergreen.settings.pipeline import Settings
from evergreen.store import files, matrices, tables

if TYPE_CHECKING:
    from evergreen.store.buckets import Workers
    from evergreen.store.cache import Cache

    Extractors = dict[str, tuple[Extractor, set[TextForm]]]
    """Extractors by digest, each with the forms of the text that models take from it."""


class FeatureSets:
    """Writes features, or takes them from the cache if they were computed from the same inputs.

    Parameters
    ----------
    con
        The history as of the run; see `evergreen.core.features.extractor.Extractor.transform`.
    workers
        Compute the features elsewhere, with the same bytes; see `evergreen.store.buckets`.

    Attributes
    ----------
    made_from
        The settings that features depend on. They also depend on the snapshots, on the rows known
        by the last of them, and on the extractor.
    """

    def __init__(
        self,
        settings: Settings,
        cache: Cache,
        con: duckdb.DuckDBPyConnection,
        workers: Workers | None = None,
    ) -> None:
        self.con = con
        self._workers = workers
        self.made_from: dict[str, object] = {"max_chars": settings.features.text.max_chars}
        self._cache = cache
        self._read: tuple[str, ClientHistories] | None = None

    def write(
        self,
        folder: Path,
        versions: Extractors,
        snapshots: pd.DataFrame,
        labels: pd.DataFrame | None = None,
        *,
        by_day: bool = False,
    ) -> None:
        """Write snapshots, their features by each extractor, and their labels.

        Parameters
        ----------
        by_day
            Write a file for each day on which they were observed. So a set that moves on from day
            to day keeps most of its files: they are neither computed nor stored again.
        """
        shutil.rmtree(folder, ignore_errors=True)
        tables.write_frame(snapshots, folder / matrices.SNAPSHOTS)
        if labels is not None:
            tables.write_frame(labels, folder / matrices.LABELS)
        for digest, (extractor, forms) in versions.items():
            path = matrices.features_path(folder, digest)
            if by_day and not snapshots.empty:
                path.with_suffix("").mkdir()
                for day, computed in self._days(extractor, digest, forms, snapshots).items():
                    files.link(computed, matrices.features_path_of(day, folder, digest))
            else:
                files.link(self._file(extractor, digest, forms, snapshots), path)

    def of(
        self,
        extractor: Extractor,
        digest: str,
        forms: Collection[TextForm],
        snapshots: pd.DataFrame,
    ) -> pd.DataFrame:
        """The features of some snapshots by an extractor.

        Returns
        -------
        pandas.DataFrame
            client_id, observed_on and the extractor's columns (float32); one row for each of
            `snapshots`, in the same order.
        """
        path = self._file(extractor, digest, forms, snapshots)
        return tables.read_frame(path, made_by="featurize")

    def _file(
        self,
        extractor: Extractor,
        digest: str,
        forms: Collection[TextForm],
        snapshots: pd.DataFrame,
    ) -> Path:
        def make(path: Path) -> None:
            matrices.write_features(path, self._chunks(extractor, forms, snapshots))

        return self._cache.file("features", self._inputs(digest, forms, snapshots), make)

    def _days(
        self,
        extractor: Extractor,
        digest: str,
        forms: Collection[TextForm],
        snapshots: pd.DataFrame,
    ) -> dict[date, Path]:
        """The file of each day; all that are missing are computed together."""
        of_days = _by_day(snapshots)
        inputs = {day: self._inputs(digest, forms, rows) for day, rows in of_days.items()}
        missing = [
            rows
            for day, rows in of_days.items()
            if not self._cache.entry("features", inputs[day]).exists()
        ]

        @cache
        def computed() -> dict[date, pd.DataFrame]:
            chunks = self._chunks(extractor, forms, pd.concat(missing, ignore_index=True))
            return _by_day(pd.concat(chunks, ignore_index=True))

        def make(path: Path, day: date) -> None:
            matrices.write_features(path, [computed()[day]])

        return {
            day: self._cache.file("features", inputs[day], partial(make, day=day))
            for day in of_days
        }

    def _inputs(
        self, digest: str, forms: Collection[TextForm], snapshots: pd.DataFrame
    ) -> dict[str, object]:
        """All that the features of some snapshots are computed from."""
        last = snapshots["observed_on"].max()
        return self.made_from | {
            "snapshots": tables.digest(snapshots[KEYS]),
            "raw": None if pd.isna(last) else self._cache.raw_known_by(last.date()),
            "extractor": digest,
            "forms": sorted(forms),
        }

    def _chunks(
        self, extractor: Extractor, forms: Collection[TextForm], snapshots: pd.DataFrame
    ) -> Iterator[pd.DataFrame]:
        columns = self._columns(extractor, forms, snapshots)
        for rows, of_rows in zip(in_chunks(snapshots), columns, strict=True):
            yield pd.concat([rows, of_rows], axis=1)

    def _columns(
        self, extractor: Extractor, forms: Collection[TextForm], snapshots: pd.DataFrame
    ) -> Iterator[pd.DataFrame]:
        if self._workers is None or snapshots.empty:
            for rows in in_chunks(snapshots):
                yield extractor.columns_of(self._client_histories(rows), text=forms)
        else:
            columns = self._workers(self.con, snapshots, extractor=extractor, forms=forms)
            for start in range(0, len(columns), chunks.ROWS):
                yield columns.iloc[start : start + chunks.ROWS].reset_index(drop=True)

    def _client_histories(self, rows: pd.DataFrame) -> ClientHistories:
        """Read these snapshots; the last ones read are kept for the next extractor."""
        key = tables.digest(rows)
        if self._read is None or self._read[0] != key:
            self._read = key, ClientHistories(self.con, rows)
        return self._read[1]


def _by_day(rows: pd.DataFrame) -> dict[date, pd.DataFrame]:
    groups = rows.groupby("observed_on", sort=True)
    return {pd.Timestamp(str(day)).date(): of_day for day, of_day in groups}
