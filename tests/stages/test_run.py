"""What holds for a run as a whole."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from evergreen.core.events import transactions
from evergreen.core.events.folds import held_out_clients as held_out_clients_among
from evergreen.settings import paths
from evergreen.store import extractors, matrices, tables
from evergreen.store.models import load_model
from evergreen.store.raw_history import open_history
from evergreen.store.releases import load_release, write_release

AS_OF = date(2024, 4, 1)
OUTS = (
    paths.LABELS,
    Path("data/features"),
    Path("models"),
    paths.SCORED,
    Path("reports"),
)


def read(path):
    return json.loads(path.read_text())


def held_out_clients():
    labels = pd.concat(map(pd.read_parquet, tables.days_in(paths.LABELS).values()))
    clients = labels["client_id"].unique()
    return set(clients[held_out_clients_among(clients, share=0.25, salt="evergreen")])


def test_a_first_run_promotes_models_that_beat_the_baselines(finished):
    decision = read(paths.DECISION_REPORT)
    assert {d["action"] for d in decision["targets"].values()} == {"promoted"}
    assert load_release(paths.PRODUCTION).version == decision["release"]


def test_buy_till_you_die_is_judged_beside_the_models(finished):
    measured = read(paths.EVALUATION_REPORT)
    headline = read(paths.METRICS_REPORT)
    for name, loss in (
        ("purchase", "log_loss"),
        ("churn", "log_loss"),
        ("clv", "tweedie_deviance"),
    ):
        assert measured[name]["btyd"][loss] < measured[name]["base_rate"][loss]
        assert headline[name]["loss"] == measured[name]["full"][loss]
        assert (headline[name]["promoted"], len(headline[name])) == (1, 7)
    assert "btyd" in set(pd.read_csv(paths.PLOT_ROWS / "gains.csv")["model"])


def test_buy_till_you_die_is_judged_where_models_do_not_see_it(repository):
    repository.set("features.btyd", value=False)
    repository.run()
    manifest = read(paths.FULL / "purchase" / "manifest.json")
    assert not [name for name in manifest["features"] if name.startswith("btyd")]
    assert "btyd" in read(paths.EVALUATION_REPORT)["purchase"]


def test_a_run_again_is_the_same_bytes(finished):
    before = finished.bytes_of(*OUTS)
    finished.run()
    assert finished.bytes_of(*OUTS) == before


def test_no_held_out_client_in_any_training_row(finished):
    held = held_out_clients()
    labels = tables.read_frame(paths.FEATURES_FULL / matrices.LABELS, made_by="featurize")
    snapshots = tables.read_frame(paths.FEATURES_FULL / matrices.SNAPSHOTS, made_by="featurize")
    assert held
    assert not held & set(labels["client_id"])
    assert not held & set(snapshots["client_id"])


def test_words_that_only_held_out_clients_have_do_not_reach_the_extractor(repository, retailer):
    repository.run("collect_labels")
    held = sorted(held_out_clients())
    theirs = pc.is_in(retailer["client_id"], pa.array(held))
    text = pc.if_else(theirs, pa.scalar("heliotrope"), retailer["text"])
    repository.write_raw(retailer.set_column(4, "text", text))
    repository.run("collect_labels", "featurize")
    assert "heliotrope" not in extractors.load_extractor(paths.EXTRACTOR).text.terms


def test_models_are_judged_on_held_out_clients_alone(finished):
    labels = tables.read_frame(paths.FEATURES_HOLDOUT / matrices.LABELS, made_by="featurize")
    assert set(labels["client_id"]) <= held_out_clients()


def poisoned(retailer, where):
    """Every amount and text changed where a condition holds."""
    amounts = pc.if_else(where, pa.scalar(987_654, pa.int64()), retailer["amount_minor"])
    texts = pc.if_else(where, pa.scalar("poison"), retailer["text"])
    return retailer.set_column(2, transactions.SCHEMA.field(2), amounts).set_column(
        4, transactions.SCHEMA.field(4), texts
    )


def test_events_after_as_of_change_nothing(finished, retailer):
    before = finished.bytes_of(*OUTS)
    later = pc.greater_equal(retailer["ingested_on"], pa.scalar(AS_OF, pa.date32()))
    finished.write_raw(poisoned(retailer, later))
    finished.run()
    assert finished.bytes_of(*OUTS) == before


def test_events_from_a_snapshot_on_leave_its_features_as_they_were(finished, retailer):
    day = AS_OF - timedelta(days=40)
    path = matrices.features_path(paths.FEATURES_FULL, extractors.digest(paths.EXTRACTOR))
    before = tables.read_frame(path, made_by="featurize")
    extractor = extractors.load_extractor(paths.EXTRACTOR)
    later = pc.greater_equal(retailer["ingested_on"], pa.scalar(day, pa.date32()))
    finished.write_raw(poisoned(retailer, later))
    con, _ = open_history(known_by=AS_OF, max_lag_days=3, threads=2, max_chars=5000)
    earlier = before[before["observed_on"] <= pd.Timestamp(day)].reset_index(drop=True)
    after = extractor.transform(con, earlier[["client_id", "observed_on"]])
    assert len(earlier) > 500
    pd.testing.assert_frame_equal(after, earlier[after.columns.tolist()], check_exact=True)


def test_what_a_snapshot_looked_like_when_scored_is_what_is_trained_on_later(finished):
    extractor = extractors.digest(paths.EXTRACTOR)
    today = tables.read_frame(
        matrices.features_path(paths.FEATURES_TODAY, extractor), made_by="featurize"
    )
    finished.crown()
    finished.set("as_of", (AS_OF + timedelta(days=14)).isoformat())
    finished.run("collect_labels", "featurize")
    later = tables.read_frame(
        matrices.features_path(paths.FEATURES_UPDATE, extractor), made_by="featurize"
    )
    keys = ["client_id", "observed_on"]
    both = today.merge(later, on=keys, suffixes=("", " later"))
    assert len(both) > 20
    for column in today.columns.drop(keys):
        np.testing.assert_array_equal(both[column], both[f"{column} later"], err_msg=column)


@pytest.fixture
def next_day(finished):
    """The day after the first run: its release is the champion, no full retrain is due."""
    finished.crown()
    finished.set("as_of", (AS_OF + timedelta(days=1)).isoformat())
    return finished


def test_between_full_retrains_nothing_that_a_full_model_depends_on_changes(next_day):
    outs = (paths.EXTRACTOR, paths.FEATURES_FULL)
    before = next_day.bytes_of(*outs)
    next_day.run("collect_labels", "featurize")
    assert next_day.bytes_of(*outs) == before


def test_between_full_retrains_the_full_model_is_no_candidate(next_day):
    next_day.run()
    report = read(paths.COMPARISON_REPORT)["purchase"]
    assert report["absent"] == {"full": "no_new_candidate"}
    assert list(report["candidates"]) == ["incremental"]
    assert report["opponent"] == "champion"


def test_an_update_learns_from_the_labels_new_to_the_champion(next_day):
    next_day.run("collect_labels", "featurize", "train_incremental")
    labels = matrices.read_labels(paths.FEATURES_UPDATE, "purchase")
    new = labels[~labels["replay"]]
    assert set(new["known_on"]) == {pd.Timestamp(AS_OF + timedelta(days=1))}
    manifest = read(paths.INCREMENTAL / "purchase" / "manifest.json")
    champion = read(paths.CHAMPION / "purchase" / "manifest.json")
    assert manifest["parent"] == champion["version"]
    assert manifest["rows"] == champion["rows"] + len(new)
    assert manifest["trained_through"] == "2024-04-02"


@pytest.fixture
def day_after(next_day):
    """One day later still: the update of the day before was not promoted."""
    next_day.set("gate.alpha_incremental", 1e-9)
    next_day.run()
    next_day.crown()
    next_day.set("as_of", (AS_OF + timedelta(days=2)).isoformat())
    return next_day


def test_an_update_that_was_not_promoted_goes_on_learning(day_after):
    before = read(paths.INCREMENTAL / "purchase" / "manifest.json")
    champion = read(paths.CHAMPION / "purchase" / "manifest.json")
    assert before["version"] != champion["version"]
    day_after.run("collect_labels", "featurize", "train_incremental")
    labels = matrices.read_labels(paths.FEATURES_UPDATE, "purchase")
    new = labels[~labels["replay"]]
    assert set(new["known_on"]) == {pd.Timestamp(AS_OF + timedelta(days=2))}
    manifest = read(paths.INCREMENTAL / "purchase" / "manifest.json")
    assert (manifest["parent"], manifest["champion"]) == (before["version"], champion["version"])
    assert manifest["updates"] == 2
    assert manifest["rows"] == before["rows"] + len(new)


def test_a_line_of_updates_at_its_bound_begins_again_with_the_champion(day_after):
    day_after.set("incremental.max_updates", 1)
    day_after.run("collect_labels", "featurize", "train_incremental")
    labels = matrices.read_labels(paths.FEATURES_UPDATE, "purchase")
    days = {pd.Timestamp(AS_OF + timedelta(days=n)) for n in (1, 2)}
    assert set(labels[~labels["replay"]]["known_on"]) == days
    manifest = read(paths.INCREMENTAL / "purchase" / "manifest.json")
    assert manifest["parent"] == manifest["champion"]
    assert manifest["updates"] == 1


def test_too_few_new_labels_wait(next_day):
    next_day.set("incremental.min_new_labels", 10_000)
    said = next_day.run("collect_labels", "featurize", "train_incremental")
    assert "new labels, but 10000 are needed" in said["train_incremental"][0]
    assert not (paths.INCREMENTAL / "purchase").exists()


def test_where_too_few_labels_wait_the_update_before_keeps_its_place(day_after):
    before = day_after.bytes_of(paths.CHALLENGER)
    day_after.set("incremental.min_new_labels", 10_000)
    day_after.run("collect_labels", "featurize", "train_incremental")
    day_after.crown()
    assert "models/challenger/purchase/manifest.json" in before
    assert day_after.bytes_of(paths.CHALLENGER) == before


def test_the_updates_of_a_champion_that_was_replaced_are_given_up(day_after):
    assert (paths.CHALLENGER / "purchase").is_dir()
    released = load_release(paths.CHAMPION).released
    promoted = replace(released["purchase"], model=load_model(paths.INCREMENTAL / "purchase"))
    write_release(paths.PRODUCTION, released | {"purchase": promoted})
    day_after.crown()
    assert [path.name for path in sorted(paths.CHALLENGER.glob("*/"))] == ["churn", "clv"]


def test_a_run_that_promotes_nothing_writes_the_champions_release(next_day):
    next_day.set("incremental.min_new_labels", 10_000)
    next_day.run()
    assert next_day.bytes_of(paths.PRODUCTION) == {
        path.replace("champion", "production", 1): content
        for path, content in next_day.bytes_of(paths.CHAMPION).items()
    }


def test_where_nothing_beats_the_baselines_there_is_no_release(repository):
    repository.set("gate.min_rows", 100_000)
    repository.run()
    decision = read(paths.DECISION_REPORT)
    assert decision["release"] is None
    assert decision["targets"]["purchase"]["action"] == "kept"
    assert "100,000 are needed" in decision["targets"]["purchase"]["verdict"]
    scored = tables.read_frame(tables.partition_path(paths.SCORED, AS_OF), made_by="promote")
    assert scored["purchase_probability"].isna().all()


def test_clients_of_the_day_are_scored_by_the_release(finished):
    scored = tables.read_frame(tables.partition_path(paths.SCORED, AS_OF), made_by="promote")
    assert scored["release"].unique().tolist() == [read(paths.DECISION_REPORT)["release"]]
    assert scored["purchase_probability"].between(0, 1).all()
    assert (scored["clv"] >= 0).all()
    assert 50 < len(scored) < 200


def test_reports_hold_no_durations_paths_or_nan(finished):
    for path in (*Path("reports").glob("*.json"), *Path("models").rglob("*.json")):
        text = path.read_text()
        assert "NaN" not in text
        assert str(Path.cwd()) not in text
        assert "seconds" not in text


def test_a_data_set_without_text_is_served_by_numbers(repository, retailer):
    nothing = pa.nulls(retailer.num_rows, pa.string())
    repository.write_raw(retailer.set_column(4, "text", nothing))
    said = repository.run()
    assert "no text" in said["featurize"][0]
    assert read(paths.DECISION_REPORT)["release"] is not None


def test_a_further_target_is_a_further_entry(repository):
    repository.set(
        "targets.loyal", {"label": "purchase", "horizon_days": 21, "estimator": "lightgbm"}
    )
    repository.run()
    scored = tables.read_frame(tables.partition_path(paths.SCORED, AS_OF), made_by="promote")
    assert "loyal_probability" in scored.columns
    assert "loyal" in read(paths.EVALUATION_REPORT)


@pytest.mark.parametrize("estimator", ["random_forest", "linear", "blend"])
def test_every_estimator_goes_the_whole_way(repository, estimator):
    for target in repository.values["targets"].values():  # noqa: PD011 - a dict
        target["estimator"] = estimator
    repository.set("estimators.random_forest.trees", 20)
    repository.run()
    before = repository.bytes_of(paths.PRODUCTION)
    repository.run("train_full", "compare", "promote")
    assert repository.bytes_of(paths.PRODUCTION) == before
    assert read(paths.DECISION_REPORT)["release"] is not None
