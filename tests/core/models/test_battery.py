"""What is asked of every estimator, for every kind of target."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evergreen.core.models import registry
from evergreen.core.models.validation import FeatureMismatchError
from evergreen.errors import EvergreenError, ModelError

CASES = [(name, kind) for name in registry.NAMES for kind in ("binary", "regression")]


each_estimator = pytest.mark.parametrize("name", registry.NAMES)


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def case(request):
    return request.param


@pytest.fixture(scope="module")
def kind(case):
    return case[1]


@pytest.fixture(scope="module")
def fitted(case, make, simulate):
    return make(*case).fit(*simulate(case[1]))


@pytest.fixture(scope="module")
def day(kind, simulate):
    return simulate(kind, rows=80, seed=1)


@pytest.fixture(scope="module")
def replay(kind, simulate):
    return simulate(kind, rows=80, seed=2)


def loss(kind, y, predicted):
    if kind == "binary":
        p = np.clip(predicted, 1e-4, 1 - 1e-4)
        return -np.mean(y * np.log(p) + (1 - y) * np.log1p(-p))
    f = np.maximum(predicted, 0.01 * y.mean())
    return np.mean(4 * (np.sqrt(y) - np.sqrt(f)) ** 2 / np.sqrt(f))


# What it learns


def test_beats_the_base_rate_clearly_on_later_clients(fitted, kind, simulate):
    X, y = simulate(kind, rows=2000, seed=9)
    known = np.full(len(y), simulate(kind)[1].mean())
    assert loss(kind, y, fitted.predict(X)) < 0.85 * loss(kind, y, known)


def test_predicts_the_mean_rather_than_the_median(fitted, kind, simulate):
    X, y = simulate(kind)
    assert fitted.predict(X).mean() == pytest.approx(y.mean(), rel=0.1)


def test_predictions_are_float64_finite_and_in_range(fitted, kind, simulate):
    predicted = fitted.predict(simulate(kind, rows=200, seed=3)[0])
    assert predicted.dtype == np.float64
    assert predicted.shape == (200,)
    assert np.isfinite(predicted).all()
    assert (predicted >= 0).all()
    assert kind == "regression" or (predicted <= 1).all()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
@given(
    values=arrays(
        np.float64, (3, 4), elements=st.floats(-1e30, 1e30) | st.just(np.nan) | st.floats(-9, 9)
    )
)
def test_any_numbers_get_a_prediction_in_range(fitted, values):
    predicted = fitted.predict(pd.DataFrame(values, columns=list(fitted.columns)))
    assert np.isfinite(predicted).all()
    assert (predicted >= 0).all()
    assert fitted.kind == "regression" or (predicted <= 1).all()


@each_estimator
def test_amounts_in_another_unit_give_the_same_model_in_that_unit(name, make, simulate):
    X, y = simulate("regression", rows=300)
    whole = make(name, "regression").fit(X, y)
    small = make(name, "regression").fit(X, 128 * y)
    np.testing.assert_array_equal(small.predict(X), 128 * whole.predict(X))


def test_fitting_again_forgets_what_was_learned(case, make, simulate, digests):
    X, y = simulate(case[1], rows=200, seed=4)
    again = make(*case).fit(*simulate(case[1])).fit(X, y)
    assert digests(again) == digests(make(*case).fit(X, y))


# What it takes


def test_inputs_are_not_changed(case, make, day, replay):
    before = [part.copy() for part in (*day, *replay)]
    make(*case).fit(*day).update(*day, *replay).predict(day[0])
    for part, copy in zip((*day, *replay), before, strict=True):
        np.testing.assert_array_equal(np.asarray(part), np.asarray(copy))


def test_labels_go_by_position_whatever_their_index(case, make, day, digests):
    X, y = day
    odd = pd.Series(y, index=range(1000, 1000 + len(y)))
    by_series, by_array = make(*case).fit(X, odd), make(*case).fit(X, y)
    assert digests(by_series) == digests(by_array)


def test_order_of_columns_is_irrelevant(fitted, day, replay, digests):
    turned = day[0][day[0].columns[::-1]]
    np.testing.assert_array_equal(fitted.predict(turned), fitted.predict(day[0]))
    a, b = fitted.update(turned, day[1], *replay), fitted.update(*day, *replay)
    assert digests(a) == digests(b)


@pytest.mark.parametrize("how", ["predict", "update", "replay"])
def test_other_columns_are_refused_with_their_difference(fitted, day, how):
    X, y = day
    other = X.rename(columns={"recency_days": "recency"}).assign(age=1.0)
    call = {
        "predict": lambda: fitted.predict(other),
        "update": lambda: fitted.update(other, y),
        "replay": lambda: fitted.update(X, y, other, y),
    }
    with pytest.raises(FeatureMismatchError) as caught:
        call[how]()
    assert isinstance(caught.value, EvergreenError | ValueError)
    assert str(caught.value) == (
        f"{fitted.name} was fitted on 4 columns, found 5:\n"
        "- recency_days (missing)\n"
        "+ age (unknown to the model)\n"
        "+ recency (unknown to the model)\n"
        "Next: pass the columns of the feature extractor that the model was trained with, "
        "in any order"
    )


def test_infinity_is_refused_with_the_columns_that_hold_it(case, make, day):
    X, y = day[0].copy(), day[1]
    X.loc[3, "frequency"] = np.inf
    X.loc[5, "noise"] = -1e39
    with pytest.raises(ValueError, match=r"found infinity in: frequency, noise$"):
        make(*case).fit(X, y)


def test_columns_of_nothing_and_of_one_value_are_harmless(case, make, day):
    X = day[0].assign(nothing=np.nan, one=1.0, zero=0.0, tenth=0.1)
    model = make(*case).fit(X, day[1]).update(X, day[1])
    assert np.isfinite(model.predict(X.assign(nothing=1.0, one=np.nan))).all()


def test_nothing_but_columns_of_nothing_gives_about_the_mean(case, make, day):
    X = day[0] * np.nan
    predicted = make(*case).fit(X, day[1]).update(X, day[1]).predict(X)
    np.testing.assert_allclose(predicted, day[1].mean(), rtol=0.15)


def test_one_row_is_predicted_as_it_is_among_others(fitted, day):
    one = np.array([fitted.predict(day[0].iloc[[row]])[0] for row in range(5)])
    np.testing.assert_allclose(one, fitted.predict(day[0])[:5], rtol=1e-12)


def test_no_row_gives_no_prediction(fitted, day):
    assert fitted.predict(day[0].iloc[:0]).shape == (0,)


def test_fit_without_rows_is_refused(case, make, day):
    with pytest.raises(
        ValueError, match=r"^fit expects at least one row with its label, found non"
    ):
        make(*case).fit(day[0].iloc[:0], day[1][:0])


def test_a_handful_of_rows_is_enough(case, make, simulate):
    X, _ = simulate(case[1], rows=6)
    y = np.array([0.0, 1.0, 0.0, 1.0, 1.0, 1.0])
    assert np.isfinite(make(*case).fit(X, y).predict(X)).all()


@pytest.mark.parametrize("wrong", [np.nan, -1.0, np.inf])
def test_wrong_labels_are_refused(case, make, day, wrong):
    y = day[1].copy()
    y[2] = wrong
    model = make(*case)
    with pytest.raises(ValueError, match=f"found {wrong} in 1 of 80 rows"):
        model.fit(day[0], y)
    with pytest.raises(ModelError, match="has not been fitted"):
        model.predict(day[0])


def test_nothing_can_be_asked_before_fit(case, make, day):
    model = make(*case)
    for call in (lambda: model.predict(day[0]), model.to_files):
        with pytest.raises(ModelError, match="has not been fitted"):
            call()


# One class


@each_estimator
@pytest.mark.parametrize(("label", "expected"), [(0, 1 / 82), (1, 81 / 82)])
def test_one_class_gives_a_constant_that_is_not_certain(name, make, simulate, label, expected):
    X, _ = simulate("binary", rows=80)
    predicted = make(name, "binary").fit(X, np.full(80, label)).predict(X)
    np.testing.assert_array_equal(predicted, expected)


@each_estimator
def test_no_spend_at_all_gives_zero(name, make, simulate):
    X, _ = simulate("regression", rows=80)
    predicted = make(name, "regression").fit(X, np.zeros(80)).predict(X)
    np.testing.assert_array_equal(predicted, 0.0)


def test_a_constant_learns_as_soon_as_there_is_something_to_learn(case, make, simulate):
    X, y = simulate(case[1])
    saved = make(*case).fit(X, np.zeros(len(X))).to_files()
    constant = registry.from_files(case[0], saved)
    model = constant.update(X, y)
    assert (constant.updates, model.updates) == (0, 1)
    assert np.ptp(constant.predict(X)) == 0
    assert loss(case[1], y, model.predict(X)) < 0.85 * loss(case[1], y, np.full(len(y), y.mean()))


def test_a_day_without_any_purchase_changes_nothing(fitted, day, digests):
    child = fitted.update(day[0], np.zeros(80))
    assert child.updates == 0
    assert digests(child) == digests(fitted)


@each_estimator
def test_a_day_of_nothing_but_ones_changes_nothing(name, make, simulate, digests):
    X, y = simulate("binary", rows=80)
    model = make(name, "binary").fit(X, y)
    child = model.update(X, np.ones(80))
    assert child.updates == 0
    assert digests(child) == digests(model)


def test_a_day_of_one_class_is_learned_along_with_older_rows(fitted, day, replay):
    child = fitted.update(day[0], np.zeros(80), *replay)
    assert child.updates == 1
    assert child.predict(day[0]).mean() < fitted.predict(day[0]).mean()


# Updates


def test_update_leaves_the_parent_as_it_was(fitted, day, replay, digests):
    before, predicted = digests(fitted), fitted.predict(day[0])
    child = fitted.update(*day, *replay).update(*replay)
    assert child is not fitted
    assert (fitted.updates, child.updates) == (0, 2)
    assert digests(fitted) == before
    np.testing.assert_array_equal(fitted.predict(day[0]), predicted)
    assert not np.array_equal(child.predict(day[0]), predicted)


def test_an_empty_day_changes_nothing(fitted, day, replay, digests):
    child = fitted.update(day[0].iloc[:0], day[1][:0], *replay)
    assert child.updates == 0
    assert digests(child) == digests(fitted)


def test_an_empty_replay_is_no_replay(fitted, day, digests):
    a = fitted.update(*day, day[0].iloc[:0], day[1][:0])
    assert digests(a) == digests(fitted.update(*day))


def test_replayed_rows_come_with_their_labels(fitted, day):
    with pytest.raises(ValueError, match=r"^X_replay and y_replay are expected together, found o"):
        fitted.update(*day, day[0])


def test_the_same_day_over_and_over_does_no_harm(fitted, kind, day, simulate):
    X, y = simulate(kind, rows=2000, seed=9)
    model = fitted
    for _ in range(5):
        model = model.update(*day, *day)
    assert loss(kind, y, model.predict(X)) < 1.1 * loss(kind, y, fitted.predict(X))


def test_updates_follow_a_change_of_level(case, make, simulate):
    name, kind = case
    X, y = simulate(kind)
    model = make(name, kind).fit(X, y)
    later_X, later_y = simulate(kind, rows=300, seed=5)
    later_y = np.where(np.random.default_rng(0).random(300) < 0.6, 0.0, later_y)
    updated = model
    for _ in range(5):
        updated = updated.update(later_X, later_y)
    truth = later_y.mean()
    assert truth < updated.predict(X).mean() < model.predict(X).mean()


# Files


def test_what_was_saved_predicts_exactly_the_same(fitted, day, replay):
    model = fitted.update(*day, *replay)
    loaded = registry.from_files(model.name, model.to_files(), threads=2)
    assert (loaded.kind, loaded.columns, loaded.updates) == (model.kind, model.columns, 1)
    assert (loaded.seed, loaded.settings) == (model.seed, model.settings)
    np.testing.assert_array_equal(loaded.predict(day[0]), model.predict(day[0]))


def test_what_was_saved_is_saved_and_updated_the_same(fitted, day, replay, digests):
    loaded = registry.from_files(fitted.name, fitted.to_files())
    assert digests(loaded) == digests(fitted)
    from_memory, from_file = fitted.update(*day, *replay), loaded.update(*day, *replay)
    assert digests(from_memory) == digests(from_file)


def test_another_estimator_is_not_loaded(fitted):
    other = next(name for name in registry.NAMES if name != fitted.name)
    with pytest.raises(ModelError, match=f"the files of {other}, found those of {fitted.name}$"):
        registry.from_files(other, fitted.to_files())


ELSEWHERE = """
import hashlib, json, pickle, sys
from pathlib import Path
from evergreen.core.models import registry
folder, threads = Path(sys.argv[1]), int(sys.argv[2])
for name, kind, settings, fit, update in pickle.loads((folder / "work.pickle").read_bytes()):
    model = registry.build(name, kind, settings, seed=7, threads=threads).fit(*fit)
    files = model.update(*update).to_files()
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    (folder / f"{name}-{kind}-{threads}.json").write_text(json.dumps(digests))
"""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory, make, simulate):
    """The digests of what two other processes fitted, with other hash seeds and threads."""
    folder = tmp_path_factory.mktemp("elsewhere")
    work = []
    for name, kind in CASES:
        chosen = make(name, kind).settings.model_dump()
        work.append((name, kind, chosen, simulate(kind, 2000), simulate(kind, 1000, 1)))
    pd.to_pickle(work, folder / "work.pickle")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ELSEWHERE, str(folder), threads],
            env=os.environ
            | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
            | {"OMP_WAIT_POLICY": "PASSIVE"},  # two processes share the cores
        )
        for seed, threads in (("1", "1"), ("2", "2"))
    ]
    assert [process.wait() for process in processes] == [0, 0]
    return folder


def test_files_are_the_same_in_any_process_with_any_threads(
    case, make, simulate, elsewhere, digests
):
    kind = case[1]
    model = make(*case).fit(*simulate(kind, 2000)).update(*simulate(kind, 1000, 1))
    for threads in (1, 2):
        saved = (elsewhere / f"{'-'.join(case)}-{threads}.json").read_text()
        assert json.loads(saved) == digests(model)


def test_the_state_is_readable(fitted):
    state = json.loads(fitted.to_files()["estimator.json"])
    assert list(state) == sorted(state)
    assert state["columns"] == ["recency_days", "frequency", "gap_mean_days", "noise"]
    assert state["settings"] == fitted.settings.model_dump()
