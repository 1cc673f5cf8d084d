"""Features of snapshots day by day: a day's features never change, so each is computed once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from evergreen.core.rows import KEYS
from evergreen.store import tables

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import duckdb

    from evergreen.core.extractor import Extractor, TextForm
    from evergreen.store.cache import Cache


class DailyFeatures:
    """The features of all snapshots of a run, from the cache where an earlier run has made them.

    Parameters
    ----------
    con
        The history as of the run; see `evergreen.core.extractor.Extractor.transform`.
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
        self._days = {
            pd.Timestamp(str(day)): rows.reset_index(drop=True)
            for day, rows in snapshots.groupby("observed_on")
        }
        self._digests = {day: tables.digest(rows[KEYS]) for day, rows in self._days.items()}

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
        every = {day: self._entry(day, digest, forms) for day in self._days}
        days = {day: every[day] for day in snapshots["observed_on"].unique()}
        missing = [day for day, path in days.items() if not path.is_file()]
        if missing:
            self._make(extractor, forms, {day: days[day] for day in missing})
        if not days:
            return extractor.transform(self._con, snapshots, text=forms)
        made = pd.concat([self._cache.read(path) for path in days.values()], ignore_index=True)
        return snapshots[KEYS].merge(made, on=KEYS, how="left", validate="one_to_one")

    def _entry(self, day: pd.Timestamp, digest: str, forms: Collection[TextForm]) -> Path:
        return self._cache.entry(
            "features",
            self._made_from
            | {
                "snapshots": self._digests[day],
                "raw": self._cache.raw_known_by(day.date()),
                "extractor": digest,
                "forms": sorted(forms),
            },
        )

    def _make(
        self, extractor: Extractor, forms: Collection[TextForm], days: dict[pd.Timestamp, Path]
    ) -> None:
        rows = pd.concat([self._days[day] for day in days], ignore_index=True)
        columns = extractor.transform(self._con, rows, text=forms)
        made = pd.concat([rows[KEYS], columns], axis=1)
        for day, path in days.items():
            unfinished = self._cache.unfinished(path)
            tables.write_frame(made[made["observed_on"] == day], unfinished)
            unfinished.replace(path)
