"""What may be asked in JSON: clients, each with what it did, with its features, or by its id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evergreen.core.events.transactions import CLIENT_ID
from evergreen.serving.http.limits import RefusedError
from evergreen.settings.dates import DATE_PATTERN

if TYPE_CHECKING:
    from collections.abc import Sequence

TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)?$"
MANY = 1_000_000
SHOWN = 5

Form = Literal["known", "events", "features"]
ClientId = Annotated[str, Field(min_length=1, max_length=200, pattern=CLIENT_ID.pattern)]
Time = Annotated[
    str,
    Field(pattern=TIME, description="In the retailer's local time.", examples=["2017-03-30 17:45"]),
]
Day = Annotated[str, Field(pattern=f"^{DATE_PATTERN}$", examples=["2017-03-30"])]


class Part(BaseModel):
    """A part of a body: strict about names and types, so that no misspelt value is passed over."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Transaction(Part):
    """One transaction, with either amount or amount_minor; negative for a return."""

    timestamp: Time
    amount: float | None = Field(default=None, description="In major units of money, such as 12.5")
    amount_minor: int | None = Field(default=None, description="In minor units, such as 1250")
    quantity: float | None = None
    text: str | None = None
    invoice_id: str | None = None
    ingested_on: Day | None = Field(default=None, description="When it became known.")


class Note(Part):
    """What an advisor noted."""

    timestamp: Time
    text: str
    language: str | None = None
    ingested_on: Day | None = Field(default=None, description="When it became known.")


class Client(Part):
    """A client: with events, or with features; by its id alone it is looked up in the data at hand.

    An empty list of transactions is a client of whom nothing is known.
    """

    client_id: ClientId
    transactions: list[Transaction] | None = Field(default=None, fail_fast=True, max_length=MANY)
    notes: list[Note] | None = Field(default=None, fail_fast=True, max_length=MANY)
    features: dict[str, float | None] | None = Field(
        default=None,
        max_length=10_000,
        description="Every column that /release lists of the targets asked for.",
    )

    @property
    def form(self) -> Form:
        """How it is given."""
        if self.features is not None:
            return "features"
        return "known" if self.transactions is None and self.notes is None else "events"


class Body(Part):
    """Clients to predict, all given in the same form."""

    clients: list[Client] = Field(min_length=1, max_length=MANY, fail_fast=True)

    @property
    def ids(self) -> list[str]:
        """The clients' ids, in their order."""
        return [client.client_id for client in self.clients]

    @property
    def form(self) -> Form:
        """How its clients are given."""
        return self.clients[0].form


def read_json(body: bytes, *, max_rows: int) -> Body:
    """Read and check a body.

    Raises
    ------
    RefusedError
        422 if it is no JSON, or not as described; 413 if it holds too many rows.
    """
    try:
        read = Body.model_validate_json(body)
    except ValidationError as error:
        raise RefusedError(422, _explained(error)) from None
    forms = sorted({client.form for client in read.clients})
    if len(forms) > 1:
        raise RefusedError(
            422,
            f"the clients of a body are expected to be given in one form, found {forms[0]} and "
            f"{forms[1]}",
        )
    mixed = [
        c.client_id for c in read.clients if c.features is not None and (c.transactions or c.notes)
    ]
    if mixed:
        raise RefusedError(
            422, f"client {mixed[0]!r} has both features and events, expected one of them"
        )
    if len(set(read.ids)) < len(read.ids):
        raise RefusedError(422, "each client is expected once, found a client_id twice")
    rows = sum(max(1, len(c.transactions or ()) + len(c.notes or ())) for c in read.clients)
    if rows > max_rows:
        raise RefusedError(413, f"at most {max_rows:,} rows are answered at once, found {rows:,}")
    return read


def _explained(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [
        f"{'.'.join(map(str, one['loc'])) or 'the body'}: {one['msg']}" for one in found[:SHOWN]
    ]
    more = [f"... and {len(found) - SHOWN:,} more"] if len(found) > SHOWN else []
    return "\n".join(lines + more)


class Events(NamedTuple):
    """What some clients did, as rows of `evergreen.serving.release.ServedRelease.predict`."""

    transactions: list[dict[str, Any]]
    notes: list[dict[str, Any]]
    clients: list[str]

    @property
    def amounts(self) -> frozenset[str]:
        """The columns that amounts stand in."""
        return frozenset(
            name for row in self.transactions for name in ("amount", "amount_minor") if name in row
        )


def events_of(body: Body) -> Events:
    """The events of a body's clients."""
    return Events(
        [row for client in body.clients for row in _rows(client.client_id, client.transactions)],
        [row for client in body.clients for row in _rows(client.client_id, client.notes)],
        body.ids,
    )


def _rows(client_id: str, parts: Sequence[Part] | None) -> list[dict[str, Any]]:
    # what is null is missing; model_dump would take ten times as long
    return [
        {"client_id": client_id} | {k: v for k, v in vars(part).items() if v is not None}
        for part in parts or ()
    ]


class Features(NamedTuple):
    """Feature rows: clients (n), names of columns (k), and float64 (n, k), NaN where null."""

    clients: list[str]
    names: list[str]
    matrix: np.ndarray


def features_of(body: Body) -> Features:
    """The features of a body's clients.

    Raises
    ------
    RefusedError
        422 if clients have different columns.
    """
    names = list(body.clients[0].features or ())
    listed = []
    for client in body.clients:
        features = client.features or {}
        if features.keys() != set(names):
            odd = min(features.keys() ^ set(names))
            raise RefusedError(
                422, f"client {client.client_id!r} has other features than the first: {odd!r}"
            )
        listed.append([features[name] for name in names])
    matrix = np.array(listed, dtype=np.float64).reshape(len(listed), len(names))
    return Features(body.ids, names, matrix)
