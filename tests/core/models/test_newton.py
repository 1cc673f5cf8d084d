import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from evergreen.core.models import newton


@given(st.lists(st.floats(-8, 8), min_size=1, max_size=20))
def test_response_times_weight_is_the_residual(scores):
    score, y = np.array(scores), np.arange(len(scores)) % 2
    step = newton.step(score, y, "binary")
    np.testing.assert_allclose(step.response * step.weight, y - expit(score), atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "link"), [("binary", logit), ("regression", np.log)], ids=["binary", "regression"]
)
def test_repeated_steps_arrive_at_the_mean(kind, link):
    y = np.array([0.0, 0.0, 0.0, 1.0])
    score = np.zeros(4)
    for _ in range(20):
        score += newton.step(score, y, kind).level(penalty=0.0)
    np.testing.assert_allclose(score, link(0.25))


def test_a_penalty_makes_the_step_smaller_in_proportion_to_the_weight():
    step = newton.step(np.zeros(8), np.zeros(8), "binary")
    assert step.weight.sum() == 2.0
    assert step.level(penalty=2.0) == step.level(penalty=0.0) / 2


def test_certain_and_wrong_rows_ask_for_a_change_that_is_a_number():
    for kind in ("binary", "regression"):
        step = newton.step(np.array([-800.0, 800.0]), np.array([1.0, 0.0]), kind)
        assert np.isfinite(step.response).all()
        assert (step.weight > 0).all()
