"""The words of the simulated world: what is bought, and what advisors write."""

from __future__ import annotations

import numpy as np

PRODUCTS = (
    "plain socks", "paper napkins", "discount coffee", "cotton towel",
    "school bag", "family pizza", "washing powder", "apple juice",
    "silk scarf", "leather bag", "aged whisky", "gold pen",
    "outlet jacket", "refill soap", "picnic basket", "lunch box",
    "cashmere coat", "signed print",
)  # fmt: skip
HOME = np.array(
    [
        [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, -1, -1, -1, -1, -1, -1],
        [-1, -1, 1, 1, -1, -1, 2, 2, -1, -1, 0, 0, 0, 0, 1, 1, 2, 2],
    ]
)
"""The segment that each product is for, before and after the change of strategy; -1: not sold.

Afterwards half of the products are gone, the rest is for another segment, and some are new.
"""
HOME_SHARE = 0.7
"""The share of a segment's purchases that are products for it."""

SIGNALS = (
    "coupon", "cheap", "haggled", "sale", "flyer",
    "children", "birthday", "weekly", "holidays", "household",
    "exclusive", "tailor", "vernissage", "gift", "appointment",
    "moved", "complaint", "competitor", "unreachable", "cancelled",
)  # fmt: skip
SIGNALS_PER_STATE = 5
NOISE = (
    "called", "today", "the", "client", "asked", "about", "hours", "store", "parking", "email",
    "friendly", "weather", "spoke", "again", "briefly", "question", "phone", "visit", "minutes",
    "form", "address", "sent", "next", "week", "thanks", "noted", "card", "colleague", "desk",
    "checked",
)  # fmt: skip
NOTE_WORDS = (*NOISE, *SIGNALS)
OWN_SHARE = 0.7
"""The share of the words with signal that are those of the client's state."""


def product_shares() -> np.ndarray:
    """What a segment buys, float64 (eras, segments, products)."""
    segments = np.arange(HOME.max() + 1)
    at_home = HOME[:, None, :] == segments[:, None]
    sold = (HOME >= 0)[:, None, :]
    return _mixed(HOME_SHARE, at_home, sold & ~at_home)


def word_shares(note_signal: float) -> np.ndarray:
    """The words of a note, float64 (segments and, last, gone clients; words).

    Noise words get rarer in their order (Zipf), and are the same for everyone.
    """
    states = np.arange(len(SIGNALS) // SIGNALS_PER_STATE)
    own = np.arange(len(SIGNALS)) // SIGNALS_PER_STATE == states[:, None]
    rank = np.arange(1, len(NOISE) + 1)
    noise = np.tile(1 / rank / np.sum(1 / rank), (len(states), 1))
    return np.hstack([(1 - note_signal) * noise, note_signal * _mixed(OWN_SHARE, own, ~own)])


def _mixed(share: float, mine: np.ndarray, others: np.ndarray) -> np.ndarray:
    """`share` spread evenly over `mine`, the rest over `others`, along the last axis."""
    mixed: np.ndarray = share * mine / mine.sum(-1, keepdims=True) + (1 - share) * (
        others / others.sum(-1, keepdims=True)
    )
    return mixed
