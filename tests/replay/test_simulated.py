"""Policies on a retailer whose true probabilities are known: regret, recovery, false promotions."""

from datetime import date, timedelta

import pandas as pd
import pytest

from evergreen.core.evaluation.losses import row_losses
from evergreen.core.events.label_selection import KEYS, read_rows
from evergreen.ingestion.ingest import ingest_new_rows
from evergreen.replay.hindsight import judge_policy, read_result
from evergreen.replay.policies import POLICIES
from evergreen.replay.policy_run import replay_policy
from evergreen.replay.results import (
    count_promotions,
    gain_over,
    match_outcomes,
)
from evergreen.replay.scenario import make_scenario
from evergreen.settings.loading import load_settings
from evergreen.settings.simulation import Simulation
from evergreen.settings.sources import Source
from evergreen.simulation.retailer import simulate
from evergreen.store import tables
from evergreen.store.cache import Cache
from evergreen.store.labels import labels_known, view_labels

pytestmark = pytest.mark.slow
FIRST, DRIFT, END = date(2017, 3, 5), date(2017, 4, 2), date(2017, 6, 4)
EVERY = 14


class Shop:
    """A simulated retailer, and what policies made of it; purchase is the only target."""

    def __init__(self, folder, monkeypatch, clients=2500, **world):
        committed = load_settings()
        monkeypatch.chdir(folder)
        self.folder = folder
        settings = Simulation(clients=clients, days=160, notes_per_year=0.0, **world)
        self.retailer = simulate(settings)
        source = Source(demo="simulated", simulation=settings)
        list(ingest_new_rows(committed.model_copy(update={"source": source}), through=END))
        self.policies = {}

    def replay(self, committed, *names):
        self.scenario = make_scenario(committed, FIRST, END, EVERY, ["purchase"])
        for name in names:
            own = self.folder / name
            (own / "data").mkdir(parents=True)
            (own / "data" / "raw").symlink_to(self.folder / "data" / "raw")
            replay_policy(self.scenario, POLICIES[name], own)
            judge_policy(self.scenario, POLICIES[name], own)
            self.policies[name] = read_result(own)
        return self.outcomes()

    def outcomes(self):
        settings = self.scenario.settings
        con = tables.connect(1)
        view_labels(con, labels_known(settings.model_copy(update={"as_of": END}), Cache()))
        labels = read_rows(con, "from labels order by target, observed_on, client_id")
        rows = match_outcomes(settings, self.policies, labels)["purchase"]
        best = self.retailer.best_possible(rows[KEYS], "purchase", 7)
        return rows.assign(best=best)


@pytest.fixture
def committed():
    return load_settings()


def regret(rows, policy):
    """Log loss above the best possible."""
    loss = row_losses("binary", rows["label"], rows[policy]).mean()
    return loss - row_losses("binary", rows["label"], rows["best"]).mean()


def late(rows):
    """The last month of the history."""
    return rows[rows["observed_on"] >= pd.Timestamp(END - timedelta(days=35))]


def test_after_a_drift_retraining_recovers_and_never_retraining_does_not(
    committed, tmp_path, monkeypatch
):
    shop = Shop(tmp_path, monkeypatch, drift_on=DRIFT, drift_size=1.5)
    rows = shop.replay(committed, "never", "weekly")
    after = rows[rows["observed_on"] >= pd.Timestamp(DRIFT)]
    _, interval = gain_over("binary", after, "weekly", "never", alpha=0.05)
    assert interval[0] > 0
    assert regret(late(rows), "weekly") < 0.5 * regret(late(rows), "never")
    assert count_promotions(shop.policies["weekly"].records, "purchase")["wrong"] == 0


def test_from_a_weak_start_the_loss_falls_to_near_the_best_possible(
    committed, tmp_path, monkeypatch
):
    shop = Shop(tmp_path, monkeypatch)
    rows = shop.replay(committed, "never", "weekly")
    best = row_losses("binary", late(rows)["label"], late(rows)["best"]).mean()
    assert 0 < regret(late(rows), "weekly") < 0.03 * best
    assert regret(late(rows), "weekly") < regret(late(rows), "never")


def test_the_same_policy_twice_is_the_same(committed, tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.EVERY", 42)
    shop = Shop(tmp_path, monkeypatch, clients=500)
    monkeypatch.setitem(POLICIES, "again", POLICIES["weekly"])
    rows = shop.replay(committed, "weekly", "again")
    assert rows["weekly"].equals(rows["again"])
