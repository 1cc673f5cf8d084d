from datetime import date, timedelta

import pytest

from evergreen.history.retraining_plan import Waiting, what_is_due
from evergreen.settings.pipeline import Incremental, Schedule

LAST = date(2024, 4, 1)
SCHEDULE = Schedule(full_after_days=7, full_after_labels=1000, full_after_growth=0.1)
INCREMENTAL = Incremental(min_new_labels=50, replay_share=1.0, replay_days=90, max_updates=30)


def due(days=1, mode="auto", alert=None, **changes):
    found = {"for_update": 60, "since_full": 100, "at_full": 5000, "updates": 3} | changes
    return what_is_due(
        LAST + timedelta(days=days),
        LAST,
        {"purchase": Waiting(**found)},
        mode=mode,
        schedule=SCHEDULE,
        incremental=INCREMENTAL,
        alert=alert,
    )


def test_a_full_retrain_is_due_after_so_many_days():
    assert not due(days=6).full
    assert due(days=7).full
    assert due(days=7).why_full == "the last was 7 days ago, 7 are allowed"


def test_a_full_retrain_is_due_when_enough_labels_have_come():
    assert not due(since_full=999, at_full=5000).full
    assert due(since_full=1000, at_full=5000).full


def test_a_thousand_labels_are_not_meaningful_to_a_large_retailer():
    assert not due(since_full=1000, at_full=1_000_000).full


def test_a_full_retrain_is_due_when_a_chain_of_updates_is_at_its_bound():
    assert not due(updates=29).full
    assert due(updates=30).why_full == "purchase has had 30 updates since its last full fit"


def test_a_full_retrain_is_due_when_an_alert_is_unanswered():
    found = due(days=1, alert="purchase has declined")
    assert (found.full, found.why_full) == (True, "purchase has declined")
    assert not due(days=1, mode="incremental", alert="purchase has declined").full


@pytest.mark.parametrize(
    ("mode", "full"), [("full", True), ("incremental", False), ("compare", False)]
)
def test_what_is_asked_for_is_done_whatever_is_due(mode, full):
    assert due(days=1, mode=mode).full is full
    assert due(days=9, mode=mode).full is full


def test_the_update_is_foretold():
    assert due().why_incremental == "due: new labels purchase 60; 50 are needed"
    assert due(for_update=49).why_incremental.startswith("not due: new labels purchase 49")
    assert due(updates=None).why_incremental == "there is no champion to update"
    assert due(mode="compare").why_incremental == "not asked for by mode compare"
