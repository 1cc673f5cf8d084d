"""A release in memory: from what clients did, or from features, to predictions."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from evergreen.errors import DataError, ModelError
from evergreen.serving import events
from evergreen.serving.events_database import Databases
from evergreen.serving.extractor_group import Shared, by_extractor
from evergreen.settings import paths
from evergreen.settings.dates import parse_date
from evergreen.store import releases
from evergreen.store.predictions import column_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import duckdb

    from evergreen.core.evaluation.losses import Kind
    from evergreen.store.models import Model


class ServedRelease:
    """A verified release, ready to predict, whatever becomes of its files later.

    Made by `load_release`. Several threads may use it at once.

    Attributes
    ----------
    version : str
        The release's name, which stands in every prediction.
    kinds : dict of str to {"binary", "regression"}
        Its targets: whether a probability is predicted, or an amount in major units of money.
    models : dict of str to Model
        The model of each target, with its manifest.
    minor_units : int
        How many minor units of money make a major one.
    """

    def __init__(self, release: releases.Release) -> None:
        if release.version is None:
            raise ModelError("the release holds no model", "dvc repro, then evergreen finish")
        self.version = release.version
        self.kinds: dict[str, Kind] = {
            target: model.manifest.kind for target, model in release.models.items()
        }
        self.models: dict[str, Model] = release.models
        self._shared = by_extractor(release.models)
        self.minor_units = self._shared[0].extractor.minor_units
        self._databases = Databases()

    @property
    def targets(self) -> tuple[str, ...]:
        """What it predicts."""
        return tuple(self.kinds)

    def column_of(self, target: str) -> str:
        """The column in which a target is predicted, such as ``purchase_probability``."""
        return column_of(target, self.kinds[target])

    def predict(
        self,
        rows: pd.DataFrame,
        as_of: date | str,
        *,
        notes: pd.DataFrame | None = None,
        clients: Iterable[str] | None = None,
        targets: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Predict what each client will do from a day on.

        Parameters
        ----------
        rows
            Either transactions (n, any): client_id, timestamp (local time) and amount_minor (whole
            minor units of money) or amount (major units), optionally quantity, text, invoice_id and
            ingested_on (when a row became known; on the day of the timestamp by default). Or
            feature rows (n, k): client_id and the columns that `features` gives.
        as_of
            The day, as a date or YYYY-MM-DD. Events from this day on, and those ingested later, are
            ignored with a warning.
        notes
            With transactions: client_id, timestamp and text, optionally language and ingested_on.
        clients
            With transactions: further clients, of whom nothing need be known.
        targets
            All by default. Feature rows are of one extractor: where targets of a release have
            different ones, name those that share it.

        Returns
        -------
        pandas.DataFrame
            client_id, observed_on (as_of), release, and a float64 column for each target:
            purchase_probability, churn_probability, clv (major units of money). Of transactions a
            row for each client, in the order of their ids; of feature rows a row for each.

        Raises
        ------
        DataError
            If rows, notes or clients are not as described.
        FeatureMismatchError
            If feature rows have other columns than the models, with a line for each difference.
        ModelError
            If a model predicts what can't be.
        ValueError
            If as_of is no day, or there is no such target.
        """
        day, wanted = day_of(as_of), self._named(targets)
        _check_frame(rows)
        if events.are_events(rows):
            with self._opened(rows, day, notes, clients) as (con, keys):
                return self.score(con, keys, day, targets=wanted)
        if notes is not None or clients is not None:
            raise DataError("notes and clients go with transactions, found feature rows")
        ids = _clients_of(rows, day)
        return self._table(ids, day, self._one_extractor(wanted).predict(rows, wanted))

    def predict_array(
        self, names: Sequence[str], matrix: np.ndarray, targets: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Predict feature rows as `predict` does, without the cost of a table for a few rows.

        Parameters
        ----------
        names
            Of the columns (k).
        matrix
            float64 (n, k).

        Returns
        -------
        dict
            The columns of `predict`, (n,) each.
        """
        wanted = self._named(targets)
        predicted = self._one_extractor(wanted).predict_array(names, matrix, wanted)
        return {self.column_of(target): made for target, made in predicted.items()}

    def features(
        self,
        transactions: pd.DataFrame,
        as_of: date | str,
        *,
        notes: pd.DataFrame | None = None,
        clients: Iterable[str] | None = None,
        targets: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """The columns that the models of some targets see; arguments as for `predict`.

        Returns
        -------
        pandas.DataFrame
            client_id and observed_on, then the models' columns, float64: the very numbers that
            they would have been trained on. What does not exist is NaN.

        Raises
        ------
        DataError
            As for `predict`.
        """
        wanted = self._named(targets)
        shared = self._one_extractor(wanted)
        _check_frame(transactions)
        with self._opened(transactions, day_of(as_of), notes, clients) as (con, keys):
            return pd.concat([keys, shared.features(con, keys)[shared.needed(wanted)]], axis=1)

    def score(
        self,
        con: duckdb.DuckDBPyConnection,
        snapshots: pd.DataFrame,
        as_of: date,
        *,
        targets: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Predict snapshots of a day from a database of what happened.

        Parameters
        ----------
        con
            With ``transactions``, ``notes`` and ``ledger``; see
            `evergreen.store.raw_history.open_history`.
        snapshots
            client_id (string) and observed_on (timestamp; `as_of`), a row each.

        Returns
        -------
        pandas.DataFrame
            As `predict` gives it, in the order of `snapshots`.
        """
        wanted = self._named(targets)
        found: dict[str, np.ndarray] = {}
        for shared in self._shared:
            here = [target for target in wanted if target in shared.models]
            if here:
                features = shared.features(con, snapshots)
                found |= shared.predict(features[shared.needed(here)], here)
        predicted = {target: found[target] for target in wanted}
        return self._table(snapshots["client_id"].tolist(), as_of, predicted)

    def _table(
        self, clients: list[str], day: date, predicted: dict[str, np.ndarray]
    ) -> pd.DataFrame:
        keys = {"client_id": clients, "observed_on": np.datetime64(day, "us")}
        columns = {self.column_of(name): made for name, made in predicted.items()}
        return pd.DataFrame(keys | {"release": self.version} | columns, index=range(len(clients)))

    def _named(self, targets: Sequence[str] | None) -> Sequence[str]:
        if isinstance(targets, str):
            raise ValueError(f"targets are expected in a list, found {targets!r}")  # noqa: TRY004 - as for any other wrong target
        for target in targets or ():
            if target not in self.kinds:
                raise ValueError(
                    f"there is no target {target!r}; {self.version} has {', '.join(self.kinds)}"
                )
        return self.targets if targets is None else targets

    def _one_extractor(self, wanted: Sequence[str]) -> Shared:
        found = [shared for shared in self._shared if set(wanted) & shared.models.keys()]
        if len(found) != 1:
            groups = "; ".join(", ".join(shared.models) for shared in found)
            raise DataError(
                "the models were trained with different extractors, whose columns have the same "
                f"names and different meanings ({groups}): one table can't hold them all",
                "pass transactions, or name targets that share an extractor: targets=[...]",
            )
        return found[0]

    @contextmanager
    def _opened(
        self,
        rows: pd.DataFrame,
        day: date,
        notes: pd.DataFrame | None,
        clients: Iterable[str] | None,
    ) -> Iterator[tuple[duckdb.DuckDBPyConnection, pd.DataFrame]]:
        if isinstance(clients, str):  # whose letters are not meant
            raise DataError(f"clients are expected in a list, found {clients!r}", f"[{clients!r}]")
        transactions = events.read_transactions(rows, minor_units=self.minor_units)
        written = events.read_notes(notes)
        for where, read in (("the events", transactions), ("the notes", written)):
            for notice in events.told(where, events.unknown(read, day), day):
                warnings.warn(notice, events.EventsIgnoredWarning, stacklevel=4)  # our caller's
        ids = {*transactions["client_id"].to_pylist(), *written["client_id"].to_pylist()}
        ids |= set(events.client_ids(clients or (), "clients"))
        keys = snapshots_on(day, sorted(ids))
        with self._databases.of(transactions, written) as con:
            yield con, keys


def load_release(path: str | Path = paths.CURRENT) -> ServedRelease:
    """Load a release into memory, after checking every file of it.

    Parameters
    ----------
    path
        Its folder; the release that is served by default.

    Raises
    ------
    ModelError
        If a file is missing, altered or foreign, or belongs to another release. Nothing that could
        run code is read before its digest is what the manifest says.

    Notes
    -----
    The digests show damage and mix-ups. Whoever can write the whole folder can make a release that
    vouches for itself: keep the folder as safe as the code.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise ModelError(
            f"{folder} was expected to hold a release, and is not there", "evergreen finish"
        )
    real = folder.resolve()
    try:
        found = releases.load_release(real)
    except ModelError as error:
        if real.parent == paths.RELEASES.resolve():  # which DVC knows nothing of
            raise ModelError(error.message, "evergreen finish, which publishes it anew") from None
        raise
    return ServedRelease(found)


def day_of(value: date | str) -> date:
    """A day given as a date, a time or YYYY-MM-DD.

    Raises
    ------
    ValueError
        If it is none.
    """
    day = parse_date(value) if isinstance(value, str) else value
    if isinstance(day, np.datetime64):
        day = pd.Timestamp(day)
    if not isinstance(day, date) or pd.isna(day):  # at NaT nothing would be known of anybody
        raise ValueError(f"{value!r} is not a date (expected YYYY-MM-DD)")
    return day.date() if isinstance(day, datetime) else day


def snapshots_on(day: date, clients: list[str]) -> pd.DataFrame:
    """A row for each client, with the day as observed_on."""
    keys = pd.DataFrame({"client_id": pd.Series(clients, dtype="str")})
    return keys.assign(observed_on=np.datetime64(day, "us"))


def _check_frame(rows: object) -> None:
    if not isinstance(rows, pd.DataFrame):
        raise DataError(
            f"transactions or feature rows are expected as a DataFrame, found {type(rows).__name__}"
        )


def _clients_of(rows: pd.DataFrame, day: date) -> list[str]:
    where = "the feature rows"
    if "client_id" not in rows:
        raise DataError(
            f"{where} lack client_id, found {', '.join(map(str, rows.columns[:5]))} ...",
            "add it; or, if these are transactions, timestamp and amount",
        )
    if "observed_on" in rows:
        observed = rows["observed_on"].to_numpy("datetime64[D]")
        others = observed[observed != np.datetime64(day)]
        if len(others):
            raise DataError(
                f"{where} are of {others[0]}, as_of is {day}", "pass the day that they are of"
            )
    return events.client_ids(rows["client_id"].tolist(), where)
