import numpy as np
import pytest
from scipy.special import expit


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_an_update_leaves_the_trees_alone_and_adds_to_their_score(make, simulate, kind):
    model = make("hist_gradient_boosting", kind).fit(*simulate(kind))
    X, y = simulate(kind, rows=200, seed=1)
    child = model.update(X, y)
    assert child._parts[0] is model._parts[0]
    level, trees = child._parts[1].model
    before, after = model._raw_score(X.to_numpy()), child._raw_score(X.to_numpy())
    np.testing.assert_allclose(after - before, level + trees.predict(X.to_numpy()), atol=1e-12)


def test_the_level_takes_one_penalized_newton_step(make, simulate):
    model = make("hist_gradient_boosting", "binary").fit(*simulate("binary"))
    X, _ = simulate("binary", rows=200, seed=1)
    y = np.arange(200) % 4 == 0
    level, _ = model.update(X, y)._parts[1].model
    p = expit(model._raw_score(X.to_numpy()))
    assert level == pytest.approx((y - p).sum() / ((p * (1 - p)).sum() + 100.0))


def test_a_single_row_moves_the_level_a_little(make, simulate):
    model = make("hist_gradient_boosting", "binary").fit(*simulate("binary"))
    X, _ = simulate("binary", rows=2, seed=1)
    change = model.update(X, np.array([0, 1])).predict(X) - model.predict(X)
    assert np.abs(change).max() < 0.05


def test_certain_predictions_do_not_blow_up_an_update(make, simulate):
    X, _ = simulate("binary")
    y = (X["recency_days"] < 30).astype(float)
    model = make("hist_gradient_boosting", "binary", min_child_samples=5).fit(X, y)
    child = model.update(X, 1 - y)
    assert np.abs(child._raw_score(X.to_numpy()) - model._raw_score(X.to_numpy())).max() < 100
