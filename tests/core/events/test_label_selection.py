from datetime import date, timedelta

import pandas as pd
import pytest

from evergreen.core.events.label_selection import (
    Draw,
    Window,
    observed_lately,
    snapshots_of,
    to_judge,
    to_train,
    to_update,
)
from evergreen.core.events.snapshots import create_snapshots
from evergreen.store import tables

DAY = date(2024, 3, 1)
ALL = Draw(max_rows=1000, seed=1)
HELD_OUT = "client_id like 'held%'"


def labels(*rows):
    """A database with ``labels`` (client_id, observed_on, known_on) with label 1."""
    con = tables.connect(2)
    frame = pd.DataFrame(rows, columns=["client_id", "observed_on", "known_on"])
    con.register("rows", frame.assign(target="t", label=1.0))
    con.execute(
        "create view labels as select target, client_id, observed_on::date as observed_on, label, "
        "known_on::date as known_on from rows"
    )
    return con


def test_no_held_out_client_and_no_old_label_is_trained_on():
    con = labels(
        ("a", "2024-02-01", "2024-02-08"),
        ("held b", "2024-02-01", "2024-02-08"),
        ("c", "2023-02-01", "2023-02-08"),
    )
    selected, drawn_from = to_train(con, by=DAY, max_age_days=365, held_out=HELD_OUT, draw=ALL)
    assert selected["client_id"].tolist() == ["a"]
    assert drawn_from == {}


def judged(con, target_rows=1):
    window = Window(days=14, target_rows=target_rows, max_days=56)
    selected = to_judge(con, ["t"], by=DAY, window=window, held_out=HELD_OUT, draw=ALL)
    return [client[-1] for client in selected["client_id"]]


@pytest.fixture
def weekly():
    """A held-out label known today, 13, 14, 40 and 56 days ago, and one of a training client."""
    days = {"a": 0, "b": 13, "c": 14, "d": 40, "e": 56}
    known = {client: DAY - timedelta(days=n) for client, n in days.items()}
    rows = [(f"held {client}", "2024-01-01", str(day)) for client, day in known.items()]
    return labels(*rows, ("t", "2024-01-01", "2024-02-28"))


def test_the_labels_of_the_last_days_are_judged(weekly):
    assert judged(weekly) == ["a", "b"]


def test_the_window_is_lengthened_until_there_are_enough_rows(weekly):
    assert judged(weekly, target_rows=3) == ["a", "b", "c"]
    assert judged(weekly, target_rows=4) == ["a", "b", "c", "d"]


def test_the_window_is_never_longer_than_its_maximum(weekly):
    assert judged(weekly, target_rows=100) == ["a", "b", "c", "d"]


def test_without_held_out_labels_there_is_nothing_to_judge():
    assert judged(labels(("t", "2024-01-01", "2024-02-28"))) == []


@pytest.mark.parametrize("share", [0, 0.5, 1, 100])
def test_an_update_learns_new_labels_and_draws_older_ones(share):
    known = {f"new {n}": DAY for n in range(4)}
    known |= {f"old {n}": DAY - timedelta(days=n) for n in range(1, 21)}
    known |= {"held new": DAY, "ancient": DAY - timedelta(days=91)}
    con = labels(*((client, "2023-11-01", str(day)) for client, day in known.items()))

    def update(share):
        return to_update(
            con,
            "t",
            after=DAY - timedelta(days=1),
            replay_share=share,
            replay_days=90,
            held_out=HELD_OUT,
            draw=ALL,
        )

    selected = update(share)
    assert selected["client_id"].head(4).tolist() == [f"new {n}" for n in range(4)]
    replayed = selected[selected["replay"]]["client_id"]
    assert len(selected) - 4 == len(replayed) == min(20, 4 * share)
    assert replayed.str.startswith("old").all()
    assert set(replayed) <= set(update(share + 1)["client_id"])


def test_those_observed_lately_are_of_the_last_days(database):
    con = database([("a", date(2024, 1, 1)), ("b", date(2024, 1, 2))])
    create_snapshots(con, every_days=1, burn_in_days=0)
    lately = observed_lately(con, by=DAY, days=2)
    assert lately["client_id"].tolist() == ["a", "b", "a", "b"]
    assert lately["observed_on"].dt.date.unique().tolist() == [DAY - timedelta(days=1), DAY]


@pytest.fixture(scope="module")
def many():
    """Labels of 40 clients, half of them held out, on two days; of a second target on one."""
    con = tables.connect(2)
    con.execute(
        f"""
        create view labels as
        select target, if(n % 2 = 0, 'held ', '') || n as client_id,
               date '{DAY}' - age::int as observed_on, 1.0 as label, date '{DAY}' as known_on
        from range(40) c(n), (values ('t', 10), ('t', 20), ('u', 10)) o(target, age)
        """
    )
    return con


def selected(con, max_rows):
    """The selections of a full retrain, an update and the gate, with at most so many rows."""
    draw = Draw(max_rows, seed=1)
    window = Window(days=14, target_rows=1, max_days=56)
    update = {"after": DAY - timedelta(days=1), "replay_share": 1.0, "replay_days": 90}
    return {
        "train": to_train(con, by=DAY, max_age_days=365, held_out=HELD_OUT, draw=draw)[0],
        "update": to_update(con, "t", **update, held_out=HELD_OUT, draw=draw),
        "judge": to_judge(
            con, ["u", "t"], by=DAY, window=window, held_out=HELD_OUT, draw=draw
        ),
    }  # fmt: skip


KEY = ["target", "client_id", "observed_on"]


def keys(frame):
    return set(frame[KEY].itertuples(index=False))


@pytest.mark.parametrize("purpose", ["train", "update", "judge"])
def test_a_smaller_draw_is_a_part_of_a_larger_one(many, purpose):
    whole = selected(many, 1000)[purpose]
    assert whole.equals(selected(many, 40)[purpose])
    last = keys(whole)
    for max_rows in (39, 21, 20, 3):
        frame = selected(many, max_rows)[purpose]
        assert keys(frame) <= last
        assert 0 < frame["target"].value_counts().max() <= max_rows
        last = keys(frame)


def test_the_same_clients_and_days_are_drawn_for_all_targets(many):
    frame = selected(many, 12)["train"]
    drawn = {target: keys(rows.assign(target="")) for target, rows in frame.groupby("target")}
    days = frame[frame["target"] == "u"]["observed_on"].unique()
    assert len(drawn["t"]) == 12
    assert drawn["u"] == {key for key in drawn["t"] if key.observed_on in days}


def test_of_a_client_that_is_drawn_for_the_gate_all_labels_are_judged(many):
    frame = selected(many, 12)["judge"]
    assert frame.groupby("client_id").size().eq(3).all()
    assert frame["client_id"].nunique() == 6


def test_recent_snapshots_are_drawn(database):
    con = database([(f"c{n}", date(2024, 1, 1)) for n in range(30)])
    create_snapshots(con, every_days=1, burn_in_days=0)
    draws = [
        observed_lately(con, by=DAY, days=2, draw=Draw(max_rows, seed=1))
        for max_rows in (7, 20, 60)
    ]
    assert [len(rows) for rows in draws] == [7, 20, 60]
    few, more, every = ({*rows.itertuples(index=False)} for rows in draws)
    assert few < more < every


def test_snapshots_stand_once_and_in_order():
    frame = pd.DataFrame(
        {
            "client_id": ["b", "a", "b", "z"],
            "observed_on": pd.to_datetime(["2024-02-01"] * 3 + ["2024-01-01"]),
        }
    )
    assert snapshots_of(frame)["client_id"].tolist() == ["z", "a", "b"]
