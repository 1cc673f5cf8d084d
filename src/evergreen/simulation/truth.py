"""The expected label of a client in each state: the other half of the true probabilities."""

from __future__ import annotations

import numpy as np

from evergreen.core.events.label_rules import RULES
from evergreen.settings.names import Label
from evergreen.settings.simulation import Simulation
from evergreen.simulation import world


def expected_labels(
    settings: Simulation, label: Label, horizon_days: int, *, minor_units: int
) -> np.ndarray:
    """The expected label of a snapshot in each state, money in major units.

    Purchases that will be undone don't count, as in the last version of a label. By recursion from
    the end of the window, q the daily probability of a purchase that stays and d of dropping out:
    for none at all n(t) = (1 - q(t)) (d(t) + (1 - d(t)) n(t + 1)), and for the spend
    s(t) = q(t) E[amount] + (1 - d(t)) s(t + 1), with n = 1 and s = 0 for clients who are gone.

    Returns
    -------
    ndarray
        float64 (days, classes + 1): by the day at whose start the window of `horizon_days` begins,
        and by state, the last being gone.
    """
    daily = world.daily(settings, settings.days + horizon_days)
    stays = daily.purchase * (1 - settings.undone_share)
    spend = stays * np.exp(daily.log_amount + world.SPREAD_OF_CLASS**2 / 2)
    none = np.ones((settings.days, world.CLASSES))
    total = np.zeros((settings.days, world.CLASSES))
    for ahead in reversed(range(horizon_days)):
        day = slice(ahead, ahead + settings.days)
        leaves = daily.dropout[day]
        none = (1 - stays[day]) * (leaves + (1 - leaves) * none)
        total = spend[day] + (1 - leaves) * total
    gone = np.zeros((settings.days, 1))
    no_purchase, spend = np.hstack([none, gone + 1]), np.hstack([total, gone])
    return RULES[label].expected(no_purchase, spend / minor_units)
