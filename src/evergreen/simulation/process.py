"""Draw what happens to every client day by day, each from a separate random stream."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
from scipy.special import ndtri

from evergreen.settings.simulation import Simulation
from evergreen.simulation import words, world

CLIENTS_AT_ONCE = 256
WORDS_PER_NOTE = 4
UNDONE_WITHIN_DAYS = 14
OPENS_AT_MINUTE, OPEN_MINUTES = 9 * 60, 9 * 60

PER_CLIENT = 3
LEAVE, BUY, AMOUNT, PRODUCT, MINUTE, LATE, UNDO, WRITE, NOTE_MINUTE, WORDS = range(10)
PER_DAY = WORDS + WORDS_PER_NOTE
"""The uniform numbers that a client's stream yields: first for the client, then for each day.

All of them are always drawn, used or not. So no event shifts the numbers of later ones, and a
shorter simulation is the beginning of a longer one.
"""


@dataclass(frozen=True)
class Clients:
    """The latent truth about each client; all arrays int64 (clients,).

    `arrived` is the day of the first purchase, `newcomer` 1 for those after the opening,
    `klass` the class, and `gone_from` the first day on which the client is no longer alive.
    """

    arrived: np.ndarray
    newcomer: np.ndarray
    klass: np.ndarray
    gone_from: np.ndarray


@dataclass(frozen=True)
class Purchases:
    """What was bought, at most one purchase by a client a day; all arrays int64 (purchases,).

    `late` and `undone` are the days from the purchase until it, or its reversal, became known;
    an `undone` of 0 means that it was never reversed.
    """

    client: np.ndarray
    day: np.ndarray
    amount_minor: np.ndarray
    product: np.ndarray
    minute: np.ndarray
    late: np.ndarray
    undone: np.ndarray


@dataclass(frozen=True)
class Notes:
    """What was written, at most one note on a client a day; int64 (notes,), `words` two-dim."""

    client: np.ndarray
    day: np.ndarray
    minute: np.ndarray
    words: np.ndarray


@dataclass(frozen=True)
class Course:
    """Everything that happened."""

    clients: Clients
    purchases: Purchases
    notes: Notes


def draw(settings: Simulation) -> Course:
    """Draw all clients in chunks, since the numbers of all may not fit into memory."""
    behaviour = world.daily(settings, settings.days)
    chunks = []
    for start in range(0, settings.clients, CLIENTS_AT_ONCE):
        numbers = range(start, min(start + CLIENTS_AT_ONCE, settings.clients))
        chunks.append(_draw_some(settings, behaviour, numbers))
    return Course(
        _joined(Clients, [chunk.clients for chunk in chunks]),
        _joined(Purchases, [chunk.purchases for chunk in chunks]),
        _joined(Notes, [chunk.notes for chunk in chunks]),
    )


Rows = TypeVar("Rows", Clients, Purchases, Notes)


def _joined(kind: type[Rows], chunks: list[Rows]) -> Rows:
    names = [field.name for field in fields(kind)]
    return kind(**{name: np.concatenate([getattr(c, name) for c in chunks]) for name in names})


def _draw_some(settings: Simulation, behaviour: world.Daily, numbers: range) -> Course:
    per_client = np.empty((len(numbers), PER_CLIENT))
    per_day = np.empty((len(numbers), settings.days, PER_DAY))
    for row, number in enumerate(numbers):
        seed = np.random.SeedSequence(settings.seed, spawn_key=(number,))
        random = np.random.default_rng(seed)
        random.random(out=per_client[row])
        random.random(out=per_day[row])
    clients = _clients(settings, behaviour, per_client, per_day[:, :, LEAVE])
    purchases = _purchases(settings, behaviour, clients, per_day)
    notes = _notes(settings, clients, per_day)
    return Course(
        clients,
        replace(purchases, client=purchases.client + numbers.start),
        replace(notes, client=notes.client + numbers.start),
    )


def _clients(
    settings: Simulation, behaviour: world.Daily, uniform: np.ndarray, leave: np.ndarray
) -> Clients:
    newcomer = (uniform[:, 0] < settings.newcomer_share).astype(np.int64)
    after_opening = world.OPENING_DAYS + np.floor(uniform[:, 1] * settings.newcomer_days)
    in_opening = np.floor(uniform[:, 1] * world.OPENING_DAYS)
    arrived = np.where(newcomer == 1, after_opening, in_opening).astype(np.int64)
    klass = _chosen(world.class_shares()[newcomer], uniform[:, 2])
    leaves = leave < behaviour.dropout[:, klass].T
    leaves &= np.arange(settings.days) >= arrived[:, None]
    gone_from = np.where(leaves.any(1), leaves.argmax(1) + 1, settings.days + 1)
    return Clients(arrived, newcomer, klass, gone_from)


def _purchases(
    settings: Simulation, behaviour: world.Daily, clients: Clients, per_day: np.ndarray
) -> Purchases:
    days = np.arange(settings.days)
    first = days == clients.arrived[:, None]
    buys = per_day[:, :, BUY] < behaviour.purchase[:, clients.klass].T
    buys &= (days >= clients.arrived[:, None]) & (days < clients.gone_from[:, None])
    client, day = np.nonzero(buys | first)
    uniform, klass = per_day[client, day], clients.klass[client]
    log_amount = behaviour.log_amount[day, klass]
    log_amount = log_amount + world.SPREAD_OF_CLASS[klass] * ndtri(uniform[:, AMOUNT])
    sold = words.product_shares()[behaviour.era[day], world.SEGMENT_OF_CLASS[klass]]
    # The till registers a new client at once, and that purchase is never late or reversed.
    later = day > clients.arrived[client]
    late = later * _days_after(uniform[:, LATE], settings.late_share, settings.max_late_days)
    undone = later * _days_after(uniform[:, UNDO], settings.undone_share, UNDONE_WITHIN_DAYS)
    return Purchases(
        client=client,
        day=day,
        amount_minor=np.maximum(1, np.rint(np.exp(log_amount))).astype(np.int64),
        product=_chosen(sold, uniform[:, PRODUCT]),
        minute=OPENS_AT_MINUTE + np.floor(uniform[:, MINUTE] * OPEN_MINUTES).astype(np.int64),
        late=late,
        undone=np.where(undone > 0, late + undone, 0),
    )


def _notes(settings: Simulation, clients: Clients, per_day: np.ndarray) -> Notes:
    days = np.arange(settings.days)
    writes = per_day[:, :, WRITE] < settings.notes_per_year / world.DAYS_OF_YEAR
    client, day = np.nonzero(writes & (days >= clients.arrived[:, None]))
    uniform = per_day[client, day]
    alive = day < clients.gone_from[client]
    segment = world.SEGMENT_OF_CLASS[clients.klass[client]]
    state = np.where(alive, segment, len(world.SEGMENTS))
    shares = words.word_shares(settings.note_signal)[state]
    chosen = [_chosen(shares, uniform[:, WORDS + k]) for k in range(WORDS_PER_NOTE)]
    minute = OPENS_AT_MINUTE + np.floor(uniform[:, NOTE_MINUTE] * OPEN_MINUTES).astype(np.int64)
    return Notes(client, day, minute, np.stack(chosen, axis=1))


def _days_after(uniform: np.ndarray, share: float, most: int) -> np.ndarray:
    """0, except for `share` of the cases: 1 to `most`, each equally likely."""
    if share == 0:
        return np.zeros(len(uniform), dtype=np.int64)
    days = 1 + np.floor(uniform / share * most).astype(np.int64)
    return np.where(uniform < share, days, 0)


def _chosen(shares: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Draw a column for each row of `shares` from a uniform number, int64 (rows,)."""
    below = uniform[:, None] >= np.cumsum(shares, axis=1)
    # A share of 0 must not be drawn where the sum of shares ends a bit below 1.
    last = shares.shape[1] - 1 - (shares[:, ::-1] > 0).argmax(axis=1)
    columns: np.ndarray = np.minimum(below.sum(axis=1), last)
    return columns
