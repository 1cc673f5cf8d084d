import numpy as np
import pytest

from evergreen.core.monitoring.drift import (
    Reference,
    distance,
    distance_of_shares,
    reference,
)

LIMIT = 0.15
TAIL = 0.0005


def spend(seed, n, shift=0.0):
    """Half of the clients spend nothing, the others a log-normal amount."""
    random = np.random.default_rng(seed)
    amounts = random.lognormal(3 + shift, 1, n)
    return np.where(random.random(n) < 0.5, 0.0, amounts)


def drifted(values, expected):
    return distance(expected, values, tail=TAIL).at_least > LIMIT


@pytest.fixture(scope="module")
def at_training():
    return reference(spend(0, 8000), clients=2000)


@pytest.mark.parametrize("n", [500, 50_000])
def test_the_verdict_is_the_same_at_500_rows_and_at_50_000(at_training, n):
    for seed in range(1, 6):
        assert not drifted(spend(seed, n), at_training)
        assert not drifted(spend(seed, n, shift=0.3), at_training)
        assert drifted(spend(seed, n, shift=1.5), at_training)


def test_with_many_rows_a_trivial_shift_is_sure_and_no_drift(at_training):
    found = distance(at_training, spend(1, 500_000, shift=0.4), tail=TAIL)
    assert 0 < found.at_least < LIMIT


def test_in_100_runs_of_40_columns_without_drift_none_is_reported(at_training):
    for seed in range(100):
        columns = spend(seed, 40 * 100).reshape(40, 100)
        assert not any(drifted(column, at_training) for column in columns)


def test_small_samples_are_no_drift(at_training):
    far = [distance(at_training, spend(seed, 60), tail=TAIL).value for seed in range(50)]
    assert np.mean(far) < 0.1


def test_a_column_of_one_value_that_gets_another_has_drifted():
    same = reference(np.full(300, 7.0), clients=300)
    assert same.shares == (0.0, 1.0, 0.0, 0.0)
    assert not drifted(np.full(200, 7.0), same)
    assert drifted(np.full(200, 6.0), same)
    assert drifted(np.full(200, 8.0), same)


def test_values_that_are_missing_now_are_drift(at_training):
    values = spend(1, 400)
    assert drifted(np.where(np.arange(400) % 2, np.nan, values), at_training)


def test_a_column_that_was_missing_is_no_drift_while_it_stays_so():
    nothing = reference(np.full(300, np.nan), clients=300)
    assert not drifted(np.full(200, np.nan), nothing)
    assert drifted(np.full(200, 1.0), nothing)


def test_the_distance_lies_between_the_same_and_nothing_in_common():
    half, left, right = (np.array(shares) for shares in ([0.5, 0.5], [1.0, 0], [0, 1.0]))
    sizes = (10**9, 10**9)
    assert distance_of_shares(half, half, clients=sizes, tail=TAIL).value == pytest.approx(0)
    assert distance_of_shares(left, right, clients=sizes, tail=TAIL).value == pytest.approx(1)


def test_a_reference_comes_back_as_it_was(at_training):
    assert Reference.from_dict(at_training.to_dict()) == at_training
    assert sum(at_training.shares) == pytest.approx(1)
