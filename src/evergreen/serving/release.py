"""A release in memory: predict from transactions and notes, or from features."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pandas as pd

from evergreen.core.events.ledger import create_texts
from evergreen.errors import DataError, ModelError
from evergreen.serving import events
from evergreen.serving.events_database import Databases
from evergreen.serving.extractor_group import (
    CreateTexts,
    ExtractorGroup,
    group_by_extractor,
)
from evergreen.settings import paths
from evergreen.settings.dates import parse_date
from evergreen.settings.names import prediction_column
from evergreen.store import releases

if TYPE_CHECKING:
    from evergreen.core.evaluation.losses import Kind
    from evergreen.settings.source_rules import SourceRules
    from evergreen.store.models import Model


class ServedRelease:
    """A verified release, ready to predict whatever happens to its files later.

    Made by `load_release`. Several threads may use it at once.

    Attributes
    ----------
    version : str
        The release's name, which is part of every prediction.
    kinds : dict of str to {"binary", "regression"}
        The kind of each target: a probability, or an amount in major units of money.
    models : dict of str to Model
        The model of each target, with its manifest.
    minor_units : int
        The number of minor units in a major unit of money.
    rules : SourceRules
        How ids of clients and times are read, as in the source.
    """

    def __init__(self, release: releases.Release) -> None:
        if release.version is None:
            raise ModelError("the release holds no model", "dvc repro, then evergreen finish")
        self.version = release.version
        self.kinds: dict[str, Kind] = {
            target: model.manifest.kind for target, model in release.models.items()
        }
        self.models: dict[str, Model] = release.models
        self._groups = group_by_extractor(release.models)
        self.minor_units = self._groups[0].extractor.minor_units
        self.rules = release.rules
        self._databases = Databases()

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the targets."""
        return tuple(self.kinds)

    def column_of(self, target: str) -> str:
        """The column of a target's predictions, such as ``purchase_probability``."""
        return prediction_column(target, self.kinds[target])

    def predict(
        self,
        rows: pd.DataFrame,
        as_of: date | str,
        *,
        notes: pd.DataFrame | None = None,
        clients: Iterable[str] | None = None,
        targets: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Predict what each client will do from a date on.

        Parameters
        ----------
        rows
            Either transactions (n, any): client_id, timestamp (local time) and amount_minor (whole
            minor units of money) or amount (major units), optionally quantity, text, invoice_id and
            ingested_on (when the row became known; by default the day of the timestamp). Or
            feature rows (n, k): client_id and the columns that `features` returns.
        as_of
            A date or YYYY-MM-DD. Events on or after this date, and those ingested later, are
            ignored with a warning.
        notes
            With transactions: client_id, timestamp and text, optionally language and ingested_on.
        clients
            With transactions: further clients, who may have no events.
        targets
            By default all. Feature rows come from one feature extractor: if the targets of a
            release have different ones, name targets that share one.

        Returns
        -------
        pandas.DataFrame
            client_id, observed_on (as_of), release, and a float64 column for each target:
            purchase_probability, churn_probability, clv (major units of money). For transactions
            one row per client, in the order of their ids; for feature rows one row each.

        Raises
        ------
        DataError
            If rows, notes or clients are not as described.
        FeatureMismatchError
            If feature rows have other columns than the models; the message lists the differences.
        ModelError
            If a model predicts an impossible value.
        ValueError
            If as_of is not a date, or a target does not exist.
        """
        day, names = day_of(as_of), self.check_targets(targets)
        _check_frame(rows)
        if events.are_events(rows):
            with self._database(rows, day, notes, clients) as (con, keys):
                return self.score(con, keys, day, targets=names)
        if notes is not None or clients is not None:
            raise DataError("notes and clients need transactions, found feature rows")
        ids = _clients_of(rows, day, self.rules)
        return self._table(ids, day, self._single_group(names).predict(rows, names))

    def predict_array(
        self, names: Sequence[str], matrix: np.ndarray, targets: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Predict feature rows like `predict`, without the cost of a table for a few rows.

        Parameters
        ----------
        names
            The names of the columns (k).
        matrix
            float64 (n, k).

        Returns
        -------
        dict
            The columns of `predict`: (n,) each.
        """
        chosen = self.check_targets(targets)
        predicted = self._single_group(chosen).predict_array(names, matrix, chosen)
        return {self.column_of(target): values for target, values in predicted.items()}

    def features(
        self,
        transactions: pd.DataFrame,
        as_of: date | str,
        *,
        notes: pd.DataFrame | None = None,
        clients: Iterable[str] | None = None,
        targets: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """The columns that the models of some targets use; arguments as for `predict`.

        Returns
        -------
        pandas.DataFrame
            client_id and observed_on, then the models' columns, float32: exactly the numbers that
            training would have used. Missing values are NaN.

        Raises
        ------
        DataError
            As for `predict`.
        """
        names = self.check_targets(targets)
        group = self._single_group(names)
        _check_frame(transactions)
        with self._database(transactions, day_of(as_of), notes, clients) as (con, keys):
            return pd.concat([keys, group.features(con, keys)[group.needed(names)]], axis=1)

    def score(
        self,
        con: duckdb.DuckDBPyConnection,
        snapshots: pd.DataFrame,
        as_of: date,
        *,
        targets: Sequence[str] | None = None,
        texts: CreateTexts = create_texts,
    ) -> pd.DataFrame:
        """Predict snapshots of a date from a database of events.

        Parameters
        ----------
        con
            With ``ledger``, ``attributes`` and what `texts` reads; see
            `evergreen.store.raw_history.open_history`.
        snapshots
            client_id (string) and observed_on (timestamp; equal to `as_of`), one row each.
        texts
            Creates ``text_ledger``; by default from ``transactions`` and ``notes``.

        Returns
        -------
        pandas.DataFrame
            As `predict` returns it, in the order of `snapshots`.
        """
        names = self.check_targets(targets)
        predictions: dict[str, np.ndarray] = {}
        for group in self._groups:
            of_group = [target for target in names if target in group.models]
            if of_group:
                features = group.features(con, snapshots, texts)
                predictions |= group.predict(features[group.needed(of_group)], of_group)
        predicted = {target: predictions[target] for target in names}
        return self._table(snapshots["client_id"].tolist(), as_of, predicted)

    def _table(
        self, clients: list[str], day: date, predicted: dict[str, np.ndarray]
    ) -> pd.DataFrame:
        keys = {"client_id": clients, "observed_on": np.datetime64(day, "us")}
        columns = {self.column_of(name): values for name, values in predicted.items()}
        return pd.DataFrame(keys | {"release": self.version} | columns, index=range(len(clients)))

    def check_targets(self, targets: Sequence[str] | None) -> Sequence[str]:
        """The targets to predict: those given, or all.

        Raises
        ------
        ValueError
            If a target does not exist.
        """
        if isinstance(targets, str):
            raise ValueError(f"targets must be a list, found {targets!r}")  # noqa: TRY004 - as for any other wrong target
        for target in targets or ():
            if target not in self.kinds:
                raise ValueError(
                    f"there is no target {target!r}; release {self.version} has "
                    f"{', '.join(self.kinds)}"
                )
        return self.targets if targets is None else targets

    def _single_group(self, targets: Sequence[str]) -> ExtractorGroup:
        groups = [group for group in self._groups if set(targets) & group.models.keys()]
        if len(groups) != 1:
            by_group = "; ".join(", ".join(group.models) for group in groups)
            raise DataError(
                "the models were trained with different feature extractors, whose columns have the "
                f"same names and different meanings ({by_group}): one table can't hold them all",
                "pass transactions, or name targets that share an extractor: targets=[...]",
            )
        return groups[0]

    @contextmanager
    def _database(
        self,
        rows: pd.DataFrame,
        day: date,
        notes: pd.DataFrame | None,
        clients: Iterable[str] | None,
    ) -> Iterator[tuple[duckdb.DuckDBPyConnection, pd.DataFrame]]:
        if isinstance(clients, str):  # its letters are not clients
            raise DataError(f"clients must be a list, found {clients!r}", f"[{clients!r}]")
        transactions = events.read_transactions(
            rows, minor_units=self.minor_units, rules=self.rules
        )
        note_table = events.read_notes(notes, self.rules)
        for where, table in (("the events", transactions), ("the notes", note_table)):
            for notice in events.ignored_notice(where, events.ignored(table, day), day):
                warnings.warn(notice, events.EventsIgnoredWarning, stacklevel=4)  # at our caller
        ids = {*transactions["client_id"].to_pylist(), *note_table["client_id"].to_pylist()}
        ids |= set(events.client_ids(clients or (), "clients", self.rules))
        keys = snapshots_on(day, sorted(ids))
        with self._databases.of(transactions, note_table) as con:
            yield con, keys


def load_release(path: str | Path = paths.CURRENT) -> ServedRelease:
    """Load a release into memory, after checking every file of it.

    Parameters
    ----------
    path
        Its folder; by default the release in production.

    Raises
    ------
    ModelError
        If a file is missing, altered or unexpected, or belongs to another release. No file that
        could run code is read before its digest was compared with the manifest.

    Notes
    -----
    The digests reveal damage and mix-ups, not manipulation: whoever can write the whole folder can
    make a release that passes. Protect the folder like the code.
    """
    return ServedRelease(read_release(Path(path)))


def read_release(folder: Path) -> releases.Release:
    """Read a release after checking every file, with the next step where it is not valid."""
    if not folder.is_dir():
        recorded = any(paths.HISTORY.glob("*.json"))  # by others: this clone has pulled nothing yet
        raise ModelError(
            f"{folder} was expected to hold a release, but does not exist",
            "evergreen pull" if recorded else "evergreen finish",
        )
    real = folder.resolve()
    try:
        return releases.load_release(real)
    except ModelError as error:
        if real.parent == paths.RELEASES.resolve():  # DVC does not track this folder
            raise ModelError(error.message, "evergreen finish, to publish it again") from None
        raise


def day_of(value: date | str) -> date:
    """The date of a date, a time or a string YYYY-MM-DD.

    Raises
    ------
    ValueError
        If the value is anything else.
    """
    day = parse_date(value) if isinstance(value, str) else value
    if isinstance(day, np.datetime64):
        day = pd.Timestamp(day)
    if not isinstance(day, date) or pd.isna(day):  # with NaT, every event would be ignored
        raise ValueError(f"{value!r} is not a date (expected YYYY-MM-DD)")
    return day.date() if isinstance(day, datetime) else day


def snapshots_on(day: date, clients: list[str]) -> pd.DataFrame:
    """One row per client, with the date as observed_on."""
    keys = pd.DataFrame({"client_id": pd.Series(clients, dtype="str")})
    return keys.assign(observed_on=np.datetime64(day, "us"))


def _check_frame(rows: object) -> None:
    if not isinstance(rows, pd.DataFrame):
        raise DataError(
            f"transactions or feature rows must be a DataFrame, found {type(rows).__name__}"
        )


def _clients_of(rows: pd.DataFrame, day: date, rules: SourceRules) -> list[str]:
    where = "the feature rows"
    if "client_id" not in rows:
        raise DataError(
            f"{where} have no client_id, found {', '.join(map(str, rows.columns[:5]))} ...",
            "add client_id; or timestamp and amount, if these are transactions",
        )
    if "observed_on" in rows:
        observed = rows["observed_on"].to_numpy("datetime64[D]")
        others = observed[observed != np.datetime64(day)]
        if len(others):
            raise DataError(
                f"{where} are as of {others[0]}, as_of is {day}", "pass the date of the rows"
            )
    return events.client_ids(rows["client_id"].tolist(), where, rules)
