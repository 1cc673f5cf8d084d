"""What a run reports of its champion."""

import json
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from evergreen.settings import paths
from evergreen.stages.monitor import report_drift
from evergreen.store import live as live_files
from evergreen.store import matrices, tables
from evergreen.store.releases import load_release

AS_OF = date(2024, 4, 1)
NEXT = AS_OF + timedelta(days=1)
LIVE_SCHEMA = pa.schema(
    [
        ("client_id", pa.string()),
        ("observed_on", pa.date32()),
        ("known_on", pa.date32()),
        ("prediction", pa.float64()),
        ("label", pa.float64()),
        ("release", pa.string()),
        ("target", pa.string()),
        ("corrects", pa.date32()),
        ("previous", pa.float64()),
    ]
)


def report():
    return json.loads(paths.DRIFT_REPORT.read_text())


def monitored(repository):
    """Report on the champion of the working folder."""
    return report_drift(repository.settings, load_release(paths.CHAMPION).released)


def kinds(found):
    return [alert["kind"] for alert in found["alerts"]]


def words(found):
    return {one["kind"]: one["message"] for one in found["checked"]}


@pytest.fixture
def next_day(finished):
    """The day after the first run, until features are made."""
    finished.crown()
    finished.set("as_of", NEXT.isoformat())
    finished.set("drift.min_clients", 30)
    finished.run("collect_labels", "featurize")
    return finished


def test_a_first_run_has_no_champion_to_monitor(finished):
    for found in report().values():
        assert found["alerts"] == []
        assert set(words(found).values()) == {"not checked: there is no champion"}


def test_the_day_after_inputs_and_predictions_are_as_at_training(next_day):
    for found in monitored(next_day).values():
        assert found["alerts"] == []
        assert words(found)["decline"] == "not checked: no prediction has a known outcome yet"
        assert "inputs are close to training" in words(found)["inputs"]
        assert "predictions is close to training" in words(found)["predictions"]
        assert found["numbers"]["inputs"]["distances"].keys() >= {"unknown_words", "spend_28d"}


def test_what_adds_up_with_the_history_is_not_compared(next_day):
    kept = load_release(paths.CHAMPION).models["purchase"].reference
    assert not kept["columns"].keys() & {"tenure_days", "frequency", "monetary", "text_00"}
    assert kept["active"] == "purchases_28d"


def test_each_client_is_compared_as_observed_last(next_day):
    recent = pd.read_parquet(paths.FEATURES_RECENT / matrices.SNAPSHOTS)
    assert recent["client_id"].is_unique
    assert recent["observed_on"].nunique() == 7
    assert recent["observed_on"].max() == pd.Timestamp(NEXT)


def test_amounts_in_another_unit_are_reported(next_day):
    for path in paths.FEATURES_RECENT.rglob("20*.parquet"):
        recent = pd.read_parquet(path)
        spends = recent.columns[recent.columns.str.startswith("spend")]
        tables.write_frame(recent.assign(**(100 * recent[spends])), path)
    found = monitored(next_day)["clv"]
    assert "inputs" in kinds(found)
    assert "spend_28d" in found["numbers"]["inputs"]["drifted"]
    assert found["alerts"][0]["since"] == NEXT.isoformat()


def live(name, say):
    """As if clients of two weeks had been predicted since the first run."""
    labels = matrices.read_labels(paths.FEATURES_FULL, name)
    random = np.random.default_rng(1)
    rows = labels.tail(1200)
    days = pd.Timestamp(AS_OF) + pd.to_timedelta(np.arange(len(rows)) % 14, unit="D")
    said = say(rows["label"].to_numpy(), random)
    matched = rows.assign(observed_on=days, known_on=days + timedelta(days=7), prediction=said)
    return matched[["client_id", "observed_on", "known_on", "prediction", "label"]].assign(
        release="r", target=name, corrects=pd.NaT, previous=np.nan
    )


def write_live(matched):
    for day, rows in matched.groupby("known_on"):
        path = tables.partition_path(live_files.FOLDER, day.date())
        tables.write(pa.Table.from_pandas(rows, LIVE_SCHEMA, preserve_index=False), path)


def honest(labels, random):
    return np.where(labels == 1, 0.8, 0.2) + random.uniform(-0.1, 0.1, len(labels))


def worthless(labels, random):
    return random.uniform(0.05, 0.95, len(labels))


@pytest.mark.parametrize(("said", "alerts"), [(honest, []), (worthless, ["decline"])])
def test_live_predictions_are_compared_with_the_expected_loss(next_day, said, alerts):
    write_live(live("purchase", said))
    next_day.set("as_of", (AS_OF + timedelta(days=21)).isoformat())
    found = monitored(next_day)["purchase"]
    assert kinds(found) == alerts
    assert found["numbers"]["decline"]["rows"] == 1200


def test_predictions_of_before_the_champion_are_not_its_own(next_day):
    old = live("purchase", worthless)
    old["observed_on"] -= timedelta(days=20)
    write_live(old)
    next_day.set("as_of", (AS_OF + timedelta(days=21)).isoformat())
    assert "no prediction" in words(monitored(next_day)["purchase"])["decline"]


def test_an_update_keeps_the_expected_loss_and_the_reference_of_its_parent(next_day):
    next_day.run("train_incremental")
    parent = load_release(paths.CHAMPION).released["purchase"]
    updated = paths.INCREMENTAL / "purchase" / "reference.json"
    assert json.loads(updated.read_text()) == parent.model.reference
    assert parent.expected_loss["since"] == AS_OF.isoformat()
    assert 0 < parent.expected_loss["relative_loss"] < 1


def test_a_week_in_which_nobody_is_observed_is_not_checked(next_day):
    for path in paths.FEATURES_RECENT.rglob("20*.parquet"):
        tables.write_frame(pd.read_parquet(path).head(0), path)
    for found in monitored(next_day).values():
        assert words(found)["inputs"] == (
            "not checked: 0 active clients were observed, but 30 are needed"
        )


def test_a_champion_of_before_this_was_kept_says_so(next_day):
    champions = load_release(paths.CHAMPION).released
    for one in champions.values():
        one.model.__dict__["reference"] = None
        object.__setattr__(one, "expected_loss", None)
    found = report_drift(next_day.settings, champions)["clv"]
    assert set(words(found).values()) == {
        "not checked: the champion has no expected loss",
        "not checked: the champion has no reference",
    }


def test_what_is_matched_is_what_production_said_before_it_was_known(finished):
    finished.crown()
    scored = tables.partition_path(paths.SCORED, AS_OF)
    said = pd.read_parquet(scored)
    tables.write_frame(said, tables.partition_path(paths.PREDICTIONS, AS_OF))
    finished.set("as_of", (AS_OF + timedelta(days=10)).isoformat())
    finished.run("collect_labels")
    live_rows = pd.read_parquet(live_files.FOLDER).query("target == 'purchase'")
    matched = live_rows.set_index("client_id")
    expected = said.set_index("client_id")["purchase_probability"]
    assert len(matched) == len(said)
    assert matched["prediction"].to_dict() == expected.to_dict()
    assert set(matched["known_on"]) == {AS_OF + timedelta(days=7)}
