from datetime import date

import numpy as np
import pytest
from pydantic import ValidationError

from evergreen.core.events import transactions
from evergreen.settings.simulation import Simulation
from evergreen.simulation.retailer import simulate
from evergreen.store import tables

SEPTEMBER = date(2017, 9, 1)


def test_the_same_settings_give_the_same_rows(retailer):
    made, again = retailer(), simulate(Simulation(clients=400, days=200))
    assert made.transactions.equals(again.transactions)
    assert made.notes.equals(again.notes)


def test_another_seed_gives_other_rows(retailer):
    assert not retailer().transactions.equals(retailer(seed=2).transactions)


def test_fewer_days_are_the_beginning_of_more_days(retailer):
    chosen = {"late_share": 0.2, "undone_share": 0.1}
    short, long = retailer(days=90, **chosen), retailer(**chosen)
    for table, longer in ((short.transactions, long.transactions), (short.notes, long.notes)):
        assert longer.slice(0, len(table)).equals(table)
        assert longer["ingested_on"][len(table)].as_py() == date(2017, 4, 1)


def test_more_clients_leave_the_earlier_ones_as_they_are(retailer):
    few, many = retailer(), retailer(clients=700)
    for table, larger in ((few.transactions, many.transactions), (few.notes, many.notes)):
        names = larger["client_id"].to_numpy(zero_copy_only=False)
        assert larger.filter(names < "c000400").equals(table)


def test_what_happens_before_a_drift_does_not_depend_on_it(retailer):
    table = retailer().transactions
    drifted = retailer(drift_on=date(2017, 4, 1), drift_size=1.0).transactions
    before = [(t["ingested_on"].to_numpy() < np.datetime64("2017-04-01")) for t in (table, drifted)]
    assert table.filter(before[0]).equals(drifted.filter(before[1]))
    assert not table.equals(drifted)


def test_a_drift_of_size_0_changes_nothing(retailer):
    same = retailer(drift_on=date(2017, 4, 1), drift_size=0.0)
    assert same.transactions.equals(retailer().transactions)
    assert same.notes.equals(retailer().notes)


def test_a_drift_without_a_day_is_refused():
    with pytest.raises(ValidationError, match="drift_on is missing"):
        Simulation(drift_size=0.5)


def test_the_tables_have_the_canonical_columns(retailer):
    made = retailer()
    for table, schema in ((made.transactions, transactions.SCHEMA), (made.notes, tables.NOTES)):
        assert [(f.name, f.type) for f in table.schema] == [(f.name, f.type) for f in schema]
        assert table.cast(schema).num_rows > 500


def test_what_is_undone_nets_to_zero_and_becomes_known_later(retailer):
    rows = retailer(undone_share=0.2).transactions.to_pandas()
    returns = rows[rows["amount_minor"] < 0]
    undone = rows[rows["invoice_id"].isin(returns["invoice_id"])]
    assert 0.1 < len(returns) / (rows["amount_minor"] > 0).sum() < 0.2
    assert (undone.groupby("invoice_id")["amount_minor"].sum() == 0).all()
    assert (returns["ingested_on"] > returns["timestamp"].dt.date).all()


def test_the_share_of_late_rows_is_as_chosen(retailer):
    rows = retailer(late_share=0.3).transactions.to_pandas()
    first = rows.drop_duplicates("client_id").index
    later = rows.drop(first)
    late = (later["ingested_on"] > later["timestamp"].dt.date).mean()
    assert late == pytest.approx(0.3, abs=0.02)


def test_saturdays_and_december_are_busier(retailer):
    made = retailer(days=730, newcomer_share=0.0, season=0.6)
    day = made.transactions.to_pandas()["timestamp"].dt
    by_weekday = day.day_of_week.value_counts()
    assert by_weekday[5] > 1.5 * by_weekday[0]
    assert (day.month == 12).sum() > 1.3 * (day.month == 6).sum()


def test_clients_keep_arriving(retailer):
    first = retailer(days=400).transactions.to_pandas().groupby("client_id")["timestamp"].min()
    assert (first.dt.year == 2018).sum() > 5
    assert first.dt.month.nunique() == 12


def test_a_change_of_strategy_brings_other_products_and_prices(retailer):
    rows = retailer(days=400, strategy_change_on=SEPTEMBER).transactions.to_pandas()
    later = rows["timestamp"].dt.date >= SEPTEMBER
    assert set(rows[~later]["text"]) - set(rows[later]["text"]) >= {"plain socks", "silk scarf"}
    assert set(rows[later]["text"]) - set(rows[~later]["text"]) >= {"lunch box", "cashmere coat"}
