from datetime import date

import pandas as pd
import pytest

from evergreen.core.events.label_selection import (
    Window,
    as_known,
    snapshots_of,
    to_judge,
    to_train,
)

DAY = date(2024, 3, 1)


def labels(*rows):
    """(client, observed_on, known_on, superseded_on, holdout) with label 1."""
    names = ["client_id", "observed_on", "known_on", "superseded_on", "holdout"]
    frame = pd.DataFrame(rows, columns=names).assign(label=1.0)
    for name in names[1:4]:
        frame[name] = pd.to_datetime(frame[name])
    return frame


def test_a_label_counts_from_the_day_it_is_known_until_it_is_superseded():
    frame = labels(
        ("a", "2024-01-01", "2024-01-08", "2024-02-01", False),
        ("a", "2024-01-01", "2024-02-01", None, False),
    )
    assert as_known(frame, by=date(2024, 1, 7)).empty
    assert as_known(frame, by=date(2024, 1, 31)).index.tolist() == [0]
    assert as_known(frame, by=date(2024, 2, 1)).index.tolist() == [1]


def test_what_is_known_of_a_date_does_not_change_with_a_later_correction():
    before = labels(("a", "2024-01-01", "2024-01-08", None, False))
    after = labels(
        ("a", "2024-01-01", "2024-01-08", "2024-02-01", False),
        ("a", "2024-01-01", "2024-02-01", None, False),
    )
    known_then = as_known(after, by=date(2024, 1, 31))
    assert known_then.astype(str).equals(as_known(before, by=date(2024, 1, 31)).astype(str))


def test_no_held_out_client_and_no_old_label_is_trained_on():
    frame = labels(
        ("a", "2024-02-01", "2024-02-08", None, False),
        ("b", "2024-02-01", "2024-02-08", None, True),
        ("c", "2023-02-01", "2023-02-08", None, False),
    )
    assert to_train(frame, by=DAY, max_age_days=365)["client_id"].tolist() == ["a"]


def judged(frame, target_rows=1):
    window = Window(days=14, target_rows=target_rows, max_days=56)
    return to_judge(frame, by=DAY, window=window)["client_id"].tolist()


@pytest.fixture
def weekly():
    """A held-out label known today, 13, 14, 40 and 56 days ago, and one of a training client."""
    days = {"a": 0, "b": 13, "c": 14, "d": 40, "e": 56}
    known = {c: pd.Timestamp(DAY) - pd.Timedelta(days=d) for c, d in days.items()}
    rows = [(c, "2024-01-01", day, None, True) for c, day in known.items()]
    return labels(*rows, ("t", "2024-01-01", "2024-02-28", None, False))


def test_the_labels_of_the_last_days_are_judged(weekly):
    assert judged(weekly) == ["a", "b"]


def test_the_window_is_lengthened_until_there_are_enough_rows(weekly):
    assert judged(weekly, target_rows=3) == ["a", "b", "c"]
    assert judged(weekly, target_rows=4) == ["a", "b", "c", "d"]


def test_the_window_is_never_longer_than_its_maximum(weekly):
    assert judged(weekly, target_rows=100) == ["a", "b", "c", "d"]


def test_without_held_out_labels_there_is_nothing_to_judge():
    assert judged(labels(("t", "2024-01-01", "2024-02-28", None, False))) == []


def test_snapshots_stand_once_and_in_order():
    frame = labels(
        ("b", "2024-02-01", "2024-02-08", None, False),
        ("a", "2024-02-01", "2024-02-08", None, False),
        ("b", "2024-02-01", "2024-02-09", None, False),
        ("z", "2024-01-01", "2024-02-08", None, False),
    )
    assert snapshots_of(frame)["client_id"].tolist() == ["z", "a", "b"]
