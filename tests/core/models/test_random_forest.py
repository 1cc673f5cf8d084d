import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from evergreen.core.models.random_forest import FILE, LEAF, NODE, Forest
from evergreen.errors import ModelError

COLUMNS = 3


def test_the_recipe_is_the_default(make):
    chosen = make("random_forest", "binary").settings_class()
    assert (chosen.trees, chosen.max_depth, chosen.update_trees) == (250, 20, 50)


def test_every_tree_has_one_vote(make, simulate):
    X, y = simulate("binary", rows=200)
    model = make("random_forest", "binary").fit(X, y).update(*simulate("binary", 80, 1))
    trees = [tree for part in model._parts for tree in part.trees]
    votes = [tree.predict(X.to_numpy(np.float32))[:, 0] for tree in trees]
    assert len(trees) == 30 + 5
    np.testing.assert_allclose(model.predict(X), np.mean(votes, axis=0), rtol=1e-12)


@pytest.mark.parametrize("forest_class", [RandomForestClassifier, RandomForestRegressor])
@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("rows", [2, 300])
def test_a_forest_of_arrays_predicts_bit_by_bit_as_that_of_sklearn(forest_class, missing, rows):
    random = np.random.default_rng(5)
    X = random.normal(size=(rows, COLUMNS))
    X[random.random(X.shape) < missing] = np.nan
    y = (np.arange(rows) % 2) * (1.0 if forest_class is RandomForestClassifier else 7.3)
    fitted = forest_class(n_estimators=20, random_state=1).fit(X, y)
    new = random.normal(size=(500, COLUMNS))
    new[random.random(new.shape) < 0.2] = np.nan
    binary = forest_class is RandomForestClassifier
    expected = fitted.predict_proba(new)[:, 1] if binary else fitted.predict(new)
    forest = Forest.from_bytes(Forest.of(fitted).to_bytes(), COLUMNS)
    assert np.array_equal(forest.predict(new), expected)
    assert np.array_equal(forest.predict(new[:1]), expected[:1])


def test_an_update_adds_a_file_and_leaves_the_others(make, simulate, digests):
    model = make("random_forest", "binary").fit(*simulate("binary", 200))
    child = model.update(*simulate("binary", 80, 1))
    before, after = digests(model), digests(child)
    assert after[FILE] == before[FILE]
    assert after.keys() - before.keys() == {"update-00001.npy"}


def test_predictions_are_the_same_on_every_call_with_several_threads(make, simulate):
    X, y = simulate("binary", rows=200)
    model = make("random_forest", "binary", threads=2).fit(X, y)
    first = model.predict(X)
    assert all(np.array_equal(model.predict(X), first) for _ in range(5))


def two_trees():
    """A tree of three nodes, and one that is a leaf alone."""
    leaf = (LEAF, LEAF, 0, False, 0.0, 0.5)
    return np.array([(1, 2, 0, True, 0.1, 0.5), leaf, leaf, leaf], NODE)


@pytest.mark.parametrize(
    ("place", "field", "value"),
    [
        (0, "left", 4),
        (0, "left", 0),
        (0, "left", -7),
        (0, "left", 2),
        (0, "right", 3),
        (0, "right", LEAF),
        (1, "right", 2),
        (1, "left", 2),
        (0, "feature", COLUMNS),
        (0, "feature", -1),
        (0, "threshold", np.nan),
        (3, "value", np.inf),
    ],
)
def test_nodes_that_lead_nowhere_are_refused(place, field, value):
    nodes = two_trees()
    assert len(Forest.from_bytes(Forest(nodes, COLUMNS).to_bytes(), COLUMNS).trees) == 2
    nodes[field][place] = value
    if (place, field, value) == (0, "right", 3):
        nodes["left"][2], nodes["right"][2] = 3, 3
    with pytest.raises(ModelError, match="expected the trees of a random forest of 3 columns"):
        Forest.from_bytes(Forest(nodes, COLUMNS).to_bytes(), COLUMNS)


@given(st.data())
def test_hostile_nodes_are_refused_or_predict(data):
    """Whatever the arrays hold, scikit-learn, which checks nothing, reads no foreign memory."""
    small = st.integers(-2, 6)
    node = st.tuples(small, small, st.integers(-1, 3), st.booleans(), st.floats(), st.floats())
    nodes = np.array(data.draw(st.lists(node, max_size=6)), NODE)
    try:
        forest = Forest.from_bytes(Forest(nodes, COLUMNS).to_bytes(), COLUMNS)
    except ModelError:
        return
    assert forest.predict(np.zeros((1, COLUMNS))).shape == (1,)


@pytest.mark.parametrize("content", [b"", b"\x80\x04", np.lib.format.MAGIC_PREFIX])
def test_bytes_that_are_no_array_are_refused(content):
    with pytest.raises(ModelError, match="the trees of a random forest are not readable"):
        Forest.from_bytes(content, COLUMNS)
