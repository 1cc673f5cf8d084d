"""Features of snapshots by day: those of a day never change, so each day is computed once."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from evergreen.core.events.label_selection import KEYS
from evergreen.core.features.extractor import ClientHistories, Extractor
from evergreen.settings.names import TextForm
from evergreen.settings.pipeline import Settings
from evergreen.store import matrices, tables

if TYPE_CHECKING:
    from evergreen.store.cache import Cache

    Extractors = dict[str, tuple[Extractor, set[TextForm]]]
    """Extractors by digest, each with the forms of the text that models take from it."""


class DailyFeatures:
    """The features of the snapshots of a run, from the cache if an earlier run computed them.

    Parameters
    ----------
    con
        The history as of the run; see `evergreen.core.features.extractor.Extractor.transform`.
    snapshots
        client_id and observed_on of all snapshots of the run, ordered by day and client.

    Attributes
    ----------
    made_from
        The settings that features depend on. They also depend on the clients observed on a day (a
        late external outcome may add one), on the rows known by that day, and on the extractor.
    """

    def __init__(
        self,
        settings: Settings,
        cache: Cache,
        con: duckdb.DuckDBPyConnection,
        snapshots: pd.DataFrame,
    ) -> None:
        self.con = con
        self.made_from: dict[str, object] = {
            "snapshots": settings.snapshots.model_dump(),
            "max_chars": settings.features.text.max_chars,
        }
        self._cache, self._snapshots = cache, snapshots
        self._places = {
            pd.Timestamp(str(day)): np.asarray(places)
            for day, places in snapshots.groupby("observed_on").indices.items()
        }
        hashes = tables.row_hashes(snapshots[KEYS])
        self._digests = {day: tables.digest_of(hashes[rows]) for day, rows in self._places.items()}
        self._entries: dict[tuple[object, ...], Path] = {}
        self._read: tuple[np.ndarray, ClientHistories] | None = None

    def write(
        self,
        folder: Path,
        versions: Extractors,
        snapshots: pd.DataFrame,
        labels: pd.DataFrame | None = None,
    ) -> None:
        """Write snapshots of the run, their features by each extractor, and their labels."""
        shutil.rmtree(folder, ignore_errors=True)
        tables.write_frame(snapshots, folder / matrices.SNAPSHOTS)
        if labels is not None:
            tables.write_frame(labels, folder / matrices.LABELS)
        for digest, (extractor, forms) in versions.items():
            matrices.write_features(folder, digest, self.of(extractor, digest, forms, snapshots))

    def of(
        self,
        extractor: Extractor,
        digest: str,
        forms: Collection[TextForm],
        snapshots: pd.DataFrame,
    ) -> pd.DataFrame:
        """The features of some snapshots of the run by an extractor.

        Returns
        -------
        pandas.DataFrame
            client_id, observed_on and the extractor's columns (float64); one row for each of
            `snapshots`, in the same order.
        """
        entries = {day: self._entry(day, digest, forms) for day in self._places}
        days = {day: entries[day] for day in snapshots["observed_on"].unique()}
        missing = [day for day, path in days.items() if not path.is_file()]
        if missing:
            self._make(extractor, forms, {day: days[day] for day in missing})
        if not days:
            return extractor.transform(self.con, snapshots, text=forms)
        features = self._cache.read(days.values())
        return snapshots[KEYS].merge(features, on=KEYS, how="left", validate="one_to_one")

    def _entry(self, day: pd.Timestamp, digest: str, forms: Collection[TextForm]) -> Path:
        key = (day, digest, *sorted(forms))
        if key not in self._entries:
            made_from = {
                "snapshots": self._digests[day],
                "raw": self._cache.raw_known_by(day.date()),
                "extractor": digest,
                "forms": sorted(forms),
            }
            self._entries[key] = self._cache.entry("features", self.made_from | made_from)
        return self._entries[key]

    def _make(
        self, extractor: Extractor, forms: Collection[TextForm], days: dict[pd.Timestamp, Path]
    ) -> None:
        places = [self._places[day] for day in days]
        history = self._client_histories(np.concatenate(places))
        columns = extractor.columns_of(history, text=forms)
        keyed = pd.concat([history.rows[KEYS], columns], axis=1)
        table = pa.Table.from_pandas(keyed, preserve_index=False)
        start = 0
        for rows, path in zip(places, days.values(), strict=True):
            self._cache.write(table.slice(start, len(rows)), path)
            start += len(rows)

    def _client_histories(self, places: np.ndarray) -> ClientHistories:
        """Read these snapshots; the last ones read are kept for the next extractor."""
        if self._read is None or not np.array_equal(self._read[0], places):
            rows = self._snapshots.iloc[places].reset_index(drop=True)
            self._read = places, ClientHistories(self.con, rows)
        return self._read[1]
