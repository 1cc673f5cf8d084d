from datetime import date, timedelta

import pytest

from evergreen.history.retraining_plan import NewLabels, plan_from_counts
from evergreen.settings.pipeline import Incremental, Schedule

LAST = date(2024, 4, 1)
SCHEDULE = Schedule(full_after_days=7, full_after_labels=1000, full_after_growth=0.1)
INCREMENTAL = Incremental(min_new_labels=50, replay_share=1.0, replay_days=90, max_updates=30)


def plan(days=1, mode="auto", alert=None, **changes):
    found = {"for_update": 60, "since_full": 100, "at_full": 5000, "updates": 3} | changes
    return plan_from_counts(
        LAST + timedelta(days=days),
        LAST,
        {"purchase": NewLabels(**found)},
        mode=mode,
        schedule=SCHEDULE,
        incremental=INCREMENTAL,
        alert=alert,
    )


def test_a_full_retrain_is_due_after_so_many_days():
    assert not plan(days=6).full
    assert plan(days=7).full
    assert plan(days=7).full_reason == "the last was 7 days ago, and the limit is 7"


def test_a_full_retrain_is_due_when_enough_labels_have_come():
    assert not plan(since_full=999, at_full=5000).full
    assert plan(since_full=1000, at_full=5000).full


def test_a_thousand_labels_are_not_meaningful_to_a_large_retailer():
    assert not plan(since_full=1000, at_full=1_000_000).full


def test_a_full_retrain_is_due_when_a_chain_of_updates_is_at_its_bound():
    assert not plan(updates=29).full
    assert plan(updates=30).full_reason == "purchase has had 30 updates since its last full fit"


def test_a_full_retrain_is_due_when_an_alert_is_unanswered():
    found = plan(days=1, alert="purchase has declined")
    assert (found.full, found.full_reason) == (True, "purchase has declined")
    assert not plan(days=1, mode="incremental", alert="purchase has declined").full


@pytest.mark.parametrize(
    ("mode", "full"), [("full", True), ("incremental", False), ("compare", False)]
)
def test_a_requested_mode_overrides_the_schedule(mode, full):
    assert plan(days=1, mode=mode).full is full
    assert plan(days=9, mode=mode).full is full


def test_the_plan_predicts_the_update():
    assert plan().update_reason == "due: new labels: purchase 60 (minimum 50)"
    assert plan(for_update=49).update_reason.startswith("not due: new labels: purchase 49")
    assert plan(updates=None).update_reason == "not possible: there is no champion yet"
    assert plan(mode="compare").update_reason == "not requested by mode compare"
