from datetime import date, timedelta

import pytest

from evergreen.core.events.folds import held_out_clients
from evergreen.core.events.snapshots import count_snapshots, create_snapshots, held_out

FIRST = date(2024, 1, 1)


def observed(con, *, as_of=date(2024, 3, 1), every=7, burn_in=0, share=0.25, salt="s"):
    create_snapshots(con, every_days=every, burn_in_days=burn_in)
    return con.sql(
        f"select client_id, observed_on, {held_out(share, salt)} as holdout "
        f"from snapshots(date '2000-01-01', date '{as_of}') order by observed_on, client_id"
    ).df()


@pytest.fixture
def many(database):
    return database([(f"c{k}", FIRST + timedelta(days=k % 5)) for k in range(400)])


def test_a_client_is_observed_every_so_many_days(many):
    frame = observed(many)
    gaps = frame.sort_values("observed_on").groupby("client_id")["observed_on"].diff().dropna()
    assert set(gaps.dt.days) == {7}


def test_a_client_is_first_observed_after_the_first_event(many):
    frame = observed(many)
    first = frame.groupby("client_id")["observed_on"].min()
    for client, day in first.items():
        event = FIRST + timedelta(days=int(client[1:]) % 5)
        assert event < day.date() <= event + timedelta(days=7)


def test_every_day_brings_its_share_of_the_clients(many):
    per_day = observed(many)["observed_on"].value_counts()
    assert per_day.loc["2024-01-20":].between(30, 90).all()


def test_a_late_event_makes_no_snapshot_before_it_was_known(database):
    late = date(2024, 2, 1)
    con = database([("a", FIRST), {"client_id": "b", "timestamp": FIRST, "ingested_on": late}])
    frame = observed(con)
    assert frame[frame["client_id"] == "b"]["observed_on"].min().date() >= late


def test_nobody_is_observed_in_the_burn_in_or_after_as_of(many):
    frame = observed(many, burn_in=14)
    assert frame["observed_on"].min().date() >= FIRST + timedelta(days=15)
    assert frame["observed_on"].max().date() <= date(2024, 3, 1)


def test_holdout_depends_on_the_id_alone(many, database):
    alone = database([("c7", date(2024, 2, 2))])
    everyone = observed(many).groupby("client_id")["holdout"].unique()
    assert everyone.map(len).eq(1).all()
    assert observed(alone)["holdout"].unique().tolist() == everyone["c7"].tolist()


def test_a_larger_share_keeps_every_client_that_was_held_out(many):
    small, large = (observed(many, share=share) for share in (0.2, 0.4))
    held = [set(frame[frame["holdout"]]["client_id"]) for frame in (small, large)]
    assert held[0] < held[1]
    assert 0.15 < len(held[0]) / 400 < 0.25


def test_another_salt_holds_out_other_clients(many):
    held = [
        set(frame[frame["holdout"]]["client_id"])
        for frame in (observed(many, salt="s"), observed(many, salt="t"))
    ]
    assert held[0] != held[1]


def test_holdout_is_the_same_in_sql_and_in_python(many):
    frame = observed(many, share=0.3, salt="it's")
    assert (
        frame["holdout"].tolist()
        == held_out_clients(frame["client_id"], share=0.3, salt="it's").tolist()
    )


def logged(*rows):
    """SQL of (client, day, day of ingestion)."""
    values = ", ".join(f"('{client}', date '{day}', date '{known}')" for client, day, known in rows)
    return f"from (values {values}) l(client_id, observed_on, ingested_on)"


def test_days_for_which_something_is_logged_are_observed_too(database):
    con = database([("a", FIRST)])
    day = date(2024, 1, 10)
    rows = [("a", day, day), ("a", FIRST, FIRST), ("stranger", day, day)]
    create_snapshots(con, every_days=7, burn_in_days=60, logged=logged(*rows))
    found = con.sql(f"from snapshots(date '{FIRST}', date '2024-02-01')").fetchall()
    assert found == [("a", day, date(2024, 1, 11))]


def test_a_day_on_which_a_client_is_observed_anyway_is_not_observed_twice(database):
    con = database([("a", FIRST)])
    day = date(2024, 1, 10)
    rows = [("a", day, day), ("a", day, date(2024, 1, 12))]
    create_snapshots(con, every_days=1, burn_in_days=0, logged=logged(*rows))
    found = con.sql(f"from snapshots(date '{day}', date '{day}')").fetchall()
    assert found == [("a", day, day)]


@pytest.mark.parametrize("first", range(8))
def test_any_range_of_days_is_a_part_of_the_whole(many, first):
    create_snapshots(many, every_days=7, burn_in_days=3)
    low, high = FIRST + timedelta(days=first), FIRST + timedelta(days=first + 9)
    key = "order by observed_on, client_id"
    part = many.sql(f"from snapshots(date '{low}', date '{high}') {key}").fetchall()
    whole = many.sql(f"from snapshots(date '2000-01-01', date '2030-01-01') {key}").fetchall()
    assert part == [row for row in whole if low <= row[1] <= high]


def test_snapshots_are_counted_without_being_made(many):
    frame = observed(many, burn_in=14)
    day = date(2024, 3, 1)
    create_snapshots(
        many, every_days=7, burn_in_days=14, logged=logged(("c0", date(2024, 1, 5), day))
    )
    rows, clients, held = count_snapshots(
        many, through=day, every_days=7, held_out=held_out(0.25, "s")
    )
    assert (rows, clients) == (len(frame) + 1, 400)
    assert held == frame[frame["holdout"]]["client_id"].nunique()
