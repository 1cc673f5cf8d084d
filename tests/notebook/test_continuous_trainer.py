"""Manual training: evaluated on held-out rows, decided by the gate, kept in one history."""

import json
import pickle
import shutil
from datetime import datetime

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.tree import DecisionTreeRegressor

from evergreen import ContinuousTrainer
from evergreen.core.models.validation import FeatureMismatchError
from evergreen.errors import DataError, ModelError
from evergreen.settings import paths
from evergreen.store import matrices

NAMES = ["recency", "frequency", "monetary", "noise"]


def clock(second=0):
    return lambda: datetime(2024, 4, 1, 12, 0, second)


@pytest.fixture
def trainer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return ContinuousTrainer(seed=1, clock=clock())


def rows(n=2000, seed=1, noise=0.5):
    random = np.random.default_rng(seed)
    X = pd.DataFrame(random.normal(size=(n, 4)), columns=NAMES)
    score = X["recency"] + X["frequency"] + random.normal(0, noise, n)
    return X, (score > 0).astype(int), pd.Series([f"c{k % (n // 2)}" for k in range(n)])


CONTAINERS = {
    "frame": lambda X: X,
    "array": lambda X: X.to_numpy(),
    "csr": lambda X: sparse.csr_matrix(X.to_numpy()),
    "coo": lambda X: sparse.coo_array(X.to_numpy()),
}
TYPES = {
    "registry": "binary",
    "sgd": SGDClassifier(loss="log_loss", random_state=0),
    "forest": RandomForestClassifier(20, max_depth=5, random_state=0),
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("kind", TYPES)
def test_every_container_and_kind_of_model_is_fitted_and_updated(trainer, container, kind):
    X, y, _ = rows()
    given = CONTAINERS[container]
    model, metrics = trainer.full_retrain(given(X), y, TYPES[kind])
    assert metrics["accuracy"] > 0.8
    assert metrics["train_time"] > 0
    newer, later, _ = rows(500, seed=2)
    updated, metrics = trainer.incremental_update(model, given(newer), later, "purchase")
    assert updated is not model
    assert metrics["n_samples"] == 500 == metrics["n_train"] + metrics["n_validation"]
    assert metrics["accuracy"] > 0.8


def test_a_model_never_learns_from_rows_that_it_is_measured_on(trainer):
    X, y, clients = rows()
    seen = []

    class Spy(LogisticRegression):
        def fit(self, X, y):
            seen.append(set(X.index))
            return super().fit(X, y)

    trainer.full_retrain(X, y, Spy(), clients=clients)
    held = trainer.held_out(clients)
    assert seen == [set(np.flatnonzero(~held))]
    assert 0.15 < held.mean() < 0.35


def test_clients_held_out_are_those_of_the_pipeline(finished):
    finished.write_params()
    trained, judged = (
        ContinuousTrainer().held_out(pd.read_parquet(folder / matrices.LABELS)["client_id"])
        for folder in (paths.FEATURES_FULL, paths.FEATURES_HOLDOUT)
    )
    assert not trained.any()
    assert judged.all()


def test_a_column_of_client_ids_is_no_feature(trainer):
    X, y, clients = rows()
    named, _ = trainer.full_retrain(X.assign(client_id=clients), y, "binary")
    passed, _ = trainer.full_retrain(X, y, "binary", clients=clients)
    assert named.columns == tuple(NAMES)
    np.testing.assert_array_equal(named.predict(X), passed.predict(X))


def test_a_target_of_the_settings_brings_its_estimator(finished):
    finished.write_params()
    X, y, clients = rows()
    model, metrics = ContinuousTrainer().full_retrain(X, y * 12.5, "clv", clients=clients)
    assert (model.name, model.kind) == ("blend", "regression")
    assert metrics["r2"] > 0.3
    assert metrics["label_mean"] == pytest.approx(6.25, rel=0.1)


def test_the_model_given_to_an_update_stays_as_it_is(trainer):
    X, y, _ = rows()
    for model_type in TYPES.values():
        model, _ = trainer.full_retrain(X, y, model_type)
        before = pickle.dumps(model) if model_type != "binary" else model.predict(X).tobytes()
        trainer.incremental_update(model, X, y, "purchase")
        after = pickle.dumps(model) if model_type != "binary" else model.predict(X).tobytes()
        assert before == after


def test_a_forest_grows_by_fifty_trees_and_survives_a_day_of_one_class(trainer):
    X, y, _ = rows()
    forest, _ = trainer.full_retrain(X, y, TYPES["forest"])
    grown, _ = trainer.incremental_update(forest, X, y, "purchase")
    assert (len(grown.estimators_), grown.warm_start) == (70, False)
    same, metrics = trainer.incremental_update(forest, X, np.zeros(len(X)), "purchase")
    assert metrics["skipped"] == "all new labels are 0"
    assert same.predict_proba(X).shape == (len(X), 2)


def test_an_empty_day_changes_nothing(trainer):
    X, y, _ = rows()
    model, _ = trainer.full_retrain(X, y, "binary")
    same, metrics = trainer.incremental_update(model, X.head(0), y.head(0), "purchase")
    assert metrics["skipped"] == "no new rows"
    assert metrics["accuracy"] is None
    np.testing.assert_array_equal(same.predict(X), model.predict(X))


@pytest.mark.parametrize(
    ("model_type", "message"),
    [
        (HistGradientBoostingClassifier(max_iter=5), "more rounds on the same rows"),
        (LogisticRegression(), "would make it forget all others"),
        (DecisionTreeRegressor(), "DecisionTreeRegressor can't be updated"),
    ],
)
def test_a_model_that_can_not_be_updated_is_refused_with_the_reason(trainer, model_type, message):
    X, y, _ = rows(200)
    model, _ = trainer.full_retrain(X, y, model_type)
    with pytest.raises(ModelError, match=message):
        trainer.incremental_update(model, X, y, "purchase")


@pytest.mark.parametrize("kind", TYPES)
def test_other_columns_than_the_model_s_are_explained_with_a_difference(trainer, kind):
    X, y, _ = rows(400)
    model, _ = trainer.full_retrain(X, y, TYPES[kind])
    wrong = X.rename(columns={"monetary": "money"})
    with pytest.raises(FeatureMismatchError) as caught:
        trainer.incremental_update(model, wrong, y, "purchase")
    assert "- monetary (missing)\n+ money (unknown to the model)" in str(caught.value)
    with pytest.raises(DataError, match="fitted on 4 columns, found 3"):
        trainer.incremental_update(model, X.to_numpy()[:, :3], y, "purchase")


@pytest.fixture
def two(trainer):
    """The files of a model of one column and of one of all, and rows that neither has seen."""
    X, y, _ = rows(6000, noise=0.2)
    weak, about = trainer.full_retrain(X, (y + (X["noise"] > 0)) > 1, "binary")
    old = trainer.save_model_version(weak, "purchase", about, "weak")
    strong, about = trainer.full_retrain(X, y, "binary")
    new = trainer.save_model_version(strong, "purchase", about, "strong")
    return old, new, rows(3000, seed=9, noise=0.2)


def test_the_gate_decides_between_two_files(trainer, two):
    old, new, (X, y, clients) = two
    comparison = trainer.compare_models(old, new, X, y, "binary", clients=clients)
    assert comparison["better"]
    assert comparison["new_accuracy"] > comparison["old_accuracy"]
    assert comparison["improvement_pct"] == pytest.approx(
        100 * (comparison["new_accuracy"] / comparison["old_accuracy"] - 1)
    )
    assert comparison["reason"] == "gain_proven"
    assert comparison["clients"] == 1500
    assert comparison["alpha"] == 0.05
    again = trainer.compare_models(new, new, X, y, "binary", clients=clients)
    assert (again["better"], again["reason"]) == (False, "identical_predictions")


def test_plain_pickles_of_own_models_are_compared(trainer, tmp_path):
    X, y, _ = rows()
    for name, depth in (("old", 1), ("new", 6)):
        forest = RandomForestClassifier(20, max_depth=depth, random_state=0).fit(X, y)
        (tmp_path / f"{name}.pkl").write_bytes(pickle.dumps(forest))
    held, labels, _ = rows(seed=3)
    comparison = trainer.compare_models("old.pkl", "new.pkl", held, labels, "classification")
    assert comparison["better"]
    assert json.dumps(comparison)


def test_amounts_are_compared_by_r2_and_the_gate(trainer):
    X, y, _ = rows(4000)
    money = y * np.exp(X["monetary"])
    for name, kind in (("old", DecisionTreeRegressor(max_depth=1)), ("new", "regression")):
        model, about = trainer.full_retrain(X, money, kind)
        trainer.save_model_version(model, "clv", about, name)
    held, bought, _ = rows(seed=3)
    paths_of = [paths.CONTINUOUS / f"v_{name}" / "clv_model.joblib" for name in ("old", "new")]
    amounts = bought * np.exp(held["monetary"])
    comparison = trainer.compare_models(*paths_of, held, amounts, "regression")
    assert comparison["better"]
    assert (
        comparison["new_accuracy"] == comparison["new_metrics"]["r2"] > comparison["old_accuracy"]
    )


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["no", "yes"], "has the classes 'no', 'yes', expected 0 and 1"),
        ([1, 2], "has the classes 1, 2"),
    ],
)
def test_a_model_of_other_classes_is_refused_rather_than_read_as_never(trainer, labels, message):
    X, y, _ = rows(400)
    old = LogisticRegression().fit(X, np.array(labels)[y])
    new = trainer.save_model_version(LogisticRegression().fit(X, y), "purchase", {}, "new")
    path = trainer.save_model_version(old, "purchase", {}, "old")
    with pytest.raises(ModelError, match=message):
        trainer.compare_models(path, new, X, y, "binary")
    with pytest.raises(ModelError, match=message):
        trainer.incremental_update(SGDClassifier().fit(X, np.array(labels)[y]), X, y, "purchase")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps({"no": "model"}), "expected a classifier or regressor, found dict"),
        (pickle.dumps(LogisticRegression()), "LogisticRegression is not fitted"),
        (pickle.dumps(DecisionTreeRegressor()), "holds a model for regression labels"),
        (b"hello", "can't be read as a model"),
        (b"", "can't be read as a model: EOFError"),
    ],
)
def test_a_file_without_a_fitted_model_of_the_kind_is_explained(
    trainer, tmp_path, content, message
):
    X, y, _ = rows(50)
    (tmp_path / "model.pkl").write_bytes(content)
    with pytest.raises(ModelError, match=message):
        trainer.compare_models("model.pkl", "model.pkl", X, y, "binary")


def test_labels_in_words_are_refused_with_the_way_to_numbers(trainer):
    X, y, _ = rows(50)
    with pytest.raises(
        ValueError, match=r"found 'no', 'yes'; convert them, for example by \(labels == 'yes'\)"
    ):
        trainer.full_retrain(X, np.where(y, "yes", "no"), "binary")


@pytest.mark.parametrize("model", [SGDClassifier(), RandomForestClassifier(3)])
def test_a_model_that_has_learned_nothing_is_not_updated(trainer, model):
    X, y, _ = rows(50)
    with pytest.raises(ModelError, match="is not fitted"):
        trainer.incremental_update(model, X, y, "purchase")


@pytest.mark.parametrize(
    ("model", "metrics", "message"),
    [({}, None, "must be a dict, found NoneType"), (lambda: 0, {}, "can't be pickled")],
)
def test_what_can_not_be_kept_leaves_nothing_behind(trainer, model, metrics, message):
    with pytest.raises(ValueError, match=message):
        trainer.save_model_version(model, "purchase", metrics)
    assert trainer.training_history == []
    assert not [path for path in paths.CONTINUOUS.rglob("*") if path.is_file()]


def test_models_of_different_columns_are_not_compared(trainer, two):
    old, _, (X, y, _) = two
    other, about = trainer.full_retrain(X.drop(columns="noise"), y, "binary")
    new = trainer.save_model_version(other, "purchase", about, "other")
    with pytest.raises(DataError, match=r"other columns than the old one:\n- noise \(missing\)"):
        trainer.compare_models(old, new, X, y, "binary")


def test_a_model_of_a_release_is_compared_by_its_folder_alone(finished):
    finished.write_params()
    trainer = ContinuousTrainer(clock=clock())
    folder = paths.PRODUCTION / "purchase"
    manifest = json.loads((folder / "manifest.json").read_text())
    columns = list(manifest["features"])
    features = matrices.read_features(paths.FEATURES_HOLDOUT, manifest["extractor"], columns)
    y = np.arange(len(features)) % 2
    comparison = trainer.compare_models(folder, folder, features[columns], y, "purchase")
    assert comparison["reason"] == "identical_predictions"
    part = folder / "estimator" / "model.pkl"
    part.write_bytes(b"")
    with pytest.raises(ModelError, match="part of a release"):
        trainer.compare_models(part, part, features[columns], y, "purchase")
    with pytest.raises(ModelError, match="unexpected"):
        trainer.compare_models(folder, folder, features[columns], y, "purchase")


def test_a_version_is_named_by_the_time_and_never_replaced(trainer):
    path = trainer.save_model_version({"any": "model"}, "purchase", {"accuracy": np.float64(0.5)})
    assert path == paths.CONTINUOUS / "v_20240401_120000" / "purchase_model.joblib"
    metadata = json.loads((path.parent / "purchase_metadata.json").read_text())
    assert metadata["metrics"] == {"accuracy": 0.5}
    with pytest.raises(DataError, match="versions are never replaced"):
        trainer.save_model_version({}, "purchase", {})
    for name, version in (("../up", None), ("clv", "../../up")):
        with pytest.raises(DataError, match="can't be used in a file name"):
            trainer.save_model_version({}, name, {}, version)


def test_a_saved_model_that_was_exchanged_is_not_read(trainer, two):
    old, new, (X, y, _) = two

    class Payload:
        def __reduce__(self):
            return (exec, ("raise SystemExit('the payload ran')",))

    joblib.dump({}, old)
    new.write_bytes(pickle.dumps({"not": "it"}))
    with pytest.raises(ModelError, match="is not what"):
        trainer.compare_models(old, new, X, y, "binary")


def test_the_best_model_is_the_one_in_production_else_the_one_of_least_loss(finished):
    finished.write_params()
    trainer = ContinuousTrainer(clock=clock())
    trainer.save_model_version({}, "clv", {"tweedie_deviance": 9.0, "r2": 0.9}, "a")
    trainer.save_model_version({}, "clv", {"tweedie_deviance": 8.0, "r2": 0.1}, "b")
    trainer.save_model_version({}, "clv", {}, "c")
    assert trainer.get_best_model("clv") == paths.CONTINUOUS / "v_b" / "clv_model.joblib"
    with pytest.raises(DataError, match="there is no model 'vlc'; there are clv"):
        trainer.get_best_model("vlc")
    shutil.copytree(paths.PRODUCTION, paths.RELEASES / "one")
    paths.CURRENT.symlink_to("one")
    assert trainer.get_best_model("clv") == paths.CURRENT / "clv"


def test_one_history_holds_what_was_saved_in_the_order_of_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for second in (2, 1):
        trainer = ContinuousTrainer(clock=clock(second))
        trainer.save_model_version({}, "purchase", {"origin": "full", "log_loss": 0.5})
    entries = trainer.training_history
    assert [entry["version"] for entry in entries] == ["v_20240401_120001", "v_20240401_120002"]
    assert {entry["loss"] for entry in entries} == {0.5}
    assert all(entry["by_hand"] for entry in entries)


def test_a_history_is_drawn(trainer):
    trainer.save_model_version({}, "purchase", {"log_loss": 0.5})
    path = trainer.plot_training_history("purchase")
    assert path.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(DataError, match="there is no model 'clv'"):
        trainer.plot_training_history("clv")


def test_predictions_meet_their_outcomes(trainer, tmp_path):
    (tmp_path / "p.csv").write_text("client_id,purchased_pred,clv_pred\n007,0.9,12.5\n8,0.2,1\n")
    (tmp_path / "o.csv").write_text("client_id,purchased_actual\n8,0\n007,1\n9,1\n")
    labels = trainer.collect_new_labels("p.csv", "o.csv")
    assert labels.to_dict("list") == {
        "client_id": ["007", "8"],
        "purchased_pred": [0.9, 0.2],
        "clv_pred": [12.5, 1.0],
        "purchased_actual": [1, 0],
    }


def test_predictions_of_several_days_meet_the_outcome_of_their_day(trainer, tmp_path):
    (tmp_path / "p.csv").write_text("client_id,observed_on,clv\n1,2024-01-01,5\n1,2024-01-08,6\n")
    (tmp_path / "o.csv").write_text("client_id,date,lifetime_value\n1,2024-01-08,7\n")
    labels = trainer.collect_new_labels("p.csv", "o.csv")
    assert labels[["clv", "lifetime_value"]].to_numpy().tolist() == [[6, 7]]


@pytest.mark.parametrize(
    ("predictions", "outcomes", "message"),
    [
        ("clientid,a\n1,2\n", "client_id,b\n1,2\n", "lacks client_id .*nearest: 'clientid'"),
        (
            "client_id,a\n1,2\n1,3\n",
            "client_id,b\n1,2\n",
            "1 repeated rows, such as one of client '1'",
        ),
        ("client_id,a\n1,2\n", "client_id,a\n1,2\n", "both have a"),
        ("client_id,a\n1,2\n", "client_id,b\n01,2\n", "no client of"),
        ("client_id;a\n1;2\n", "client_id,b\n1,2\n", "separate the columns by commas"),
        ("client_id,a\n,2\n", "client_id,b\n1,2\n", "1 rows without a client_id"),
        ("client_id,date,a\n1,x,2\n", "client_id,b\n1,2\n", "date is not a date"),
    ],
)
def test_files_that_do_not_match_are_explained(trainer, tmp_path, predictions, outcomes, message):
    (tmp_path / "p.csv").write_text(predictions)
    (tmp_path / "o.csv").write_text(outcomes)
    with pytest.raises(DataError, match=message):
        trainer.collect_new_labels("p.csv", "o.csv")


def test_a_type_that_there_is_not_names_those_that_there_are(trainer):
    X, y, _ = rows(50)
    with pytest.raises(ValueError, match="there is no model_type 'magic'; there are binary"):
        trainer.full_retrain(X, y, "magic")
