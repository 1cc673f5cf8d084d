"""From a body that was read to predictions, and these to what is sent back."""

from __future__ import annotations

from contextlib import contextmanager
from io import BytesIO
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from pydantic_core import to_json

from evergreen.core.events.label_selection import KEYS
from evergreen.errors import DataError, ModelError
from evergreen.serving import events
from evergreen.serving.batch import CLIENTS
from evergreen.serving.http.bodies import Events
from evergreen.serving.http.limits import RefusedError
from evergreen.serving.release import snapshots_on
from evergreen.serving.scores_file import without_formulas

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from evergreen.serving.events_database import Databases
    from evergreen.serving.http.bodies import Features
    from evergreen.serving.release import ServedRelease

NO_EVENTS = pd.DataFrame({"client_id": [], "timestamp": [], "amount_minor": []}, dtype="str")


class Question(NamedTuple):
    """What is asked of which release; the same one from the first to the last step of a request."""

    release: ServedRelease
    as_of: date
    targets: tuple[str, ...] | None


class Answer(NamedTuple):
    """Predictions of one release.

    Attributes
    ----------
    predicted
        By the name of the column: float64, one number for each client.
    notices
        What the caller should know, such as events that did not count.
    """

    release: ServedRelease
    as_of: date
    clients: list[str]
    predicted: dict[str, np.ndarray]
    notices: list[str]

    def as_json(self) -> bytes:
        """The answer in JSON, every digit of every number."""
        names = ["client_id", *self.predicted]
        columns = [self.clients, *(column.tolist() for column in self.predicted.values())]
        listed = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        content = {"release": self.release.version, "as_of": self.as_of, "predictions": listed}
        return to_json(content | {"notices": self.notices})

    def as_csv(self) -> bytes:
        """The answer as a CSV file that is safe to open in a spreadsheet."""
        n = len(self.clients)
        keys = {
            "client_id": pa.array(self.clients, pa.string()),
            "observed_on": pa.repeat(pa.scalar(self.as_of, pa.date32()), n),
            "release": pa.repeat(self.release.version, n),
        }
        written = BytesIO()
        pa_csv.write_csv(without_formulas(pa.table(keys | self.predicted)), written)
        return written.getvalue()


def answer_of(question: Question, rows: pd.DataFrame, notices: list[str]) -> Answer:
    """An answer from what `evergreen.serving.release.ServedRelease.predict` gives."""
    predicted = {
        str(name): rows[name].to_numpy() for name in rows if name not in {*KEYS, "release"}
    }
    clients = rows["client_id"].tolist()
    return Answer(question.release, question.as_of, clients, predicted, notices)


@contextmanager
def explained() -> Iterator[None]:
    """Tell whoever asked why their rows can't be predicted."""
    try:
        yield
    except duckdb.Error as error:
        raise RefusedError(
            422, f"the events can't be added up: {str(error).splitlines()[0]}"
        ) from None
    except (DataError, ModelError, ValueError, OverflowError, pa.ArrowException) as error:
        raise RefusedError(422, str(error)) from None


def predict_features(question: Question, rows: pd.DataFrame) -> Answer:
    """Predict feature rows."""
    with explained():
        predicted = question.release.predict(rows, question.as_of, targets=question.targets)
    return answer_of(question, predicted, [])


def predict_few(question: Question, features: Features) -> Answer:
    """Predict the feature rows of a JSON body: what a table would cost is spared."""
    release, (clients, names, matrix) = question.release, features
    with explained():
        predicted = release.predict_array(names, matrix, question.targets)
    return Answer(release, question.as_of, clients, predicted, [])


class Scored(NamedTuple):
    """Rows of predictions, and which events did not count: bool, one for each event."""

    rows: pd.DataFrame
    unknown_transactions: np.ndarray
    unknown_notes: np.ndarray

    def answer(self, question: Question) -> Answer:
        """The answer to whoever brought these events."""
        notices = events.told("the events", self.unknown_transactions, question.as_of)
        notices += events.told("the notes", self.unknown_notes, question.as_of)
        return answer_of(question, self.rows, notices)


def predict_events(databases: Databases, question: Question, transactions: pd.DataFrame) -> Answer:
    """Predict clients from their transactions, in the order of their ids."""
    scored = _score(databases, question, transactions, None, None)
    return scored.answer(question)


def _score(
    databases: Databases,
    question: Question,
    transactions: pd.DataFrame,
    notes: pd.DataFrame | None,
    clients: list[str] | None,
) -> Scored:
    release, day = question.release, question.as_of
    with explained():
        bought = events.read_transactions(transactions, minor_units=release.minor_units)
        written = events.read_notes(notes)
        ids = clients or sorted(set(bought["client_id"].to_pylist()))
        parts = [ids[start : start + CLIENTS] for start in range(0, len(ids), CLIENTS)]
        scored = []
        for part in parts:
            ours = [_of_clients(table, part) if parts[1:] else table for table in (bought, written)]
            with databases.of(*ours) as con:
                snapshots = snapshots_on(day, part)
                scored.append(release.score(con, snapshots, day, targets=question.targets))
    rows = pd.concat(scored, ignore_index=True)
    return Scored(rows, events.unknown(bought, day), events.unknown(written, day))


def _of_clients(table: pa.Table, clients: list[str]) -> pa.Table:
    return table.filter(pc.is_in(table["client_id"], value_set=pa.array(clients, pa.string())))


def predict_together(
    databases: Databases, question: Question, asked: Sequence[Events]
) -> list[Answer | RefusedError]:
    """Answer several requests by one pass over the database, as if each were alone.

    A pass takes about as long for one client as for fifty. Each request's clients are told from
    those of the others by a number before their ids. Where something is wrong in one of them, each
    is answered by itself.
    """
    numbered = [_numbered(number, one) for number, one in enumerate(asked)]
    bought, written, clients = (
        list(chain.from_iterable(rows)) for rows in zip(*numbered, strict=True)
    )
    try:
        scored = _score(
            databases,
            question,
            pd.DataFrame(bought) if bought else NO_EVENTS,
            pd.DataFrame(written) if written else None,
            clients,
        )
    except RefusedError as refused:
        if len(asked) == 1:
            return [refused]
        return [one for alone in asked for one in predict_together(databases, question, [alone])]
    return list(_taken_apart(scored, asked, question))


def _numbered(number: int, asked: Events) -> Events:
    def named(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row | {"client_id": f"{number} {row['client_id']}"} for row in rows]

    ids = [f"{number} {client}" for client in asked.clients]
    return Events(named(asked.transactions), named(asked.notes), ids)


def _taken_apart(scored: Scored, asked: Sequence[Events], question: Question) -> Iterator[Answer]:
    sizes = np.array([[len(part) for part in one] for one in asked])
    ends = sizes.cumsum(axis=0)
    for one, size, end in zip(asked, sizes, ends, strict=True):
        bought, written, clients = (slice(e - s, e) for s, e in zip(size, end, strict=True))
        part = Scored(
            scored.rows.iloc[clients].assign(client_id=one.clients),
            scored.unknown_transactions[bought],
            scored.unknown_notes[written],
        )
        yield part.answer(question)
