import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evergreen.core.models.scaling import FARTHEST, Scaling


def test_skewed_columns_are_logged_and_others_are_not():
    random = np.random.default_rng(0)
    spend, age = np.exp(random.normal(3, 1, 500)), random.normal(40, 10, 500)
    assert Scaling.of(np.c_[spend, age, -spend]).logged.tolist() == [True, False, True]


def test_what_is_missing_gets_the_median():
    scaling = Scaling.of(np.array([[1.0], [2.0], [6.0], [np.nan]]))
    np.testing.assert_array_equal(
        scaling.apply(np.array([[np.nan]])), scaling.apply(np.array([[2.0]]))
    )


@given(arrays(np.float64, (5, 3), elements=st.floats(-1e30, 1e30) | st.just(np.nan)))
def test_scaled_values_are_finite_and_near(matrix):
    scaled = Scaling.of(matrix).apply(matrix[::-1] * 2)
    assert (np.abs(scaled) <= FARTHEST).all()


def test_scaling_survives_json():
    scaling = Scaling.of(np.random.default_rng(0).normal(size=(50, 3)))
    again = Scaling.from_lists(json.loads(json.dumps(scaling.as_lists())))
    for name in ("logged", "median", "mean", "deviation"):
        np.testing.assert_array_equal(getattr(again, name), getattr(scaling, name))


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_the_scaling_is_frozen_at_updates(make, simulate, kind):
    model = make("linear", kind).fit(*simulate(kind))
    X, y = simulate(kind, rows=100, seed=1)
    assert model.update(10 * X, y)._scaling is model._scaling


def test_weights_are_found_again(make):
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.normal(size=(4000, 3)), columns=["up", "down", "nothing"])
    y = random.random(4000) < 1 / (1 + np.exp(-X["up"] + 0.5 * X["down"]))
    weights = make("linear", "binary", alpha=0.0, min_steps=2000).fit(X, y)._weights
    np.testing.assert_allclose(weights, [1.0, -0.5, 0.0, 0.0], atol=0.15)


def test_no_client_is_predicted_beyond_measure(make, simulate):
    X, y = simulate("regression")
    model = make("linear", "regression").fit(X, y)
    assert model.predict(X * 1e6).max() < 1000 * y.mean()
