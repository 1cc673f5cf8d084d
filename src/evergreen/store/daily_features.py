"""Features of snapshots day by day: a day's features never change, so each is computed once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from evergreen.core.events.label_selection import KEYS
from evergreen.core.features.extractor import Known
from evergreen.store import tables

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import duckdb

    from evergreen.core.features.extractor import Extractor
    from evergreen.settings.names import TextForm
    from evergreen.store.cache import Cache


class DailyFeatures:
    """The features of all snapshots of a run, from the cache where an earlier run has made them.

    Parameters
    ----------
    con
        The history as of the run; see `evergreen.core.features.extractor.Extractor.transform`.
    snapshots
        client_id and observed_on of all snapshots of the run, ordered by day and client.
    made_from
        The settings that decide what is read of a client; together with who is observed on a day
        (a late outcome from elsewhere may add a client), the rows known by that day and the
        extractor they decide on its features.
    """

    def __init__(
        self,
        cache: Cache,
        con: duckdb.DuckDBPyConnection,
        snapshots: pd.DataFrame,
        made_from: dict[str, object],
    ) -> None:
        self._cache, self._con, self._made_from = cache, con, made_from
        self._snapshots = snapshots
        self._places = {
            pd.Timestamp(str(day)): np.asarray(places)
            for day, places in snapshots.groupby("observed_on").indices.items()
        }
        hashes = tables.row_hashes(snapshots[KEYS])
        self._digests = {day: tables.digest_of(hashes[own]) for day, own in self._places.items()}
        self._entries: dict[tuple[object, ...], Path] = {}
        self._read: tuple[np.ndarray, Known] | None = None

    def of(
        self,
        extractor: Extractor,
        digest: str,
        forms: Collection[TextForm],
        snapshots: pd.DataFrame,
    ) -> pd.DataFrame:
        """The columns that an extractor makes of some snapshots of the run.

        Returns
        -------
        pandas.DataFrame
            client_id and observed_on, and the extractor's columns, float64; the rows of
            `snapshots` in their order.
        """
        every = {day: self._entry(day, digest, forms) for day in self._places}
        days = {day: every[day] for day in snapshots["observed_on"].unique()}
        missing = [day for day, path in days.items() if not path.is_file()]
        if missing:
            self._make(extractor, forms, {day: days[day] for day in missing})
        if not days:
            return extractor.transform(self._con, snapshots, text=forms)
        made = self._cache.read(days.values())
        return snapshots[KEYS].merge(made, on=KEYS, how="left", validate="one_to_one")

    def _entry(self, day: pd.Timestamp, digest: str, forms: Collection[TextForm]) -> Path:
        key = (day, digest, *sorted(forms))
        if key not in self._entries:
            made_from = {
                "snapshots": self._digests[day],
                "raw": self._cache.raw_known_by(day.date()),
                "extractor": digest,
                "forms": sorted(forms),
            }
            self._entries[key] = self._cache.entry("features", self._made_from | made_from)
        return self._entries[key]

    def _make(
        self, extractor: Extractor, forms: Collection[TextForm], days: dict[pd.Timestamp, Path]
    ) -> None:
        places = [self._places[day] for day in days]
        known = self._known(np.concatenate(places))
        columns = extractor.columns_of(known, text=forms)
        keyed = pd.concat([known.rows[KEYS], columns], axis=1)
        made = pa.Table.from_pandas(keyed, preserve_index=False)
        start = 0
        for own, path in zip(places, days.values(), strict=True):
            self._cache.keep(made.slice(start, len(own)), path)
            start += len(own)

    def _known(self, places: np.ndarray) -> Known:
        """What was known of these snapshots; the last ones read are kept for the next extractor."""
        if self._read is None or not np.array_equal(self._read[0], places):
            rows = self._snapshots.iloc[places].reset_index(drop=True)
            self._read = places, Known(self._con, rows)
        return self._read[1]
