import numpy as np


def test_the_recipe_is_the_default(make):
    chosen = make("random_forest", "binary").settings_class()
    assert (chosen.trees, chosen.max_depth, chosen.update_trees) == (250, 20, 50)


def test_every_tree_has_one_vote(make, simulate):
    X, y = simulate("binary", rows=200)
    model = make("random_forest", "binary").fit(X, y).update(*simulate("binary", 80, 1))
    forests = [part.forest for part in model._parts]
    trees = [tree for forest in forests for tree in forest.estimators_]
    votes = [tree.predict_proba(X.to_numpy(np.float32))[:, 1] for tree in trees]
    assert len(trees) == 30 + 5
    np.testing.assert_allclose(model.predict(X), np.mean(votes, axis=0), rtol=1e-12)


def test_an_update_adds_a_file_and_leaves_the_others(make, simulate, digests):
    model = make("random_forest", "binary").fit(*simulate("binary", 200))
    child = model.update(*simulate("binary", 80, 1))
    before, after = digests(model), digests(child)
    assert after["model.joblib"] == before["model.joblib"]
    assert after.keys() - before.keys() == {"update-00001.joblib"}


def test_predictions_are_the_same_on_every_call_with_several_threads(make, simulate):
    X, y = simulate("binary", rows=200)
    model = make("random_forest", "binary", threads=2).fit(X, y)
    first = model.predict(X)
    assert all(np.array_equal(model.predict(X), first) for _ in range(5))
