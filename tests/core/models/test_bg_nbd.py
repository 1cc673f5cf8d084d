from importlib.metadata import distribution

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta

from evergreen.core.models.bg_nbd import BgNbd, fit_bg_nbd
from evergreen.core.models.likelihood import Unfitted

LIVELY = BgNbd(r=0.8, alpha=20.0, a=0.9, b=2.5, log_likelihood=0.0, clients=0)
positive = st.floats(0.01, 100)
models = st.builds(
    BgNbd,
    r=positive,
    alpha=st.floats(0.1, 1000),
    a=positive,
    b=positive,
    log_likelihood=st.just(0.0),
    clients=st.just(0),
)


@st.composite
def clients(draw):
    x, T = draw(st.integers(0, 300)), draw(st.integers(1, 800))
    t_x = draw(st.integers(0, T)) if x else 0
    return tuple(np.array([float(value)]) for value in (x, t_x, T))


def simulate(model, n, days, seed):
    """First purchase at 0; then purchases until after one of them the client leaves."""
    random = np.random.default_rng(seed)
    rate = random.gamma(model.r, 1 / model.alpha, n)
    leaves = random.geometric(random.beta(model.a, model.b, n))  # after so many purchases
    return [
        np.cumsum(random.exponential(1 / max(rate[k], 1e-300), 400))[: leaves[k]] for k in range(n)
    ], np.full(n, float(days))


def seen(times, T):
    kept = [t[t <= end] for t, end in zip(times, T, strict=True)]
    x = np.array([float(len(t)) for t in kept])
    return x, np.array([t[-1] if len(t) else 0.0 for t in kept]), T


def test_parameters_of_the_cdnow_sample_are_the_published_ones():
    data = "lifetimes/datasets/cdnow_customers_summary.csv"
    sample = pd.read_csv(distribution("lifetimes").locate_file(data)).to_numpy(np.float64)
    found = fit_bg_nbd(sample[:, 1], sample[:, 2], sample[:, 3])
    assert found.clients == 2357
    assert found.log_likelihood == pytest.approx(-9582.4, abs=0.05)
    assert [found.r, found.alpha, found.a, found.b] == pytest.approx(
        [0.243, 4.414, 0.793, 2.426], abs=5e-4
    )
    first = (np.array([value]) for value in (2.0, 30.43, 38.86))
    assert found.expected_purchases(*first, 39)[0] == pytest.approx(1.226, abs=5e-4)


def test_parameters_are_recovered_from_simulated_clients():
    times, T = simulate(LIVELY, 20_000, 400, seed=3)
    found = fit_bg_nbd(*seen(times, T))
    assert [found.r, found.alpha] == pytest.approx([LIVELY.r, LIVELY.alpha], rel=0.06)
    assert found.a / (found.a + found.b) == pytest.approx(0.9 / 3.4, rel=0.06)


def test_probability_and_expectation_are_what_happens_to_simulated_clients():
    times, T = simulate(LIVELY, 20_000, 120, seed=4)
    known = seen(times, T)
    later = seen(times, T + 60)[0] - known[0]
    for alike in (known[0] == 0, known[0] == 1, known[0] > 3):
        rows = [column[alike] for column in known]
        away = LIVELY.no_purchase_probability(*rows, 60).mean()
        assert away == pytest.approx((later[alike] == 0).mean(), abs=0.02)
        assert LIVELY.expected_purchases(*rows, 60).mean() == pytest.approx(
            later[alike].mean(), rel=0.06
        )


@given(models, clients(), st.floats(0.1, 700), st.floats(1, 3))
def test_staying_away_longer_is_less_probable_and_always_a_probability(model, client, days, times):
    near, far = (model.no_purchase_probability(*client, h)[0] for h in (days, days * times))
    assert 0 <= far <= near <= 1


@given(models, clients(), st.floats(0.1, 700), st.floats(1, 3))
def test_more_days_bring_more_purchases(model, client, days, times):
    near, far = (model.expected_purchases(*client, h)[0] for h in (days, days * times))
    assert 0 <= near <= far + 1e-9


@settings(max_examples=30, deadline=None)
@given(models, clients(), st.sampled_from([7, 28, 365]))
def test_expected_purchases_are_the_integral_over_the_chance_to_leave(model, client, days):
    x, _, T = (float(value[0]) for value in client)
    chance = beta(model.a, model.b + x)

    def purchases(quantile):
        p = max(chance.ppf(quantile), 1e-300)
        return -np.expm1(-(model.r + x) * np.log1p(p * days / (model.alpha + T))) / p

    expected = quad(purchases, 0, 1, limit=500)[0] * model._active(*client)[0]
    found = model.expected_purchases(*client, days)[0]
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-7)


def test_whole_distances_between_the_shapes_are_no_pole():
    buyer = tuple(np.array([value]) for value in (99.0, 1.0, 1.0))
    whole, beside = (BgNbd(1.0, 1.0, a, 1.0, 0.0, 0) for a in (2.0, 2.00001))
    found = whole.expected_purchases(*buyer, 21)
    assert found == pytest.approx(beside.expected_purchases(*buyer, 21), rel=1e-4)


def test_a_chance_to_leave_with_a_of_one_has_its_limit():
    client = tuple(np.array([value]) for value in (3.0, 20.0, 50.0))
    near = [
        BgNbd(1.0, 20.0, a, 2.0, 0.0, 0).expected_purchases(*client, 28)[0]
        for a in (0.999, 1, 1.001)
    ]
    assert near[1] == pytest.approx((near[0] + near[2]) / 2, rel=1e-5)


def test_equal_clients_make_the_same_model_in_any_order():
    times, T = simulate(LIVELY, 400, 100, seed=5)
    known = [np.floor(column) for column in seen(times, T)]
    assert fit_bg_nbd(*known) == fit_bg_nbd(*(column[::-1] for column in known))


def test_too_few_repeat_buyers_are_said_in_words():
    once = np.zeros(500), np.zeros(500), np.full(500, 30.0)
    assert fit_bg_nbd(*once) == Unfitted(
        "0 clients have bought on more than one day, and at least 50 are needed"
    )


def test_clients_who_never_leave_still_have_a_model():
    random = np.random.default_rng(6)
    x = random.poisson(20, 500).astype(float)
    found = fit_bg_nbd(x, np.full(500, 99.0), np.full(500, 100.0))
    assert found.a / (found.a + found.b) < 0.01
    busy = found.no_purchase_probability(x, np.full(500, 99.0), np.full(500, 100.0), 30.0)
    assert (busy < 0.05).all()
