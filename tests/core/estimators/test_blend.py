import numpy as np
import pytest

from evergreen.core.estimators.settings import EstimatorSettings, LightGBMSettings

MEMBERS = ("lightgbm", "linear")


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_it_predicts_the_mean_of_its_members_also_after_an_update(make, simulate, kind):
    X, y = simulate(kind)
    day = simulate(kind, rows=80, seed=1)
    blend = make("blend", kind).fit(X, y)
    members = [make(name, kind).fit(X, y) for name in MEMBERS]
    for models in ([blend, *members], [model.update(*day) for model in (blend, *members)]):
        mixed, *each = (model.predict(X) for model in models)
        np.testing.assert_allclose(mixed, sum(each) / 2, rtol=1e-12)


def test_an_update_leaves_the_members_of_the_parent_as_they_were(make, simulate):
    X, y = simulate("binary")
    blend = make("blend", "binary").fit(X, y)
    before = blend.predict(X)
    blend.update(*simulate("binary", rows=80, seed=1))
    np.testing.assert_array_equal(blend.predict(X), before)


def test_its_settings_are_those_of_its_members():
    chosen = EstimatorSettings(lightgbm=LightGBMSettings(text="terms", rounds=7)).of("blend")
    assert (chosen.text, chosen.lightgbm.rounds) == ("terms", 7)
