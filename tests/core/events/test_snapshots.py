from datetime import date, timedelta

import pyarrow as pa
import pytest

from evergreen.core.events.snapshots import add_snapshots, create_snapshots

FIRST = date(2024, 1, 1)


def observed(con, *, as_of=date(2024, 3, 1), every=7, burn_in=0, share=0.25, salt="s"):
    con.execute("drop table if exists snapshots")
    create_snapshots(
        con,
        as_of=as_of,
        every_days=every,
        burn_in_days=burn_in,
        holdout_share=share,
        holdout_salt=salt,
    )
    return con.sql("select client_id, observed_on, holdout from snapshots").df()


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


def test_days_for_which_something_is_logged_are_observed_too(database):
    con = database([("a", FIRST)])
    logged = [("a", date(2024, 1, 10)), ("a", FIRST), ("stranger", date(2024, 1, 10))]
    rows = [{"client_id": client, "observed_on": day} for client, day in logged]
    schema = pa.schema([("client_id", pa.string()), ("observed_on", pa.date32())])
    con.register("logged", pa.Table.from_pylist(rows, schema=schema))
    create_snapshots(
        con, as_of=FIRST, every_days=7, burn_in_days=0, holdout_share=0.9, holdout_salt="s"
    )
    add_snapshots(con, as_of=date(2024, 2, 1), holdout_share=0.9, holdout_salt="s")
    found = con.sql("select client_id, observed_on from snapshots").fetchall()
    assert found == [("a", date(2024, 1, 10))]
