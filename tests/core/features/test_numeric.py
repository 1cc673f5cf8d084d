from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evergreen.core.features.numeric import lookbacks, numeric_features

DAY = date(2024, 3, 1)
WINDOWS = (7, 14, 28)


def features(con, rows, windows=WINDOWS):
    return numeric_features(con, rows, windows_days=windows, year_ago_days=28, minor_units=100)


def ago(days, amount=1000, **columns):
    return {
        "client_id": "a",
        "timestamp": DAY - timedelta(days=days),
        "amount_minor": amount,
        **columns,
    }


@pytest.fixture
def one(database, snapshots):
    """The features on DAY of a client with the events given."""
    return lambda *events: features(database(list(events)), snapshots(("a", DAY))).iloc[0]


def test_recency_frequency_monetary(one):
    made = one(ago(30, 500), ago(10, 700), ago(3, 900))
    assert made[["recency_days", "frequency", "monetary", "tenure_days"]].tolist() == [3, 3, 21, 30]
    assert made["average_basket"] == 7.0
    assert made["purchase_rate"] == pytest.approx(0.1)


def test_gaps_between_purchases(one):
    made = one(ago(30), ago(10), ago(4))
    assert made["gap_mean"] == 13.0
    assert made["gap_std"] == pytest.approx(np.std([20, 6], ddof=1))
    assert made["gap_variation"] == pytest.approx(made["gap_std"] / 13)
    assert (made["gap_last"], made["overdue_ratio"]) == (6.0, pytest.approx(4 / 13))


def test_spend_of_a_purchase_day(one):
    made = one(ago(30, 500), ago(10, 700), ago(10, 100), ago(4, 300))
    assert made[["spend_mean", "spend_max", "spend_last"]].tolist() == [pytest.approx(16 / 3), 8, 3]
    assert made["spend_std"] == pytest.approx(np.std([5, 8, 3], ddof=1))


def test_windows_end_on_the_day_before_the_snapshot_and_reach_back_their_length(one):
    made = one(ago(0), ago(1), ago(7), ago(8), ago(14), ago(15))
    assert made[["purchases_7d", "purchases_14d", "purchases_28d"]].tolist() == [2, 4, 5]
    assert made["purchases_trend_7d"] == 0.5


def test_the_same_weeks_a_year_ago(one):
    made = one(ago(365), ago(364, 800), ago(337, 300), ago(336))
    assert made[["purchases_year_ago", "spend_year_ago"]].tolist() == [2, 11]


def test_returns_lower_the_spend_and_are_counted(one):
    made = one(ago(10, 1000), ago(5, -400))
    assert made[["monetary", "returns", "frequency", "recency_days"]].tolist() == [6, 1, 1, 10]
    assert made["returned_share"] == pytest.approx(0.4)


def test_a_client_with_one_event_has_no_gaps(one):
    made = one(ago(10))
    missing = ["gap_mean", "gap_std", "gap_variation", "gap_last", "overdue_ratio", "spend_std"]
    assert made[missing].isna().all()
    assert made.drop(missing).drop(["purchases_trend_7d", "spend_trend_7d"]).notna().all()


def test_a_client_whose_net_spend_is_negative_is_described(one):
    made = one(ago(10, 300), ago(5, -1000))
    assert made["monetary"] == -7.0
    assert not np.isinf(made.to_numpy()).any()


def test_a_client_who_only_ever_returned_has_no_recency(one):
    made = one(ago(5, -1000))
    assert np.isnan(made["recency_days"])
    assert made["frequency"] == 0


def test_an_unknown_client_gets_a_row(database, snapshots):
    made = features(database([ago(5)]), snapshots(("nobody", DAY), ("a", DAY)))
    assert made["frequency"].tolist() == [0, 1]
    assert made.loc[0, "purchases_28d"] == 0


def test_rows_come_back_in_the_order_asked_for(database, snapshots):
    con = database([ago(5), ("b", DAY - timedelta(days=2))])
    pairs = [("b", DAY), ("a", DAY), ("a", DAY - timedelta(days=4)), ("b", DAY)]
    assert features(con, snapshots(*pairs))["recency_days"].tolist() == [2, 5, 1, 2]


def test_every_feature_states_how_far_it_looks_back():
    needs = lookbacks((7, 14))
    assert needs["purchases_14d"] == 14
    assert needs["spend_trend_7d"] == 14
    assert needs["season_sin"] == needs["purchases_year_ago"] == 364
    assert "purchases_trend_14d" not in needs


events = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.integers(0, 60),  # days after the beginning
        st.integers(-500, 2000),  # amount
        st.integers(0, 40),  # days until it became known
        st.sampled_from(["silk", "bag", None]),
    ),
    min_size=1,
    max_size=40,
)


def as_rows(drawn, start=date(2024, 1, 1)):
    return [
        {
            "client_id": client,
            "timestamp": start + timedelta(days=day),
            "amount_minor": amount,
            "text": text,
            "ingested_on": start + timedelta(days=day + delay),
        }
        for client, day, amount, delay, text in drawn
    ]


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(drawn=events, offset=st.integers(1, 60), poison=st.integers(-(10**9), 10**9))
def test_no_event_of_the_day_or_later_or_known_later_touches_a_feature(
    database, snapshots, drawn, offset, poison
):
    day = date(2024, 1, 1) + timedelta(days=offset)
    honest = as_rows(drawn)
    future = [r["ingested_on"] >= day for r in honest]
    poisoned = [
        row | {"amount_minor": poison, "text": "poison"} if hidden else row
        for row, hidden in zip(honest, future, strict=True)
    ]
    rows = snapshots(("a", day), ("b", day), ("c", day))
    before, after = (features(database(list(events)), rows) for events in (honest, poisoned))
    pd.testing.assert_frame_equal(before, after, check_exact=True)


def reference(rows, client, day):
    """The plain way, event by event, for clients without late rows."""
    own = [r for r in rows if r["client_id"] == client and r["timestamp"] < day]
    bought = sorted({r["timestamp"] for r in own if r["amount_minor"] > 0})
    gaps = np.diff([d.toordinal() for d in bought])
    ages = [(day - r["timestamp"]).days for r in own]
    return {
        "recency_days": (day - bought[-1]).days if bought else np.nan,
        "frequency": sum(r["amount_minor"] > 0 for r in own),
        "monetary": sum(r["amount_minor"] for r in own) / 100,
        "tenure_days": max(ages) if ages else np.nan,
        "gap_mean": gaps.mean() if len(gaps) else np.nan,
        "gap_std": gaps.std(ddof=1) if len(gaps) > 1 else np.nan,
        "spend_14d": sum(r["amount_minor"] for r, a in zip(own, ages, strict=True) if a <= 14)
        / 100,
    }


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(drawn=events, offset=st.integers(1, 60))
def test_equals_a_plain_count_event_by_event(database, snapshots, drawn, offset):
    day = date(2024, 1, 1) + timedelta(days=offset)
    rows = [row | {"ingested_on": row["timestamp"]} for row in as_rows(drawn)]
    at = snapshots(*((client, day) for client in "abc"))
    made = features(database([dict(row) for row in rows]), at)
    for client, found in zip("abc", made.to_dict("records"), strict=True):
        for name, value in reference(rows, client, day).items():
            assert found[name] == pytest.approx(value, nan_ok=True), (client, name)
