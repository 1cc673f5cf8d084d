import numpy as np
import pytest

from evergreen.core.models.likelihood import Unfitted, count_equal_rows, maximise


def test_the_maximum_is_found_at_positive_parameters():
    def gradient(at):
        return float(-((at - 3) ** 2).sum()), -2 * (at - 3)

    found, value = maximise(gradient, start=(1.0, 9.0), observations=1)
    assert found == pytest.approx((3.0, 3.0), rel=1e-5)
    assert value == pytest.approx(0.0, abs=1e-9)


def test_a_likelihood_without_a_value_is_a_reason_in_words():
    found = maximise(lambda at: (float("nan"), at), start=(1.0,), observations=1)
    assert isinstance(found, Unfitted)
    assert found.reason.startswith("no maximum of the likelihood was found")


def test_equal_rows_are_counted():
    (x, y), counts = count_equal_rows(np.array([2.0, 1, 2]), np.array([5.0, 5, 5]))
    assert (x.tolist(), y.tolist(), counts.tolist()) == ([1, 2], [5, 5], [1, 2])
