"""The simulated world: its classes of clients, and how each behaves from day to day.

A client always belongs to one of twelve classes, a segment and a level of purchasing, and is alive
until a day after which there are no more purchases ("buy till you die": Schmittlein, Morrison and
Colombo, 1987). Here time is in days and the number of classes is finite, so all that follows from
the observations can be computed exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from evergreen.settings.simulation import Simulation

OPENING_DAYS = 28
"""The days from the start in which the clients of the opening make their first purchase."""

SEGMENTS = ("bargain", "family", "premium")
OPENING_SHARES = np.array([0.30, 0.45, 0.25])
NEWCOMER_SHARES = np.array([0.50, 0.30, 0.20])
PURCHASES_PER_DAY = np.array([0.10, 0.20, 0.05])
DROPOUT_PER_DAY = np.array([0.004, 0.001, 0.002])
LOG_AMOUNT_MINOR = np.log([1200.0, 3500.0, 9000.0])
LOG_AMOUNT_SPREAD = np.array([0.5, 0.6, 0.8])

LEVELS = np.array([0.175, 0.530, 1.027, 2.268])
"""Purchases relative to the segment: the means of the quarters of a gamma of shape 1.2."""

WEEK = np.array([-0.4, -0.3, -0.2, 0.0, 0.5, 1.0, -0.6])
"""Monday to Sunday, relative to the mean; the settings' `season` scales it."""
DAYS_OF_YEAR = 365.2425
PEAK_DAY_OF_YEAR = 350

DRIFT_OF_RATE = np.array([1.0, -1.0, 0.5])
DRIFT_OF_DROPOUT = np.array([0.0, 1.0, 0.5])
"""Logarithms of the factors by which a drift of size 1 changes each segment."""

NEW_PRICES = 1.25
NEW_RATE = np.array([0.6, 0.9, 1.4])
"""Factors of amounts, and of each segment's purchases, after a change of strategy."""

SEGMENT_OF_CLASS = np.repeat(np.arange(len(SEGMENTS)), len(LEVELS))
LEVEL_OF_CLASS = np.tile(LEVELS, len(SEGMENTS))
CLASSES = len(SEGMENT_OF_CLASS)
GONE = CLASSES
"""The number of the last state, after those of the classes alive."""
SPREAD_OF_CLASS = LOG_AMOUNT_SPREAD[SEGMENT_OF_CLASS]


@dataclass(frozen=True)
class Daily:
    """How each living class behaves on each day from the start on.

    Attributes
    ----------
    purchase
        The probability of a purchase, float64 (days, classes).
    dropout
        The probability of being gone from the next day on, float64 (days, classes).
    log_amount
        The mean logarithm of an amount in minor units, float64 (days, classes).
    era
        0 before the change of strategy and 1 from it on, int64 (days,).
    """

    purchase: np.ndarray
    dropout: np.ndarray
    log_amount: np.ndarray
    era: np.ndarray


def daily(settings: Simulation, days: int) -> Daily:
    """The behaviour in the first `days` days, which may exceed the simulated ones."""
    drifted = settings.drift_size * _from(settings, settings.drift_on, days)
    era = _from(settings, settings.strategy_change_on, days)
    rate = (
        PURCHASES_PER_DAY
        * np.exp(np.outer(drifted, DRIFT_OF_RATE))
        * np.where(era[:, None] == 1, NEW_RATE, 1.0)
        * _season(settings, days)[:, None]
    )
    dropout = DROPOUT_PER_DAY * np.exp(np.outer(drifted, DRIFT_OF_DROPOUT))
    log_amount = LOG_AMOUNT_MINOR + np.log(NEW_PRICES) * era[:, None]
    return Daily(
        purchase=-np.expm1(-rate[:, SEGMENT_OF_CLASS] * LEVEL_OF_CLASS),
        dropout=dropout[:, SEGMENT_OF_CLASS],
        log_amount=log_amount[:, SEGMENT_OF_CLASS],
        era=era,
    )


def class_shares() -> np.ndarray:
    """The shares of the classes, float64 (2, classes): clients of the opening, and newcomers."""
    shares = np.stack([OPENING_SHARES, NEWCOMER_SHARES])
    return shares[:, SEGMENT_OF_CLASS] / len(LEVELS)


def _from(settings: Simulation, day: date | None, days: int) -> np.ndarray:
    """1 from a day on and 0 before it, int64 (days,)."""
    if day is None:
        return np.zeros(days, dtype=np.int64)
    return (np.arange(days) >= (day - settings.start).days).astype(np.int64)


def _season(settings: Simulation, days: int) -> np.ndarray:
    date_number = np.datetime64(settings.start, "D").astype(np.int64) + np.arange(days)
    weekday = (date_number + 3) % 7  # day 0, 1970-01-01, was a Thursday
    wave = np.cos(2 * np.pi * (date_number - PEAK_DAY_OF_YEAR) / DAYS_OF_YEAR)
    season: np.ndarray = (1 + settings.season * wave) * (1 + settings.season * WEEK[weekday])
    return season
