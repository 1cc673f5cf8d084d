"""The forward filter against a sum over everything that could have happened to a client."""

from datetime import date

import numpy as np
import pytest
from scipy.stats import norm

from evergreen.simulation import words, world
from evergreen.simulation.beliefs import beliefs

CHOSEN = {
    "clients": 60,
    "days": 70,
    "notes_per_year": 30,
    "drift_on": date(2017, 2, 1),
    "drift_size": 1.0,
    "strategy_change_on": date(2017, 2, 10),
}


def summed(made, client, day):
    """The belief by its definition: over each class and each first day without the client."""
    settings, course = made.settings, made.course
    daily = world.daily(settings, settings.days)
    arrived = course.clients.arrived[client]
    joint = np.zeros(world.CLASSES + 1)
    shares = world.class_shares()[course.clients.newcomer[client]]
    for klass in range(world.CLASSES):
        stay = np.cumprod(1 - daily.dropout[arrived:day, klass])
        for gone_from in range(arrived + 1, day + 2):
            survived = np.append(1.0, stay)[gone_from - arrived - 1]
            leaves = daily.dropout[gone_from - 1, klass] if gone_from <= day else 1.0
            seen = likelihood(made, client, klass, alive_until=gone_from, known_by=day)
            state = klass if gone_from > day else world.GONE
            joint[state] += shares[klass] * survived * leaves * seen
    return joint / joint.sum()


def likelihood(made, client, klass, *, alive_until, known_by):
    """Of all that was known by a day, if the client is of a class and gone from another on."""
    settings, course = made.settings, made.course
    daily = world.daily(settings, settings.days)
    bought, written = course.purchases, course.notes
    segment, found = world.SEGMENT_OF_CLASS[klass], 1.0
    for day in range(course.clients.arrived[client], known_by):
        event, note = number_of(bought, client, day), number_of(written, client, day)
        alive, happens = day < alive_until, daily.purchase[day, klass]
        lags = known_by - day >= np.arange(1, settings.max_late_days + 1)
        known = 1 - settings.late_share * (1 - lags.mean())
        if event >= 0 and bought.late[event] <= known_by - day:
            amount, mean = bought.amount_minor[event], daily.log_amount[day, klass]
            edges = (np.log([amount - 0.5, amount + 0.5]) - mean) / world.SPREAD_OF_CLASS[klass]
            first = day == course.clients.arrived[client]
            product = words.product_shares()[daily.era[day], segment, bought.product[event]]
            found *= alive * (1.0 if first else happens) * product * np.diff(norm.cdf(edges))[0]
        else:
            found *= 1 - alive * happens * known
        if note >= 0:
            state = segment if alive else len(world.SEGMENTS)
            found *= words.word_shares(settings.note_signal)[state, written.words[note]].prod()
    return found


def number_of(events, client, day):
    """The number of a client's event on a day, -1 for none."""
    return next(iter(np.flatnonzero((events.client == client) & (events.day == day))), -1)


@pytest.mark.parametrize("late_share", [0.0, 0.5])
def test_the_filter_is_the_sum_over_all_that_could_have_happened(retailer, late_share):
    made = retailer(**CHOSEN, late_share=late_share)
    arrived = made.course.clients.arrived
    client = np.flatnonzero(arrived < 25)[:4]
    day = np.array([26, 33, 40, 50])
    expected = [summed(made, c, d) for c, d in zip(client, day, strict=True)]
    found = beliefs(made.settings, made.course, client, day)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)


def test_the_future_does_not_change_a_belief(retailer):
    short, long = retailer(days=100, late_share=0.2), retailer(late_share=0.2)
    client = np.flatnonzero(short.course.clients.arrived < 60)
    day = np.full(len(client), 60)
    beliefs_of = [beliefs(made.settings, made.course, client, day) for made in (short, long)]
    assert np.array_equal(*beliefs_of)
