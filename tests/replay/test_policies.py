from datetime import date

import pandas as pd
import pytest

from evergreen.errors import SettingsError
from evergreen.replay.policies import POLICIES, policies_named
from evergreen.replay.scenario import make_scenario
from evergreen.settings.loading import load_settings
from evergreen.stages.compare import Judged

MONDAY = date(2017, 4, 3)
NO_LABELS = pd.DataFrame({"target": [], "known_on": pd.to_datetime([]), "labels": []})


class Manifest:
    trained_through = "2017-04-01"
    updates = 0


class Model:
    manifest = Manifest


@pytest.fixture
def settings():
    return load_settings()


def judged(champion="v0", winner=None, **accuracy):
    """Candidates by their accuracy next to that of the champion."""
    kinds = [kind for kind in accuracy if kind != "champion"]
    report = {
        "champion": champion,
        "opponent": "champion",
        "winner": winner,
        "candidates": {kind: {} for kind in kinds},
    }
    metrics = {model: {"accuracy": value} for model, value in accuracy.items()}
    return Judged({"purchase": report}, {"purchase": metrics}, {}, {})


@pytest.mark.parametrize(
    ("policy", "mode", "full"),
    [
        ("never", "compare", False),
        ("incremental", "auto", False),
        ("weekly", "compare", True),
        ("default", "auto", True),
    ],
)
def test_a_week_after_the_last_full_retrain(settings, policy, mode, full):
    a_week_later = date(2017, 4, 8)
    champions = dict.fromkeys(settings.targets, Model)
    plan = POLICIES[policy].plan(settings, a_week_later, champions, NO_LABELS)
    assert plan == (mode, a_week_later if full else settings.full_retrain.as_of)


def test_every_policy_goes_on_until_it_has_a_first_model(settings):
    _, full_as_of = POLICIES["never"].plan(settings, date(2017, 4, 8), {}, NO_LABELS)
    assert full_as_of == date(2017, 4, 8)


def test_never_keeps_its_first_model():
    found = judged(winner="full", champion="v0", full=0.9)
    assert POLICIES["never"].choose("purchase", found) is None
    assert POLICIES["never"].choose("purchase", judged(winner="full", champion=None, full=0.9))


def test_the_gate_decides_by_default():
    found = judged(winner="incremental", champion="v0", full=0.9, incremental=0.1)
    assert POLICIES["default"].choose("purchase", found) == "incremental"


def test_the_naive_rule_takes_what_has_the_higher_accuracy():
    higher = POLICIES["higher"]
    assert higher.choose("purchase", judged_against(0.70, full=0.71, incremental=0.72)) == (
        "incremental"
    )
    assert higher.choose("purchase", judged_against(0.72, full=0.71, incremental=0.72)) is None


def judged_against(accuracy, **candidates):
    found = judged(**candidates)
    found.metrics["purchase"]["champion"] = {"accuracy": accuracy}
    return found


def test_always_takes_the_full_retrain_before_the_update():
    assert POLICIES["always"].choose("purchase", judged(full=0.1, incremental=0.9)) == "full"
    assert POLICIES["always"].choose("purchase", judged(incremental=0.1)) == "incremental"


def test_never_is_always_among_the_policies():
    assert [policy.name for policy in policies_named(["weekly"])] == ["never", "weekly"]


def test_an_unknown_policy_is_refused_with_those_that_there_are():
    with pytest.raises(SettingsError, match="no policy 'dayly', there are never, incremental"):
        policies_named(["dayly"])


def test_runs_are_evenly_spaced_and_end_before_the_history(settings):
    scenario = make_scenario(settings, date(2017, 4, 1), date(2017, 4, 15), 7)
    assert [str(day) for day in scenario.dates] == ["2017-04-01", "2017-04-08"]


def test_a_history_too_short_for_any_outcome_is_refused(settings):
    with pytest.raises(SettingsError, match="outcomes take 7 days: none would be known"):
        make_scenario(settings, date(2017, 4, 1), date(2017, 4, 8), 1)


def test_an_unknown_target_is_refused(settings):
    with pytest.raises(SettingsError, match="no target 'chrun', there are purchase, churn, clv"):
        make_scenario(settings, date(2017, 4, 1), date(2017, 5, 8), 1, ["chrun"])
