"""Runs are judged beside the process that makes them."""

from datetime import date

import pytest

from evergreen.errors import DataError
from evergreen.replay.hindsight import JUDGED, judge_policy
from evergreen.replay.policies import POLICIES
from evergreen.replay.policy_run import FAILED, replay_policy
from evergreen.replay.scenario import make_scenario
from evergreen.settings.loading import load_settings


def test_judging_does_not_wait_for_runs_that_failed(tmp_path):
    days = make_scenario(load_settings(), date(2024, 3, 1), date(2024, 5, 1), 1)
    (tmp_path / FAILED).touch()
    judge_policy(days, POLICIES["default"], tmp_path)
    assert not (tmp_path / JUDGED).exists()


def test_runs_that_fail_leave_a_sign_for_whoever_waits(tmp_path):
    days = make_scenario(load_settings(), date(2024, 3, 1), date(2024, 5, 1), 1)
    with pytest.raises(DataError, match="contains no transactions"):
        replay_policy(days, POLICIES["default"], tmp_path)
    assert (tmp_path / FAILED).exists()
