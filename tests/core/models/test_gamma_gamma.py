from importlib.metadata import distribution

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.core.models.gamma_gamma import fit_gamma_gamma
from evergreen.core.models.likelihood import Unfitted


def simulate(p, q, gamma, n, seed):
    random = np.random.default_rng(seed)
    days = random.integers(1, 12, n).astype(float)
    rate = random.gamma(q, 1 / gamma, n)
    return days, random.gamma(p * days, 1 / rate) / days


def test_parameters_of_the_cdnow_sample_are_the_published_ones():
    data = "lifetimes/datasets/cdnow_customers_summary_with_transactions.csv"
    sample = pd.read_csv(distribution("lifetimes").locate_file(data))
    again = sample[sample["x"] > 0]
    found = fit_gamma_gamma(again["x"].to_numpy(float), again["zbar"].to_numpy(float))
    assert found.clients == 946
    assert [found.p, found.q, found.gamma] == pytest.approx([6.25, 3.74, 15.45], abs=0.01)


def test_parameters_are_recovered_from_simulated_clients():
    found = fit_gamma_gamma(*simulate(4.0, 3.0, 25.0, 20_000, seed=1))
    assert [found.p, found.q, found.gamma] == pytest.approx([4.0, 3.0, 25.0], rel=0.05)


def test_cents_and_euros_give_the_same_model():
    days, mean = simulate(4.0, 3.0, 25.0, 500, seed=2)
    euros, cents = fit_gamma_gamma(days, mean), fit_gamma_gamma(days, 100 * mean)
    assert [cents.p, cents.q] == pytest.approx([euros.p, euros.q])
    assert cents.expected_mean(days, 100 * mean) == pytest.approx(
        100 * euros.expected_mean(days, mean)
    )


def test_the_expectation_lies_between_what_a_client_and_what_all_spend():
    days, mean = simulate(4.0, 3.0, 25.0, 500, seed=2)
    found = fit_gamma_gamma(days, mean)
    of_all = found.p * found.gamma / (found.q - 1)
    expected = found.expected_mean(days, mean)
    assert (np.minimum(mean, of_all) <= expected).all()
    assert (expected <= np.maximum(mean, of_all)).all()


def test_more_is_returned_than_bought_counts_as_nothing_spent():
    found = fit_gamma_gamma(*simulate(4.0, 3.0, 25.0, 500, seed=2))
    few = np.ones(2)
    assert len(set(found.expected_mean(few, np.array([-5.0, 0.0])))) == 1


@pytest.mark.parametrize("mean", [0.0, -3.0])
def test_clients_who_spend_nothing_are_said_in_words(mean):
    assert fit_gamma_gamma(np.full(200, 3.0), np.full(200, mean)) == Unfitted(
        "0 clients have spent something on more than one day, and at least 50 are needed"
    )


def test_equal_amounts_everywhere_make_a_model_of_that_amount():
    found = fit_gamma_gamma(np.full(200, 3.0), np.full(200, 10.0))
    assert found.expected_mean(np.full(1, 3.0), np.full(1, 10.0))[0] == pytest.approx(10, rel=1e-3)


@pytest.fixture(scope="module")
def usual():
    """Purchase days and mean amounts of 500 clients, and what is expected of each."""
    days, mean = simulate(4.0, 3.0, 25.0, 500, seed=2)
    return days, mean, fit_gamma_gamma(days, mean).expected_mean(days, mean)


@settings(max_examples=40)
@given(wild=st.floats(1e3, 1e14), purchase_days=st.integers(1, 12))
def test_one_wild_client_hardly_changes_what_is_expected_of_others(usual, wild, purchase_days):
    days, mean, expected = usual
    found = fit_gamma_gamma(np.append(days, purchase_days), np.append(mean, wild))
    assert np.abs(np.log(found.expected_mean(days, mean) / expected)).max() < np.log(1.5)
    assert found.expected_mean(np.full(1, purchase_days), np.full(1, wild))[0] < 20 * mean.max()


def test_amounts_that_are_not_wild_are_not_limited():
    days, mean = simulate(4.0, 3.0, 25.0, 500, seed=2)
    assert fit_gamma_gamma(days, mean).largest > mean.max()
