"""What can be inferred about each client from all that was observable: the forward filter.

Given the parameters of the world, a client is a hidden Markov chain over the states (each class
alive, and gone). Its probabilities given what was known before a day follow exactly from those of
the day before (Baum and Petrie, 1966; Rabiner, 1989, section III.A).
"""

from __future__ import annotations

from collections import deque

import numpy as np
from scipy.special import ndtr

from evergreen.settings.simulation import Simulation
from evergreen.simulation import process, words, world


def beliefs(
    settings: Simulation, course: process.Course, client: np.ndarray, day: np.ndarray
) -> np.ndarray:
    """The probability of each state at the start of a day, given what was known by then.

    Events of earlier days count if they had become known; those of the day itself don't. A late
    purchase says nothing before it is known, but the absence of a purchase says less on the latest
    days. So the last days before the snapshot are filtered again for each snapshot.

    Parameters
    ----------
    client, day
        The snapshots, int64 (rows,): the client's number, and the number of days after start, which
        is after the client's first purchase.

    Returns
    -------
    ndarray
        float64 (rows, classes + 1); the last column is the probability of being gone.
    """
    rows_beliefs = np.empty((len(client), world.CLASSES + 1))
    lag = settings.max_late_days if settings.late_share > 0 else 1
    forward = _Filter(settings, course)
    recent: deque[np.ndarray] = deque(maxlen=lag)
    by_day = np.argsort(day, kind="stable")
    ends = np.searchsorted(day[by_day], np.arange(settings.days + 1))
    everyone = np.arange(settings.clients)
    belief = forward.prior
    for today in range(settings.days):
        recent.append(belief)
        rows = by_day[ends[today] : ends[today + 1]]
        if len(rows):
            now = recent[0][client[rows]]
            for earlier in range(today + 1 - len(recent), today):
                now = forward.after(earlier, now, client[rows], known_after=today - earlier)
            rows_beliefs[rows] = now
        belief = forward.after(today, belief, everyone, known_after=lag)
    return rows_beliefs


class _Filter:
    """The steps from day to day."""

    def __init__(self, settings: Simulation, course: process.Course) -> None:
        clients = course.clients
        shares = np.hstack([world.class_shares(), np.zeros((2, 1))])
        self.prior = shares[clients.newcomer]
        self._arrived = clients.arrived
        self._late = course.purchases.late
        self._days_late = settings.max_late_days
        self._late_share = settings.late_share
        self._daily = world.daily(settings, settings.days)
        self._bought = _by_day(course.purchases, settings.days)
        self._written = _by_day(course.notes, settings.days)
        first = course.purchases.day == clients.arrived[course.purchases.client]
        self._of_purchase = _likelihood_of_purchases(course.purchases, self._daily, first)
        self._of_note = _likelihood_of_notes(course.notes, settings)
        self._nothing = np.full(settings.clients, -1)

    def after(
        self, day: int, belief: np.ndarray, client: np.ndarray, *, known_after: int
    ) -> np.ndarray:
        """The belief at the end of a day, as seen `known_after` days later.

        `belief` is float64 (rows, states) at its start, `client` int64 (rows,).
        """
        likelihood = np.ones_like(belief)
        likelihood[:, : world.GONE] -= self._daily.purchase[day] * self._known(known_after)
        purchase = self._of(self._bought[day])[client]
        seen = (purchase >= 0) & (self._late[purchase] <= known_after)
        likelihood[seen] = self._of_purchase[purchase[seen]]
        note = self._of(self._written[day])[client]
        likelihood[note >= 0] *= self._of_note[note[note >= 0]]
        after: np.ndarray = belief * likelihood
        leaving = after[:, : world.GONE] * self._daily.dropout[day]
        after[:, : world.GONE] -= leaving
        after[:, world.GONE] += leaving.sum(axis=1)
        after /= after.sum(axis=1, keepdims=True)
        to_come = self._arrived[client] > day
        after[to_come] = belief[to_come]
        return after

    def _known(self, after: int) -> float:
        """The share of purchases that are known this number of days later."""
        return 1 - self._late_share * max(0.0, 1 - after / self._days_late)

    def _of(self, events: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """The number of each client's event among those of a day, -1 for none."""
        number = self._nothing.copy()
        number[events[0]] = events[1]
        return number


def _by_day(
    events: process.Purchases | process.Notes, days: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The clients and the numbers of the events of each day."""
    order = np.argsort(events.day, kind="stable")
    ends = np.searchsorted(events.day[order], np.arange(days + 1))
    return [
        (events.client[numbers], numbers)
        for numbers in (order[ends[day] : ends[day + 1]] for day in range(days))
    ]


def _likelihood_of_purchases(
    purchases: process.Purchases, daily: world.Daily, first: np.ndarray
) -> np.ndarray:
    """The likelihood of each purchase, its amount and product in each state, (purchases, states).

    A client's first purchase was certain to happen; only what was bought is informative.
    """
    happens = np.where(first[:, None], 1.0, daily.purchase[purchases.day])
    product = words.product_shares()[daily.era[purchases.day], :, purchases.product]
    alive = happens * product[:, world.SEGMENT_OF_CLASS] * _likelihood_of_amount(purchases, daily)
    return np.hstack([alive, np.zeros((len(alive), 1))])


def _likelihood_of_amount(purchases: process.Purchases, daily: world.Daily) -> np.ndarray:
    """The lognormal probability of all that rounds to the amount: everything below 1.5 became 1."""
    amount = purchases.amount_minor[:, None].astype(np.float64)
    below = np.where(amount > 1, amount - 0.5, 0)
    mean, spread = daily.log_amount[purchases.day], world.SPREAD_OF_CLASS
    with np.errstate(divide="ignore"):
        low, high = ((np.log(edge) - mean) / spread for edge in (below, amount + 0.5))
    # Differences are taken in the lower tail, where they keep their precision.
    flipped = low > 0
    low, high = np.where(flipped, -high, low), np.where(flipped, -low, high)
    likelihood: np.ndarray = ndtr(high) - ndtr(low)
    return likelihood


def _likelihood_of_notes(notes: process.Notes, settings: Simulation) -> np.ndarray:
    """The likelihood of the words of each note in each state, float64 (notes, states).

    Notes are equally frequent in every state, so the absence of one is not informative.
    """
    of_word = words.word_shares(settings.note_signal)
    of_note = of_word[:, notes.words].prod(axis=2).T
    state = np.append(world.SEGMENT_OF_CLASS, len(world.SEGMENTS))
    likelihood: np.ndarray = of_note[:, state]
    return likelihood
