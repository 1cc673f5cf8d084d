from datetime import date, timedelta

from evergreen.history.alerts import alert_lines, unanswered

FIRST = date(2024, 4, 1)
NONE = {"purchase": []}
DECLINE = {"purchase": ["decline"], "clv": []}


def runs(*raised):
    """Daily runs and what they raised."""
    return [(FIRST + timedelta(days=n), alerts) for n, alerts in enumerate(raised)]


def test_an_alert_is_unanswered_until_a_full_retrain():
    assert unanswered(runs(NONE, DECLINE), FIRST) == (
        "purchase performance has declined (reported on 2024-04-02)"
    )


def test_no_alert_no_reason():
    assert unanswered([], FIRST) is None
    assert unanswered(runs(NONE), FIRST) is None
    assert unanswered(runs(DECLINE, NONE), FIRST) is None


def test_a_lasting_alert_makes_a_full_retrain_due_exactly_once():
    last_full, raised, full = FIRST, [(FIRST, NONE)], []
    for n in range(1, 60):
        day = FIRST + timedelta(days=n)
        if unanswered(raised, last_full):
            full.append(n)
            last_full = day
        raised.append((day, DECLINE if n >= 10 else NONE))
    assert full == [11]


def test_a_full_retrain_on_the_day_of_the_alert_has_answered_it():
    assert unanswered(runs(NONE, DECLINE), FIRST + timedelta(days=1)) is None


def test_a_short_pause_makes_no_new_alert():
    answered = FIRST + timedelta(days=1)
    assert unanswered(runs(DECLINE, DECLINE, *[NONE] * 20, DECLINE), answered) is None


def test_after_four_quiet_weeks_an_alert_is_a_new_one():
    answered = FIRST + timedelta(days=1)
    assert unanswered(runs(DECLINE, *[NONE] * 30, DECLINE), answered) is not None


def test_another_kind_or_target_is_another_alert():
    answered = FIRST + timedelta(days=1)
    both = {"purchase": ["decline", "inputs"], "clv": ["predictions"]}
    assert unanswered(runs(DECLINE, DECLINE, both), answered) == (
        "purchase inputs have drifted (reported on 2024-04-03); "
        "clv predictions have drifted (reported on 2024-04-03)"
    )


def test_alerts_are_lines_of_the_summary():
    alert = {"kind": "decline", "since": "2024-04-01", "message": "worse"}
    report = {"purchase": {"alerts": [alert]}, "clv": {"alerts": []}}
    assert alert_lines(report) == ["purchase: alert: purchase performance has declined: worse"]
