"""The feature extractor: from events to the columns of a model, fitted rarely and then frozen.

It is fitted on training clients only, and stored with every model that was trained on its columns.
If the vocabulary were refitted for each batch, column k would change its meaning from run to run,
and neither a warm start nor a comparison would make sense.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import duckdb
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from evergreen.core.features import numeric
from evergreen.core.features.attributes import Attributes, fit_attributes, known_attributes
from evergreen.core.features.btyd_columns import Btyd, fit_btyd
from evergreen.core.features.chunks import CONSTANT, constant, in_chunks
from evergreen.core.features.text import (
    Documents,
    TextModel,
    fit_text,
    read_documents,
)
from evergreen.settings.features import FeatureSettings
from evergreen.settings.names import TextForm


class ClientHistories:
    """What was known of some snapshots, read once for any number of extractors.

    Parameters
    ----------
    con, rows
        As for `Extractor.transform`.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, rows: pd.DataFrame) -> None:
        self._con, self.rows = con, rows
        self._numeric: dict[tuple[object, ...], pd.DataFrame] = {}

    def numeric(
        self, windows_days: tuple[int, ...], year_ago_days: int, minor_units: int
    ) -> pd.DataFrame:
        """The numeric features; see `evergreen.core.features.numeric.numeric_features`."""
        key = (windows_days, year_ago_days, minor_units)
        if key not in self._numeric:
            self._numeric[key] = numeric.numeric_features(
                self._con,
                self.rows,
                windows_days=windows_days,
                year_ago_days=year_ago_days,
                minor_units=minor_units,
            )
        return self._numeric[key]

    @cached_property
    def attributes(self) -> pd.DataFrame:
        """The clients' attributes; see `evergreen.core.features.attributes.known_attributes`."""
        return known_attributes(self._con, self.rows)

    @cached_property
    def documents(self) -> Documents:
        """The clients' texts; see `evergreen.core.features.text.read_documents`."""
        return read_documents(self._con, self.rows)


@dataclass(frozen=True)
class Extractor:
    """The columns that models see, and how they are computed from events.

    Attributes
    ----------
    fitted_on
        It was fitted on what was known by this date.
    windows_days, year_ago_days, minor_units
        As for `evergreen.core.features.numeric.numeric_features`.
    numeric
        The numeric features in use.
    left_out
        The features that the history does not support yet, each with the reason.
    btyd
        Buy-till-you-die models; their columns are always computed, for a baseline.
    btyd_in_use
        Whether models see these columns.
    max_chars
        The number of characters that are read of a text.
    text
        None for a data set without text.
    attributes
        None for a data set without client attributes, or if models don't see them.
    """

    fitted_on: date
    windows_days: tuple[int, ...]
    year_ago_days: int
    minor_units: int
    numeric: tuple[str, ...]
    left_out: dict[str, str]
    btyd: Btyd
    btyd_in_use: bool
    max_chars: int
    text: TextModel | None
    attributes: Attributes | None = None

    def columns(self, form: TextForm) -> list[str]:
        """The names of a model's columns, in order, if it uses this form of the text."""
        expected = self.btyd.names if self.btyd_in_use else []
        attributes = self.attributes.names if self.attributes else []
        return [*self.numeric, *expected, *attributes, *self._text_names(form)]

    def steady(self, history_days: int) -> list[str]:
        """Columns whose distribution can be compared over time; see `numeric.steady`."""
        steady = numeric.steady(self.windows_days, history_days)
        attributes = self.attributes.names if self.attributes else []
        return [*(name for name in self.numeric if name in steady), *attributes]

    def reads(self, form: TextForm) -> set[str]:
        """A model's columns and the words behind them, by which two models can be compared."""
        columns = set(self.columns(form))
        terms = self.text.terms if self.text is not None and form == "components" else ()
        levels = self.attributes.levels if self.attributes is not None else {}
        named = {f"{name}: {level}" for name, words in levels.items() for level in words}
        return columns | named | {f"text: {term}" for term in terms}

    def _text_names(self, form: TextForm) -> list[str]:
        if self.text is None:
            return []
        if form == "components":
            return [f"text_{k:02d}" for k in range(len(self.text.components))]
        return [f"term_{term.replace(' ', '__')}" for term in self.text.terms]

    def transform(
        self,
        con: duckdb.DuckDBPyConnection,
        rows: pd.DataFrame,
        *,
        text: Collection[TextForm] = frozenset({"components"}),
    ) -> pd.DataFrame:
        """Compute the columns of some snapshots, for training and serving alike.

        Parameters
        ----------
        con
            A connection with ``ledger``, ``attributes`` and ``text_ledger``.
        rows
            client_id (string) and observed_on (date), one row for each snapshot.
        text
            The forms of the text to compute.

        Returns
        -------
        pandas.DataFrame
            float32, one row for each of `rows`, in the same order. Numeric features may be NaN. The
            columns of `btyd` are included even if models don't see them.

        Notes
        -----
        Features are rounded to float32 here and nowhere else, so training and serving see the
        same bits. Buy-till-you-die models read the exact numbers.
        """
        return self.columns_of(ClientHistories(con, rows), text=text)

    def columns_of(self, histories: ClientHistories, *, text: Collection[TextForm]) -> pd.DataFrame:
        """Compute the columns, as `transform`, from histories that may be read already."""
        numeric = histories.numeric(self.windows_days, self.year_ago_days, self.minor_units)
        parts = [numeric[list(self.numeric)], self.btyd.transform(numeric)]
        if self.attributes is not None:
            parts.append(self.attributes.transform(histories.attributes))
        parts = [part.astype(np.float32) for part in parts]
        if self.text is not None and text:
            parts += self._text_columns(self.text, histories.documents, text)
        return pd.concat(parts, axis=1)

    def _text_columns(
        self, model: TextModel, documents: Documents, forms: Collection[TextForm]
    ) -> list[pd.DataFrame]:
        rows = documents.counts.shape[0]
        names = {form: self._text_names(form) for form in sorted(forms)}
        columns = {form: np.empty((rows, len(of)), np.float32) for form, of in names.items()}
        for part, weights in model.weights_in_parts(documents):
            if "components" in columns:
                columns["components"][part] = model.reduce(weights)
            if "terms" in columns:
                columns["terms"][part] = weights.toarray()
        return [pd.DataFrame(columns[form], columns=of) for form, of in names.items()]


def fit_extractor(
    con: duckdb.DuckDBPyConnection,
    rows: pd.DataFrame,
    *,
    fitted_on: date,
    features: FeatureSettings,
    horizons_days: Sequence[int],
    minor_units: int,
    seed: int,
) -> Extractor:
    """Choose the numeric features that the history supports; fit buy-till-you-die and text models.

    Purchases and spend are counted in the windows of the settings and in one as long as each
    horizon: what happened in the last period is a baseline.

    Parameters
    ----------
    con
        A connection with ``ledger``, ``attributes`` and ``text_ledger``.
    rows
        client_id and observed_on of the training snapshots: no held-out client among them.
    fitted_on
        Only purchases and texts of the training clients that were known by this date are read.
    horizons_days
        Of the targets: how far ahead buy-till-you-die predicts. The longest is also the length of
        the period a year ago.
    """
    windows_days = tuple(sorted({*features.windows_days, *horizons_days}))
    needs = numeric.lookbacks(windows_days)
    left_out = _unsupported(con, rows, needs, features.support)
    clients = pd.DataFrame({"client_id": sorted(set(rows["client_id"]))})
    clients = clients.assign(observed_on=fitted_on)

    def numeric_of(snapshots: pd.DataFrame) -> pd.DataFrame:
        return numeric.numeric_features(
            con,
            snapshots,
            windows_days=windows_days,
            year_ago_days=max(horizons_days),
            minor_units=minor_units,
        )

    for name in constant(numeric_of(part) for part in in_chunks(rows)):
        left_out.setdefault(name, CONSTANT)
    attributes = None
    if features.attributes:
        attributes, unused = fit_attributes(con, rows, clients, support=features.support)
        left_out |= unused
    text = None
    if features.text.enabled:
        with threadpool_limits(1):  # the same bytes, however many cores there are
            text = fit_text(read_documents(con, clients), features.text, seed=seed)
    return Extractor(
        fitted_on=fitted_on,
        windows_days=windows_days,
        year_ago_days=max(horizons_days),
        minor_units=minor_units,
        numeric=tuple(name for name in needs if name not in left_out),
        left_out=left_out,
        btyd=fit_btyd(numeric_of(clients), horizons_days=tuple(sorted(set(horizons_days)))),
        btyd_in_use=features.btyd,
        max_chars=features.text.max_chars,
        text=text,
        attributes=attributes,
    )


def _unsupported(
    con: duckdb.DuckDBPyConnection, rows: pd.DataFrame, needs: dict[str, int], support: float
) -> dict[str, str]:
    [(start,)] = con.sql("select min(greatest(day, known_on - 1)) from ledger").fetchall()
    behind = pd.to_datetime(rows["observed_on"]) - pd.Timestamp(start)
    days = behind.dt.days.to_numpy()
    reached = {name: float(np.mean(days >= lookback)) for name, lookback in needs.items()}
    return {
        name: f"looks back {needs[name]} days, which {share:.0%} of the training snapshots have"
        for name, share in reached.items()
        if needs[name] and share < support
    }
