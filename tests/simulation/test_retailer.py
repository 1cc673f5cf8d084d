from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from evergreen.core.events.labels import create_labels
from evergreen.core.events.ledger import create_ledger
from evergreen.core.events.snapshots import create_snapshots
from evergreen.simulation.retailer import SimulatedRetailer
from evergreen.store import tables

DRIFT_DAY = 120
DRIFT_ON = date(2017, 1, 1) + timedelta(days=DRIFT_DAY)
TARGETS = [("purchase", 7), ("no_purchase", 28), ("net_spend", 28)]
DAYS = [60, DRIFT_DAY - 10, DRIFT_DAY + 30]
"""Before the drift, with the drift within the window, and after it."""


@pytest.fixture
def drifting(retailer):
    """4,000 clients over 200 days with a drift, a change of strategy, late and undone purchases."""
    return retailer(
        clients=4000,
        drift_on=DRIFT_ON,
        drift_size=1.0,
        strategy_change_on=DRIFT_ON,
        late_share=0.2,
        undone_share=0.1,
    )


def observed(made, day):
    """A snapshot, on one day, of every client who has bought before."""
    client = np.flatnonzero(made.course.clients.arrived < day)
    on = made.settings.start + timedelta(days=day)
    return pd.DataFrame({"client_id": [f"c{c:06d}" for c in client], "observed_on": on})


def outcome(made, snapshots, label, horizon_days):
    """The label as it came true, from the rows of the table."""
    rows = made.transactions.select(["client_id", "timestamp", "amount_minor"]).to_pandas()
    first = pd.Timestamp(snapshots["observed_on"].iloc[0])
    day = (rows["timestamp"].dt.normalize() - first).dt.days
    spend = rows[(day >= 0) & (day < horizon_days)].groupby("client_id")["amount_minor"].sum()
    spent = spend.reindex(snapshots["client_id"], fill_value=0).to_numpy()
    return spent / 100 if label == "net_spend" else (spent > 0) == (label == "purchase")


def log_loss(probability, came_true):
    likelihood = np.where(came_true, probability, 1 - probability)
    return -np.log(np.maximum(likelihood, 1e-12)).mean()


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize(("label", "horizon_days"), TARGETS)
def test_the_best_possible_comes_true_on_average_in_every_tenth(drifting, label, horizon_days, day):
    snapshots = observed(drifting, day)
    expected = drifting.best_possible(snapshots, label, horizon_days)
    came = outcome(drifting, snapshots, label, horizon_days)
    tenths = np.array_split(np.argsort(expected), 10)
    for tenth in tenths:
        error = came[tenth].mean() - expected[tenth].mean()
        spread = max(came[tenth].std(), 0.01 * came.std()) / np.sqrt(len(tenth))
        assert abs(error) < 4 * spread


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize(("label", "horizon_days"), TARGETS[:2])
def test_only_who_knows_the_state_has_a_smaller_loss(drifting, label, horizon_days, day):
    snapshots = observed(drifting, day)
    came = outcome(drifting, snapshots, label, horizon_days)
    best = drifting.best_possible(snapshots, label, horizon_days)
    simple = [np.full(len(came), came.mean()), best**1.2, 0.9 * best + 0.1 * came.mean()]
    loss = log_loss(best, came)
    assert log_loss(drifting.oracle(snapshots, label, horizon_days), came) < loss
    assert all(loss < log_loss(other, came) for other in simple)


def test_notes_tell_something_about_the_client(retailer):
    chosen = {"clients": 4000, "notes_per_year": 20}
    made, deaf = (retailer(note_signal=signal, **chosen) for signal in (0.5, 0.0))
    snapshots = observed(made, 120)
    came = outcome(made, snapshots, "no_purchase", 28)
    heard, unheard = (r.best_possible(snapshots, "no_purchase", 28) for r in (made, deaf))
    assert log_loss(heard, came) < log_loss(unheard, came) - 0.005


def test_the_answer_keeps_the_order_of_the_snapshots(retailer):
    snapshots = pd.concat([observed(retailer(), 60), observed(retailer(), 90)])
    shuffled = snapshots.sample(frac=1, random_state=1)
    expected = retailer().best_possible(snapshots, "purchase", 7)
    position = pd.Series(np.arange(len(snapshots)), index=pd.MultiIndex.from_frame(snapshots))
    found = retailer().best_possible(shuffled, "purchase", 7)
    assert np.array_equal(found, expected[position[list(shuffled.itertuples(index=False))]])


def test_longer_horizons_are_likelier_to_hold_a_purchase(retailer):
    snapshots = observed(retailer(), 90)
    week, month = (retailer().best_possible(snapshots, "purchase", days) for days in (7, 28))
    absent = retailer().best_possible(snapshots, "no_purchase", 28)
    assert (week < month).all()
    np.testing.assert_allclose(month + absent, 1.0)


@pytest.mark.parametrize(
    ("client_id", "observed_on"),
    [("nobody", "2017-03-01"), ("c000000", "2017-01-01"), ("c000000", "2019-01-01")],
)
def test_a_snapshot_of_which_nothing_can_be_known_is_refused(retailer, client_id, observed_on):
    snapshots = pd.DataFrame({"client_id": [client_id], "observed_on": [observed_on]})
    with pytest.raises(ValueError, match=f"client {client_id} on {observed_on}: expected"):
        retailer().best_possible(snapshots, "purchase", 7)


def test_the_loop_labels_what_is_to_be_expected(drifting):
    con = tables.connect(threads=1)
    con.register("transactions", drifting.transactions)
    con.execute(
        "create table outcomes (target varchar, client_id varchar, observed_on date, "
        "value double, ingested_on date)"
    )
    create_ledger(con)
    last = date(2017, 7, 19)
    create_snapshots(con, every_days=7, burn_in_days=7)
    create_labels(
        con,
        targets={label: (label, days) for label, days in TARGETS},
        every_days=7,
        after=date(2017, 1, 1),
        through=last,
        minor_units=100,
    )
    labels = con.sql(
        "from new_labels anti join (select target, client_id, observed_on, corrects as known_on "
        "from new_labels) using (target, client_id, observed_on, known_on) order by all"
    ).df()
    for label, horizon_days in TARGETS:
        rows = labels[labels["target"] == label].reset_index(drop=True)
        error = rows["label"] - drifting.best_possible(rows, label, horizon_days)
        by_client = error.groupby(rows["client_id"]).sum()
        assert abs(by_client.sum()) < 4 * np.sqrt((by_client**2).sum())


def test_who_does_not_know_of_a_drift_loses_after_it_and_not_before(retailer):
    drifted = retailer(clients=4000, drift_on=DRIFT_ON, drift_size=1.0)
    outdated = SimulatedRetailer(retailer(clients=4000).settings, drifted.course)
    regret = {}
    for day in (DRIFT_DAY - 7, DRIFT_DAY + 30):
        snapshots = observed(drifted, day)
        came = outcome(drifted, snapshots, "purchase", 7)
        known, unknown = (r.best_possible(snapshots, "purchase", 7) for r in (drifted, outdated))
        regret[day] = log_loss(unknown, came) / log_loss(known, came) - 1
    assert regret[DRIFT_DAY - 7] == 0
    assert regret[DRIFT_DAY + 30] > 0.01
