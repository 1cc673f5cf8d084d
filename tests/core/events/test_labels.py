from datetime import date, timedelta
from itertools import pairwise
from operator import itemgetter

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from evergreen.core.events.labels import create_labels
from evergreen.core.events.snapshots import create_snapshots

DAY = timedelta(days=1)
FIRST = date(2024, 1, 1)
AS_OF = date(2024, 3, 1)


def versions_of(con, label, *, horizon=7, complete_until=AS_OF, every=7, chunk=10_000):
    """All versions, computed in chunks of so many days."""
    create_snapshots(con, every_days=every, burn_in_days=0, logged="from outcomes")
    found, after = [], FIRST
    while after < complete_until:
        through = min(complete_until, after + chunk * DAY)
        create_labels(
            con,
            targets={"t": (label, horizon)},
            every_days=every,
            after=after,
            through=through,
            minor_units=100,
        )
        found += con.sql("from new_labels order by known_on, observed_on, client_id").fetchall()
        after = through
    return found


def labels_of(con, label, **options):
    """(observed_on, label, known_on, superseded_on) of client `a`, observed every day or so."""
    versions = [v for v in versions_of(con, label, **options) if v[1] == "a"]
    replaced = {(observed, corrects): known for _, _, observed, known, _, corrects, _ in versions}
    return [
        (observed, label, known, replaced.get((observed, known)))
        for _, _, observed, known, label, _, _ in sorted(versions, key=itemgetter(2, 3))
    ]


def by_day(found):
    return {observed: label for observed, label, _, superseded in found if superseded is None}


def test_purchase_counts_from_the_day_of_the_snapshot_to_before_the_horizon(database):
    bought = date(2024, 1, 20)
    con = database([("a", FIRST), ("a", bought)])
    found = by_day(labels_of(con, "purchase", every=1))
    positive = {day for day, label in found.items() if label == 1}
    assert positive == {bought - timedelta(days=k) for k in range(7)}


def test_churn_is_no_purchase(database):
    rows = [("a", FIRST), ("a", date(2024, 1, 20))]
    purchase = by_day(labels_of(database(rows), "purchase", every=1))
    churn = by_day(labels_of(database(rows), "no_purchase", every=1))
    assert all(churn[day] == 1 - label for day, label in purchase.items())


def test_a_return_alone_is_no_purchase(database):
    con = database([("a", FIRST), ("a", date(2024, 1, 20), -500)])
    assert set(by_day(labels_of(con, "purchase", every=1)).values()) == {0.0}


def test_net_spend_is_in_major_units_and_never_negative(database):
    rows = [("a", FIRST), ("a", date(2024, 1, 20), 1234), ("a", date(2024, 2, 10), -99)]
    found = by_day(labels_of(database(rows), "net_spend", every=1))
    assert set(found.values()) == {0.0, 12.34}


def test_a_label_is_known_when_its_window_is_over(database):
    found = labels_of(database([("a", FIRST)]), "purchase", every=1)
    assert all(known == observed + timedelta(days=7) for observed, _, known, _ in found)


@pytest.mark.parametrize("complete_until", [date(2024, 2, 1), date(2024, 2, 15)])
def test_a_window_beyond_what_is_known_has_no_label(database, complete_until):
    found = labels_of(database([("a", FIRST)]), "purchase", every=1, complete_until=complete_until)
    assert max(found)[0] == complete_until - timedelta(days=7)


def test_a_late_purchase_makes_a_second_version_from_the_day_after_it_came_in(database):
    late = date(2024, 2, 20)
    con = database(
        [
            ("a", FIRST),
            {"client_id": "a", "timestamp": date(2024, 1, 20), "ingested_on": late - DAY},
        ]
    )
    found = [row for row in labels_of(con, "purchase", every=1) if row[0] == date(2024, 1, 18)]
    matured = date(2024, 1, 25)
    assert found == [
        (date(2024, 1, 18), 0.0, matured, late),
        (date(2024, 1, 18), 1.0, late, None),
    ]


def test_a_late_row_that_changes_nothing_makes_no_version(database):
    con = database(
        [
            ("a", FIRST),
            ("a", date(2024, 1, 20)),
            {
                "client_id": "a",
                "timestamp": date(2024, 1, 21),
                "ingested_on": date(2024, 2, 20),
            },
        ]
    )
    found = [row for row in labels_of(con, "purchase", every=1) if row[0] == date(2024, 1, 18)]
    assert found == [(date(2024, 1, 18), 1.0, date(2024, 1, 25), None)]


def outcome(day, value, ingested_on):
    return {"target": "t", "client_id": "a", "observed_on": day, "value": value,
            "ingested_on": ingested_on}  # fmt: skip


def test_an_outcome_from_elsewhere_wins_over_what_the_ledger_says(database):
    day = date(2024, 1, 10)
    con = database([("a", FIRST)], outcomes=[outcome(day, 1.0, day)])
    found = {row[0]: row[1:] for row in labels_of(con, "purchase", every=1)}
    assert found[day] == (1.0, day + timedelta(days=7), None)
    assert found[day + timedelta(days=1)][0] == 0.0


def test_a_late_and_a_corrected_outcome_are_versions_from_the_days_after_they_came_in(database):
    day, late, corrected = date(2024, 1, 10), date(2024, 1, 25), date(2024, 2, 5)
    outcomes = [outcome(day, 1.0, late - DAY), outcome(day, 0.0, corrected - DAY)]
    con = database([("a", FIRST)], outcomes=outcomes)
    versions = [row[1:] for row in labels_of(con, "purchase", every=1) if row[0] == day]
    assert versions == [
        (0.0, date(2024, 1, 17), late),
        (1.0, late, corrected),
        (0.0, corrected, None),
    ]


def test_rows_that_come_after_an_outcome_do_not_change_it(database):
    day = date(2024, 1, 10)
    late_sale = {"client_id": "a", "timestamp": date(2024, 1, 12), "ingested_on": date(2024, 2, 1)}
    con = database([("a", FIRST), late_sale], outcomes=[outcome(day, 0.0, day)])
    versions = [row[1:] for row in labels_of(con, "purchase", every=1) if row[0] == day]
    assert versions == [(0.0, date(2024, 1, 17), None)]


def test_a_snapshot_that_became_known_late_has_no_label_before(database):
    day, late = date(2024, 1, 10), date(2024, 2, 5)
    con = database([("a", FIRST)], outcomes=[outcome(day, 1.0, late - DAY)])
    assert [row for row in labels_of(con, "purchase", every=40) if row[0] == day] == [
        (day, 1.0, late, None)
    ]


def expected_versions(rows, outcomes, observed, *, horizon, until):
    """What `versions_of` returns, by looking at each snapshot on each day."""
    versions = []
    for client, day, snapshot_known in observed:
        window = [day + n * DAY for n in range(horizon)]
        versions_of_one = []
        known_on = max(day + horizon * DAY, snapshot_known)
        while known_on <= until:
            bought = [
                bought for who, bought, ingested in rows
                if who == client and bought in window and ingested < known_on
            ]  # fmt: skip
            said = [
                (ingested, value) for who, on, value, ingested in outcomes
                if (who, on) == (client, day) and ingested < known_on
            ]  # fmt: skip
            label = max(said)[1] if said else float(bool(bought))
            if not versions_of_one or versions_of_one[-1][4] != label:
                versions_of_one.append(("t", client, day, known_on, label))
            known_on += DAY
        for before, version in pairwise([None, *versions_of_one]):
            corrects = (before[3], before[4]) if before else (None, None)
            versions.append((*version, *corrects))
    return sorted(versions, key=itemgetter(3, 2, 1))


LAST = FIRST + timedelta(days=12)
DAYS = st.integers(0, 11).map(lambda n: FIRST + n * DAY)
LAGS = st.sampled_from([0, 0, 1, 4, 9]).map(lambda n: n * DAY)
CLIENTS = st.sampled_from("abc")


@hypothesis_settings(max_examples=12)
@given(
    rows=st.lists(st.tuples(CLIENTS, DAYS, LAGS), min_size=1, max_size=12),
    outcomes=st.lists(
        st.tuples(CLIENTS, DAYS, st.sampled_from([0.0, 1.0]), LAGS),
        max_size=4,
        unique_by=itemgetter(0, 1, 3),
    ),
    every=st.sampled_from([1, 3]),
    horizon=st.sampled_from([1, 5]),
    chunk=st.sampled_from([1, 1, 4]),
)
def test_days_chunks_and_the_whole_give_the_same_rows_as_looking_each_day(
    database, rows, outcomes, every, horizon, chunk
):
    bought = [(client, day, day + lag) for client, day, lag in rows]
    known = [(client, day, value, day + lag) for client, day, value, lag in outcomes]
    con = database(
        [{"client_id": c, "timestamp": day, "ingested_on": on} for c, day, on in bought],
        outcomes=[outcome(day, value, on) | {"client_id": c} for c, day, value, on in known],
    )
    options = {"horizon": horizon, "complete_until": LAST, "every": every}
    whole = versions_of(con, "purchase", **options)
    observed = con.sql(f"from snapshots(date '{FIRST}', date '{LAST}')").fetchall()
    assert whole == expected_versions(bought, known, observed, horizon=horizon, until=LAST)
    assert versions_of(con, "purchase", chunk=chunk, **options) == whole
