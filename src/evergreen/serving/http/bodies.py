"""JSON bodies: clients with their events, with their features, or with their id alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from evergreen.core.events.transactions import CLIENT_ID
from evergreen.errors import DataError
from evergreen.serving.events import AMOUNTS, RULES, client_id, client_ids
from evergreen.serving.http.limits import RefusedError, check_rows
from evergreen.serving.times import is_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evergreen.settings.source_rules import SourceRules

TIMES = ("timestamp", "ingested_on")
MAX_ITEMS = 1_000_000
SHOWN_ERRORS = 5

Form = Literal["id", "events", "features"]
ClientId = Annotated[
    str,
    Field(min_length=1, max_length=200, pattern=CLIENT_ID.pattern),
    BeforeValidator(client_id),
]
Time = Annotated[
    Annotated[str, Field(max_length=100)] | int | float,
    Field(
        description="In the retailer's local time, or with a UTC offset. A text as in the source; "
        "a number if the source writes numbers.",
        examples=["2017-03-30 17:45"],
    ),
]
IngestedOn = Annotated[
    Time | None,
    Field(description="The day the row became known; by default the day of its timestamp."),
]


class StrictModel(BaseModel):
    """Base of all parts of a body: unknown names and wrong types are errors, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Transaction(StrictModel):
    """A transaction, with either amount or amount_minor; negative for a return."""

    timestamp: Time
    amount: float | Annotated[str, Field(max_length=100)] | None = Field(
        default=None,
        description="In major units, such as 12.5 euros, of the currency of the training data.",
    )
    amount_minor: int | None = Field(
        default=None, description="In minor units, such as 1250 cents."
    )
    quantity: float | None = None
    text: str | None = None
    invoice_id: str | None = None
    ingested_on: IngestedOn = None


class Note(StrictModel):
    """An advisor's note."""

    timestamp: Time
    text: str
    language: str | None = None
    ingested_on: IngestedOn = None


class Client(StrictModel):
    """A client with events or with features. With its id alone, the server's own data are used.

    An empty list of transactions means a client without events.
    """

    client_id: ClientId
    transactions: list[Transaction] | None = Field(
        default=None, fail_fast=True, max_length=MAX_ITEMS
    )
    notes: list[Note] | None = Field(default=None, fail_fast=True, max_length=MAX_ITEMS)
    features: dict[str, float | None] | None = Field(
        default=None,
        max_length=10_000,
        description="Every column that /release lists for the requested targets.",
    )

    @property
    def form(self) -> Form:
        """How the client is given."""
        if self.features is not None:
            return "features"
        return "id" if self.transactions is None and self.notes is None else "events"


class PredictionRequest(StrictModel):
    """Clients to predict, all in the same form."""

    clients: list[Client] = Field(min_length=1, max_length=MAX_ITEMS, fail_fast=True)

    @property
    def ids(self) -> list[str]:
        """The clients' ids, in the order of the request."""
        return [client.client_id for client in self.clients]

    @property
    def form(self) -> Form:
        """How the clients are given."""
        return self.clients[0].form


def read_json(body: bytes, *, max_rows: int, rules: SourceRules = RULES) -> PredictionRequest:
    """Read and check a body.

    Parameters
    ----------
    rules
        How ids of clients are read.

    Raises
    ------
    RefusedError
        422 if it is not valid JSON or does not match the schema; 413 if it holds too many rows.
    """
    try:
        request = PredictionRequest.model_validate_json(body)
    except ValidationError as error:
        raise RefusedError(422, _error_lines(error)) from None
    if rules != RULES:
        request = request.model_copy(update={"clients": _by_rules(request.clients, rules)})
    forms = sorted({client.form for client in request.clients})
    if len(forms) > 1:
        raise RefusedError(
            422,
            f"all clients of a request must be given in the same form, found {' and '.join(forms)}",
        )
    mixed = [
        client.client_id
        for client in request.clients
        if client.features is not None and (client.transactions or client.notes)
    ]
    if mixed:
        raise RefusedError(422, f"client {mixed[0]!r} has both features and events, expected one")
    if len(set(request.ids)) < len(request.ids):
        raise RefusedError(422, "a client_id appears twice, expected each client once")
    check_rows(
        sum(max(1, len(c.transactions or ()) + len(c.notes or ())) for c in request.clients),
        max_rows,
    )
    return request


def _by_rules(clients: Sequence[Client], rules: SourceRules) -> list[Client]:
    try:
        ids = client_ids([client.client_id for client in clients], "the body", rules)
    except DataError as error:
        raise RefusedError(422, str(error)) from None
    return [
        client.model_copy(update={"client_id": client_id})
        for client, client_id in zip(clients, ids, strict=True)
    ]


def _error_lines(error: ValidationError) -> str:
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [
        f"{'.'.join(map(str, item['loc'])) or 'the body'}: {item['msg']}"
        for item in errors[:SHOWN_ERRORS]
    ]
    rest = len(errors) - SHOWN_ERRORS
    return "\n".join([*lines, f"... and {rest:,} more"] if rest > 0 else lines)


class ClientEvents(NamedTuple):
    """Events of some clients, as rows for `evergreen.serving.release.ServedRelease.predict`."""

    transactions: list[dict[str, Any]]
    notes: list[dict[str, Any]]
    clients: list[str]

    @property
    def amounts(self) -> frozenset[str]:
        """The names of the columns with amounts."""
        return frozenset(name for row in self.transactions for name in AMOUNTS if name in row)

    @property
    def has_plain_times(self) -> bool:
        """Whether each time means the same whatever the others are."""
        rows = (*self.transactions, *self.notes)
        return all(is_plain(row[name]) for row in rows for name in TIMES if name in row)


def events_of(request: PredictionRequest) -> ClientEvents:
    """The events of a request's clients."""
    return ClientEvents(
        [row for client in request.clients for row in _rows(client.client_id, client.transactions)],
        [row for client in request.clients for row in _rows(client.client_id, client.notes)],
        request.ids,
    )


def _rows(client_id: str, events: Sequence[StrictModel] | None) -> list[dict[str, Any]]:
    # null means missing; model_dump would take ten times as long
    return [
        {"client_id": client_id} | {k: v for k, v in vars(event).items() if v is not None}
        for event in events or ()
    ]


class FeatureRows(NamedTuple):
    """Feature rows: clients (n), names of columns (k), and float64 (n, k), NaN where null."""

    clients: list[str]
    names: list[str]
    matrix: np.ndarray


def features_of(request: PredictionRequest) -> FeatureRows:
    """The features of a request's clients.

    Raises
    ------
    RefusedError
        422 if clients have different columns.
    """
    names = list(request.clients[0].features or ())
    rows = []
    for client in request.clients:
        features = client.features or {}
        if features.keys() != set(names):
            name = min(features.keys() ^ set(names))
            raise RefusedError(
                422, f"client {client.client_id!r} has other features than the first: {name!r}"
            )
        rows.append([features[name] for name in names])
    matrix = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
    return FeatureRows(request.ids, names, matrix)
