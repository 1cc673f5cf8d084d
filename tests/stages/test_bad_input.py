"""Whatever comes in: a clear message or a sound result."""

import json
import shutil
from datetime import date, datetime, timedelta

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from evergreen.errors import DataError, ModelError
from evergreen.settings import paths
from evergreen.store import tables

AS_OF = date(2024, 4, 1)


def read(path):
    return json.loads(path.read_text())


def appended(retailer, clients):
    """The retailer's table with one row more for each client, of such columns."""
    row = {
        "timestamp": datetime(2024, 3, 1, 12),
        "amount_minor": 1000,
        "quantity": 1.0,
        "text": "silk",
        "ingested_on": date(2024, 3, 1),
    }
    rows = [row | {"client_id": name, "invoice_id": name} | own for name, own in clients.items()]
    return pa.concat_tables([retailer, pa.Table.from_pylist(rows, schema=retailer.schema)])


def test_a_deleted_column_is_named(repository, retailer):
    path = tables.partition_path(paths.TRANSACTIONS, date(2024, 2, 1))
    tables.write(retailer.drop_columns(["amount_minor"]), path)
    with pytest.raises(DataError, match=r"2024-02-01\.parquet lacks 'amount_minor' \(found: "):
        repository.run("collect_labels")


def test_a_missing_input_names_the_command_that_brings_it(repository):
    shutil.rmtree(paths.CHAMPION)
    repository.run("collect_labels")
    with pytest.raises(ModelError, match=r"manifest\.json does not exist.*\nNext: "):
        repository.run("featurize")


def test_a_missing_output_names_the_stage_that_makes_it(repository):
    with pytest.raises(DataError, match=r"2024-01-02\.parquet.*\nNext: dvc repro collect_labels"):
        repository.run("featurize")


def test_a_damaged_file_of_labels_names_the_stage_that_makes_it(repository):
    repository.run("collect_labels")
    tables.partition_path(paths.LABELS, repository.settings.as_of).write_bytes(b"PAR1 half")
    with pytest.raises(DataError, match=r"labels can't be read.*\nNext: dvc repro collect_labels"):
        repository.run("featurize")


def test_a_day_without_any_event(repository, retailer):
    day = pa.scalar(date(2024, 3, 20), pa.date32())
    repository.write_raw(retailer.filter(pc.not_equal(retailer["ingested_on"], day)))
    repository.run()
    assert read(paths.DECISION_REPORT)["release"]


def test_a_day_on_which_nobody_is_observed(repository, retailer):
    few = pc.is_in(retailer["client_id"], pa.array([f"c{k:04d}" for k in range(300)]))
    repository.write_raw(retailer.filter(few))
    repository.set("snapshots.every_days", 60)
    repository.set("as_of", "2024-03-27")
    repository.set("full_retrain.as_of", "2024-03-27")
    repository.run()
    assert read(paths.DECISION_REPORT)["scored"] < 10


def test_one_class_only(repository, retailer):
    """Every client of these buys every day: nobody ever churns."""
    rows = [
        {
            "client_id": f"c{client:03d}",
            "timestamp": datetime(2024, 1, 1, 12) + timedelta(days=day),
            "amount_minor": 100 + client,
            "quantity": 1.0,
            "text": "bread",
            "invoice_id": f"{client}-{day}",
            "ingested_on": date(2024, 1, 1) + timedelta(days=day),
        }
        for client in range(120)
        for day in range(92)
    ]
    repository.write_raw(pa.Table.from_pylist(rows, schema=retailer.schema))
    repository.set("gate.min_rows", 50)
    repository.set("gate.min_clients", 10)
    said = repository.run()
    report = read(paths.COMPARISON_REPORT)["churn"]
    assert report["candidates"]["full"]["reason"] == "single_class"
    assert "churn: kept" in said["promote"][1]
    told = repository.report()
    assert "0 labels of the minority class among" in told
    assert "Nothing to rank: all labels are equal" in told
    assert "too few" in told


def test_amounts_of_zero_only(repository, retailer):
    zero = pa.array([0] * retailer.num_rows, pa.int64())
    repository.write_raw(retailer.set_column(2, retailer.schema.field(2), zero))
    repository.run()
    assert read(paths.DECISION_REPORT)["release"] is None
    told = repository.report()
    assert "0 positive labels among" in told
    assert "Nothing is served: no model has beaten the baselines" in told


def test_too_few_repeat_buyers_leave_buy_till_you_die_out_and_say_why(repository, retailer):
    few = pc.is_in(retailer["client_id"], pa.array([f"c{k:04d}" for k in range(60)]))
    repository.write_raw(retailer.filter(few))
    said = repository.run()["featurize"]
    assert any("purchases not fitted: " in line and "at least 50 are" in line for line in said)
    assert "btyd" not in read(paths.EVALUATION_REPORT)["purchase"]
    told = repository.report()
    assert "No btyd (buy till you die): purchases: " in told
    assert "200 are needed" in told


def test_a_history_too_short_for_a_horizon(repository):
    repository.set("as_of", "2024-01-22")
    repository.set("full_retrain.as_of", "2024-01-22")
    said = repository.run()
    assert "churn: skipped: no label of a training client is known" in said["train_full"][1]
    assert "kept: no candidate (incremental: no champion; full: no label" in said["compare"][1]
    assert read(paths.DECISION_REPORT)["targets"]["churn"]["version"] is None
    told = repository.report()
    assert "No metrics: there was neither a model nor a baseline to evaluate" in told
    assert "No rows, or no features to slice them by" in told


def test_a_history_too_short_for_anything(repository):
    repository.set("as_of", "2024-01-05")
    repository.set("full_retrain.as_of", "2024-01-05")
    with pytest.raises(DataError, match="no label of a training client is known by 2024-01-05"):
        repository.run()


def test_odd_clients_with_one_event_are_observed_like_any_other(repository, retailer):
    odd = {
        "a megabyte": {"text": "silk " * 200_000},
        "negative spend": {"amount_minor": -5_000_000},
        "zero": {"amount_minor": 0},
        "no text": {"text": None},
        "empty text": {"text": ""},
        "x'; drop table ledger; --": {},
        "客户-7": {},
        "late": {"ingested_on": date(2024, 3, 20)},
    }
    repository.write_raw(appended(retailer, odd))
    repository.run()
    scored = [pd.read_parquet(path) for path in paths.FEATURES_RECENT.glob("snapshots.parquet")]
    assert odd.keys() <= set(pd.concat(scored)["client_id"])
    assert read(paths.DECISION_REPORT)["release"]


def test_a_champion_that_may_have_seen_held_out_clients_is_not_compared(finished):
    finished.crown()
    finished.set("holdout.share", 0.4)
    with pytest.raises(
        ModelError, match=r"was trained with holdout .* challengers can't be compared"
    ):
        finished.run()


def test_a_tampered_champion_is_refused(finished):
    finished.crown()
    model = paths.CHAMPION / "purchase" / "estimator" / "model.txt"
    model.write_text(model.read_text().replace("leaf_value=", "leaf_value=9", 1))
    with pytest.raises(ModelError, match="is altered"):
        finished.run()


def test_a_verdict_on_another_candidate_is_not_carried_out(finished):
    finished.set("estimators.lightgbm.rounds", 20)
    finished.run("train_full")
    with pytest.raises(ModelError, match="the comparison judged"):
        finished.run("promote")
