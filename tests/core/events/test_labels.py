from datetime import date, timedelta

import pytest

from evergreen.core.events.labels import create_labels
from evergreen.core.events.snapshots import create_snapshots

DAY = timedelta(days=1)
FIRST = date(2024, 1, 1)
AS_OF = date(2024, 3, 1)


def labels_of(con, label, *, horizon=7, complete_until=AS_OF, every=7):
    """(observed_on, label, known_on, superseded_on) of client `a`, observed every day or so."""
    create_snapshots(
        con, as_of=AS_OF, every_days=every, burn_in_days=0, holdout_share=0.2, holdout_salt="s"
    )
    create_labels(
        con, targets={"t": (label, horizon)}, complete_until=complete_until, minor_units=100
    )
    return con.sql(
        "select observed_on, label, known_on, superseded_on from labels where client_id = 'a' "
        "order by observed_on, known_on"
    ).fetchall()


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
