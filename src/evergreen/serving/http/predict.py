"""From the content of a request to predictions, and from these to JSON or CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from io import BytesIO
from itertools import chain
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from pydantic_core import to_json

from evergreen.core.events.label_selection import KEYS
from evergreen.errors import DataError, ModelError
from evergreen.serving import events, events_database
from evergreen.serving.http.bodies import ClientEvents, FeatureRows
from evergreen.serving.http.limits import RefusedError
from evergreen.serving.release import ServedRelease, snapshots_on
from evergreen.serving.scores_file import without_formulas

NO_EVENTS = pd.DataFrame({"client_id": [], "timestamp": [], "amount_minor": []}, dtype="str")
CLIENTS = 25_000
"""Clients of a request that are scored at a time."""


class PredictionQuery(NamedTuple):
    """What to predict with which release; it stays the same for the whole request."""

    release: ServedRelease
    as_of: date
    targets: tuple[str, ...] | None


class PredictionResult(NamedTuple):
    """Predictions of one release.

    Attributes
    ----------
    predicted
        By the name of the column: float64, one number for each client.
    notices
        What the caller should know, such as ignored events.
    """

    release: ServedRelease
    as_of: date
    clients: list[str]
    predicted: dict[str, np.ndarray]
    notices: list[str]

    def as_json(self) -> bytes:
        """The result in JSON, with all digits of every number."""
        names = ["client_id", *self.predicted]
        columns = [self.clients, *(column.tolist() for column in self.predicted.values())]
        rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        content = {"release": self.release.version, "as_of": self.as_of, "predictions": rows}
        return to_json(content | {"notices": self.notices})

    def as_csv(self) -> bytes:
        """The result as a CSV file that is safe to open in a spreadsheet."""
        n = len(self.clients)
        keys = {
            "client_id": pa.array(self.clients, pa.string()),
            "observed_on": pa.repeat(pa.scalar(self.as_of, pa.date32()), n),
            "release": pa.repeat(self.release.version, n),
        }
        csv = BytesIO()
        pa_csv.write_csv(without_formulas(pa.table(keys | self.predicted)), csv)
        return csv.getvalue()


def _result(query: PredictionQuery, rows: pd.DataFrame, notices: list[str]) -> PredictionResult:
    """The result for rows as `evergreen.serving.release.ServedRelease.predict` returns them."""
    predicted = {
        str(name): rows[name].to_numpy() for name in rows if name not in {*KEYS, "release"}
    }
    clients = rows["client_id"].tolist()
    return PredictionResult(query.release, query.as_of, clients, predicted, notices)


@contextmanager
def input_errors_refused() -> Iterator[None]:
    """Tell the caller why their rows can't be predicted."""
    try:
        yield
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise RefusedError(422, f"the events can't be aggregated: {reason}") from None
    except (DataError, ModelError, ValueError, OverflowError, pa.ArrowException) as error:
        raise RefusedError(422, str(error)) from None


def predict_feature_table(query: PredictionQuery, rows: pd.DataFrame) -> PredictionResult:
    """Predict the feature rows of a CSV file."""
    with input_errors_refused():
        predictions = query.release.predict(rows, query.as_of, targets=query.targets)
    return _result(query, predictions, [])


def predict_feature_rows(query: PredictionQuery, features: FeatureRows) -> PredictionResult:
    """Predict the feature rows of a JSON body, without the cost of a table."""
    clients, names, matrix = features
    with input_errors_refused():
        predicted = query.release.predict_array(names, matrix, query.targets)
    return PredictionResult(query.release, query.as_of, clients, predicted, [])


class ScoredEvents(NamedTuple):
    """Rows of predictions, and which events were ignored: bool, one for each event."""

    rows: pd.DataFrame
    ignored_transactions: np.ndarray
    ignored_notes: np.ndarray

    def result(self, query: PredictionQuery) -> PredictionResult:
        """The result for the caller who sent these events."""
        notices = events.ignored_notice("the events", self.ignored_transactions, query.as_of)
        notices += events.ignored_notice("the notes", self.ignored_notes, query.as_of)
        return _result(query, self.rows, notices)


def predict_events(
    databases: events_database.Databases, query: PredictionQuery, transactions: pd.DataFrame
) -> PredictionResult:
    """Predict clients from their transactions, in the order of their ids."""
    return _score(databases, query, transactions, None, None).result(query)


def _score(
    databases: events_database.Databases,
    query: PredictionQuery,
    transaction_rows: pd.DataFrame,
    note_rows: pd.DataFrame | None,
    clients: list[str] | None,
) -> ScoredEvents:
    release, day = query.release, query.as_of
    with input_errors_refused():
        transactions = events.read_transactions(
            transaction_rows, minor_units=release.minor_units, rules=release.rules
        )
        notes = events.read_notes(note_rows, release.rules)
        ids = clients or sorted(set(transactions["client_id"].to_pylist()))
        chunks = [ids[start : start + CLIENTS] for start in range(0, len(ids), CLIENTS)]
        scores = []
        for chunk in chunks:
            tables = (transactions, notes)
            if len(chunks) > 1:
                tables = (_of_clients(transactions, chunk), _of_clients(notes, chunk))
            with databases.of(*tables) as con:
                snapshots = snapshots_on(day, chunk)
                scores.append(release.score(con, snapshots, day, targets=query.targets))
    rows = pd.concat(scores, ignore_index=True)
    return ScoredEvents(rows, events.ignored(transactions, day), events.ignored(notes, day))


def _of_clients(table: pa.Table, clients: list[str]) -> pa.Table:
    return table.filter(pc.is_in(table["client_id"], value_set=pa.array(clients, pa.string())))


def predict_batch(
    databases: events_database.Databases, query: PredictionQuery, batch: Sequence[ClientEvents]
) -> list[PredictionResult | RefusedError]:
    """Answer several requests in one pass over the database, as if each came alone.

    A pass takes about as long for one client as for fifty. A number before each id keeps the
    clients of different requests apart. If one request is at fault, or has times that its other
    times help to read, each is answered separately.
    """
    if len(batch) > 1 and not all(request.has_plain_times for request in batch):
        return [result for one in batch for result in predict_batch(databases, query, [one])]
    numbered = [_numbered(number, request) for number, request in enumerate(batch)]
    transactions, notes, clients = (
        list(chain.from_iterable(rows)) for rows in zip(*numbered, strict=True)
    )
    try:
        scored = _score(
            databases,
            query,
            pd.DataFrame(transactions) if transactions else NO_EVENTS,
            pd.DataFrame(notes) if notes else None,
            clients,
        )
    except RefusedError as refused:
        if len(batch) == 1:
            return [refused]
        return [result for one in batch for result in predict_batch(databases, query, [one])]
    return list(_split(scored, batch, query))


def _numbered(number: int, request: ClientEvents) -> ClientEvents:
    def renamed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row | {"client_id": f"{number} {row['client_id']}"} for row in rows]

    ids = [f"{number} {client}" for client in request.clients]
    return ClientEvents(renamed(request.transactions), renamed(request.notes), ids)


def _split(
    scored: ScoredEvents, batch: Sequence[ClientEvents], query: PredictionQuery
) -> Iterator[PredictionResult]:
    sizes = np.array([[len(rows) for rows in request] for request in batch])
    ends = sizes.cumsum(axis=0)
    for request, size, end in zip(batch, sizes, ends, strict=True):
        transactions, notes, clients = (slice(e - s, e) for s, e in zip(size, end, strict=True))
        yield ScoredEvents(
            scored.rows.iloc[clients].assign(client_id=request.clients),
            scored.ignored_transactions[transactions],
            scored.ignored_notes[notes],
        ).result(query)
