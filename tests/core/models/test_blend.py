import numpy as np
import pytest
from scipy.special import expit, logit

from evergreen.settings.estimators import BlendSettings, EstimatorSettings, LightGBMSettings

MEMBERS = ("lightgbm", "linear")
BOUGHT = {"column": "gap_mean_days", "offset": 1.0, "slope": -0.01, "where_unknown": 0.25}


def pooled(kind, weights, said):
    if kind == "binary":
        scores = [logit(np.clip(one, 1e-4, 1 - 1e-4)) for one in said]
        return expit(np.average(scores, axis=0, weights=weights))
    return np.exp(np.average(np.log(said), axis=0, weights=weights))


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_it_pools_its_components_also_after_an_update(make, simulate, kind):
    X, y = simulate(kind)
    day = simulate(kind, rows=80, seed=1)
    blend = make("blend", kind).fit(X, y)
    members = [make(name, kind).fit(X, y) for name in MEMBERS]
    floor = 0.0 if kind == "binary" else 0.01 * y.mean()
    for models in ([blend, *members], [model.update(*day) for model in (blend, *members)]):
        mixed, *each = (model.predict(X) for model in models)
        said = [np.maximum(one, floor) for one in each]
        np.testing.assert_allclose(mixed, pooled(kind, [0.5, 0.3], said), rtol=1e-9)


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_an_expected_column_is_a_third_member(make, simulate, kind):
    X, y = simulate(kind)
    blend = make("blend", kind, expected=BOUGHT).fit(X, y)
    each = [make(name, kind).fit(X, y).predict(X) for name in MEMBERS]
    each.append((1 - 0.01 * X["gap_mean_days"]).fillna(0.25).to_numpy())
    floor = 0.0 if kind == "binary" else 0.01 * y.mean()
    said = [np.maximum(one, floor) for one in each]
    np.testing.assert_allclose(blend.predict(X), pooled(kind, [5, 3, 2], said), rtol=1e-9)


def test_the_expected_column_is_saved_with_it(make, simulate):
    X, y = simulate("binary")
    blend = make("blend", "binary", expected=BOUGHT).fit(X, y)
    loaded = type(blend).from_files(blend.to_files())
    np.testing.assert_array_equal(loaded.predict(X), blend.predict(X))


def test_a_column_that_the_model_does_not_see_is_not_expected_of_it():
    assert BlendSettings().expecting(BOUGHT, ["gap_mean_days"]).expected is not None
    assert BlendSettings().expecting(BOUGHT, ["recency_days"]).expected is None
    assert BlendSettings().expecting(None, ["gap_mean_days"]).expected is None


def test_an_update_leaves_the_components_of_the_parent_as_they_were(make, simulate):
    X, y = simulate("binary")
    blend = make("blend", "binary").fit(X, y)
    before = blend.predict(X)
    blend.update(*simulate("binary", rows=80, seed=1))
    np.testing.assert_array_equal(blend.predict(X), before)


def test_its_settings_are_those_of_its_components():
    chosen = EstimatorSettings(lightgbm=LightGBMSettings(text="terms", rounds=7)).of("blend")
    assert (chosen.text, chosen.lightgbm.rounds) == ("terms", 7)
