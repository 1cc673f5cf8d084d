import re

import lightgbm
import numpy as np
import pytest

from evergreen.core.models import newton


@pytest.fixture
def model(make, simulate):
    return make("lightgbm", "binary").fit(*simulate("binary"))


@pytest.fixture
def day(simulate):
    return simulate("binary", rows=300, seed=1)


def test_continuing_adds_trees_and_keeps_the_old_ones(model, day):
    child = model.update(*day)
    assert child._booster.num_trees() == model._booster.num_trees() + 5
    old = child._booster.predict(day[0].to_numpy(), num_iteration=40, raw_score=True)
    shift = old - model._booster.predict(day[0].to_numpy(), raw_score=True)
    np.testing.assert_allclose(shift, shift[0], atol=1e-12)


def test_a_day_too_small_for_any_split_still_moves_the_level(model, simulate):
    X, _ = simulate("binary", rows=30, seed=1)
    y = np.arange(30) == 0
    child = model.update(X, y)
    raw = [m._booster.predict(X.to_numpy(), raw_score=True) for m in (model, child)]
    level = newton.step(raw[0], y, "binary").level(penalty=100.0)
    assert level < 0
    np.testing.assert_allclose(raw[1] - raw[0], level, atol=1e-12)


def test_refitting_keeps_the_splits_and_moves_the_leaves(make, simulate, day):
    model = make("lightgbm", "binary", update="refit").fit(*simulate("binary"))
    child = model.update(*day)
    splits = [re.findall(r"^threshold=.*$", m._text, re.MULTILINE) for m in (model, child)]
    assert splits[0] == splits[1]
    assert not np.array_equal(child.predict(day[0]), model.predict(day[0]))


def test_refitting_is_deterministic_too(make, simulate, day):
    models = [
        make("lightgbm", "binary", threads=threads, update="refit").fit(*simulate("binary"))
        for threads in (1, 2)
    ]
    assert models[0].update(*day)._text == models[1].update(*day)._text


def test_the_file_is_a_model_that_lightgbm_reads(model, day, tmp_path):
    (tmp_path / "model.txt").write_bytes(model.to_files()["model.txt"])
    booster = lightgbm.Booster(model_file=tmp_path / "model.txt")
    np.testing.assert_array_equal(booster.predict(day[0].to_numpy()), model.predict(day[0]))


def test_training_says_nothing(make, simulate, day, capfd):
    make("lightgbm", "regression").fit(*simulate("regression", 30)).update(*day)
    assert capfd.readouterr() == ("", "")
