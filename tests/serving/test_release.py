"""A release in memory predicts what the pipeline predicts, and refuses what it can't vouch for."""

import json
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from io import StringIO

import numpy as np
import pandas as pd
import pytest

import evergreen
from evergreen.core.events import transactions
from evergreen.core.features.attributes import Attributes, known_attributes
from evergreen.core.models.validation import FeatureMismatchError
from evergreen.errors import DataError, ModelError
from evergreen.serving.events import EventsIgnoredWarning
from evergreen.serving.events_database import Databases
from evergreen.serving.release import snapshots_on
from evergreen.settings import paths
from evergreen.store import matrices, tables

AS_OF = date(2024, 4, 1)
COLUMNS = ["purchase_probability", "churn_probability", "clv"]


@pytest.fixture
def release(finished):
    return evergreen.load_release(paths.PRODUCTION)


@pytest.fixture
def events(retailer):
    """All that was known by as_of, as a user has it: amounts in major units, no invoices."""
    purchases = retailer.to_pandas().drop(columns=["quantity", "ingested_on", "invoice_id"])
    purchases = purchases[purchases["timestamp"] < pd.Timestamp(AS_OF)]
    return purchases.drop(columns="amount_minor").assign(amount=purchases["amount_minor"] / 100)


def scored():
    return tables.read_frame(tables.partition_path(paths.SCORED, AS_OF), made_by="promote")


def test_serving_from_events_is_what_the_pipeline_scored(release, events):
    expected = scored()
    predictions = release.predict(events, AS_OF).set_index("client_id").loc[expected["client_id"]]
    np.testing.assert_allclose(predictions[COLUMNS], expected[COLUMNS], rtol=1e-12, atol=0)
    assert set(predictions["release"]) == {release.version} == set(expected["release"])


def test_features_from_events_are_those_of_training(release, finished, events):
    [group] = release._groups
    columns = group.needed(release.targets)
    digest = group.models["purchase"].manifest.extractor
    trained = matrices.read_features(paths.FEATURES_FULL, digest, columns)
    for day, expected in trained.groupby("observed_on"):
        with pytest.warns(EventsIgnoredWarning):
            features = release.features(events, day).set_index("client_id")
        ours = features.loc[expected["client_id"], columns]
        np.testing.assert_array_equal(ours, expected[columns])  # to the last bit, as float32
        if day > trained["observed_on"].min() + pd.Timedelta(days=14):
            break


def test_one_client_is_predicted_as_among_all(release, events):
    whole = release.predict(events, AS_OF).set_index("client_id")
    for client in ("c0001", "c0002", "c0300"):
        alone = release.predict(events[events["client_id"] == client], "2024-04-01")
        np.testing.assert_allclose(
            alone[COLUMNS].iloc[0], whole.loc[client, COLUMNS].astype(float), rtol=1e-12
        )


def test_feature_rows_give_the_same_as_events(release, events):
    few = events[events["client_id"] < "c0010"]
    rows = release.features(few, AS_OF)
    expected = release.predict(few, AS_OF)
    pd.testing.assert_frame_equal(release.predict(rows, AS_OF), expected, check_exact=True)
    as_text = pd.read_csv(StringIO(rows.to_csv(index=False)), parse_dates=["observed_on"])
    pd.testing.assert_frame_equal(release.predict(as_text, AS_OF), expected, check_exact=True)


def test_features_of_one_target_are_enough_for_that_target(release, events):
    rows = release.features(events, AS_OF, targets=["clv"])
    predictions = release.predict(rows.drop(columns="observed_on"), AS_OF, targets=["clv"])
    assert list(predictions) == ["client_id", "observed_on", "release", "clv"]


def test_clients_of_whom_nothing_is_known_are_scored(release, events):
    few = events.head(3)
    predictions = release.predict(few, AS_OF, clients=["nobody", "c0000"])
    assert set(predictions["client_id"]) == {*few["client_id"], "nobody", "c0000"}
    assert np.isfinite(predictions[COLUMNS].to_numpy()).all()
    alone = release.predict(few.head(0), AS_OF, clients=["nobody"])
    assert len(alone) == 1


def test_unknown_words_and_notes_are_fine(release, events):
    few = events.head(3).assign(text="Ὀδύσσεια 🛶 zzz")
    notes = pd.DataFrame({"client_id": ["n1"], "timestamp": ["2024-03-01"], "text": ["quux"]})
    predictions = release.predict(few, AS_OF, notes=notes)
    assert "n1" in set(predictions["client_id"])
    assert np.isfinite(predictions[COLUMNS].to_numpy()).all()


def test_events_from_as_of_on_are_ignored_and_said(release, events):
    few = events[events["client_id"] == "c0001"]
    later = few.tail(1).assign(timestamp=pd.Timestamp(AS_OF), amount=1e6)
    with pytest.warns(EventsIgnoredWarning, match=r"1 of \d+ were not known before 2024-04-01"):
        predictions = release.predict(pd.concat([few, later]), AS_OF)
    pd.testing.assert_frame_equal(predictions, release.predict(few, AS_OF))


def test_events_are_left_as_they_are(release, events):
    before = events.copy(deep=True)
    release.predict(events, AS_OF)
    pd.testing.assert_frame_equal(events, before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda e: e.rename(columns={"timestamp": "timestmp"}),
            r"missing; did you mean 'timestmp'",
        ),
        (lambda e: e.assign(txet="x"), r"\+ txet \(unknown"),
        (lambda e: e.rename(columns={"text": "txet"}), r"\+ txet \(unknown; did you mean 'text'"),
        (lambda e: e.assign(amount_minor=1), "both amount_minor and amount"),
        (lambda e: e.assign(timestamp="soon"), "expected to hold dates, found .soon"),
        (lambda e: e.assign(amount="much"), "amount is missing, not a number"),
        (lambda e: e.assign(client_id=1.5), "strings or whole numbers"),
        (lambda e: e.assign(client_id=""), "client_id is missing; the first is at position 0"),
        (lambda e: e.assign(ingested_on="2023-01-01"), "timestamp is after ingested_on"),
        (lambda e: e.assign(timestamp=e["timestamp"].dt.tz_localize("UTC")), "times are in UTC"),
        (
            lambda e: e.rename(columns={"amount": "amout"}),
            r"- amount \(missing; did you mean 'amout'",
        ),
        (
            lambda e: e.rename(columns={"amount": "amount_minor"}).assign(amount_minor=1.5),
            "not a whole number",
        ),
    ],
)
def test_events_that_can_not_be_used_are_explained(release, events, change, message):
    with pytest.raises(DataError, match=message):
        release.predict(change(events.head(5)), AS_OF)


@pytest.mark.parametrize("day", [None, pd.NaT, "1.4.2024", 20240401])
def test_a_day_that_is_none_is_refused(release, events, day):
    with pytest.raises(ValueError, match=r"is not a date \(expected YYYY-MM-DD\)"):
        release.predict(events, day)


def test_a_day_may_be_numpys_or_pandas(release, events):
    expected = release.predict(events, AS_OF)
    for day in (np.datetime64(AS_OF), pd.Timestamp(AS_OF), AS_OF.isoformat()):
        pd.testing.assert_frame_equal(release.predict(events, day), expected)


def test_a_name_alone_is_not_taken_for_a_list_of_letters(release, events):
    with pytest.raises(DataError, match="clients must be a list, found 'ann'"):
        release.predict(events, AS_OF, clients="ann")
    with pytest.raises(ValueError, match="targets must be a list, found 'clv'"):
        release.predict(events, AS_OF, targets="clv")


@pytest.mark.parametrize("ask", ["predict", "features"])
def test_what_is_no_table_is_refused(release, ask):
    with pytest.raises(DataError, match="must be a DataFrame, found dict"):
        getattr(release, ask)({"client_id": ["ann"]}, AS_OF)


def test_a_damaged_release_in_use_names_the_command_that_fixes_it(finished, monkeypatch):
    monkeypatch.setattr(paths, "RELEASES", paths.PRODUCTION.parent)
    (paths.PRODUCTION / "purchase" / "golden.parquet").write_bytes(b"")
    with pytest.raises(ModelError, match=r"is altered(.|\n)*Next: evergreen finish"):
        evergreen.load_release(paths.PRODUCTION)


def test_feature_rows_with_other_columns_are_explained_line_by_line(release, events):
    rows = release.features(events.head(9), AS_OF, targets=["clv"])
    wrong = rows.rename(columns={"frequency": "frequenzy"})
    with pytest.raises(FeatureMismatchError) as caught:
        release.predict(wrong, AS_OF, targets=["clv"])
    assert "- frequency (missing)" in str(caught.value)
    assert "+ frequenzy (unknown to the model)" in str(caught.value)


def test_feature_rows_of_another_day_are_refused(release, events):
    rows = release.features(events.head(9), AS_OF, targets=["clv"])
    with pytest.raises(DataError, match="are as of 2024-04-01, as_of is 2024-04-02"):
        release.predict(rows, "2024-04-02", targets=["clv"])


def test_what_is_loaded_stays_when_the_files_go(release, events):
    before = release.predict(events.head(50), AS_OF)
    shutil.rmtree(paths.PRODUCTION)
    pd.testing.assert_frame_equal(release.predict(events.head(50), AS_OF), before)


class Payload:
    def __reduce__(self):
        return (exec, ("raise SystemExit('the payload ran')",))


def put_payload():
    (paths.PRODUCTION / "clv" / "estimator" / "model.joblib").write_bytes(pickle.dumps(Payload()))


def payload_with_its_digest_in_the_manifest():
    put_payload()
    path = paths.PRODUCTION / "clv" / "manifest.json"
    manifest = json.loads(path.read_text())
    name = "estimator/model.joblib"
    from evergreen.store.files import sha256  # noqa: PLC0415

    manifest["files"][name] = sha256(paths.PRODUCTION / "clv" / name)
    manifest["estimator"] = "random_forest"
    path.write_text(json.dumps(manifest))


def truncate():
    path = paths.PRODUCTION / "purchase" / "estimator" / "model.txt"
    path.write_bytes(path.read_bytes()[:1000])


def edit_release():
    path = paths.PRODUCTION / "manifest.json"
    path.write_text(path.read_text().replace("2024-04-01", "2024-04-02", 1))


@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        (put_payload, "is unexpected"),
        (payload_with_its_digest_in_the_manifest, "is altered: its content gives version"),
        (truncate, "is altered: expected SHA-256"),
        (edit_release, "is altered"),
        (
            lambda: (paths.PRODUCTION / "more.pkl").write_bytes(b""),
            "unexpected: the release does not",
        ),
        ((paths.PRODUCTION / "upsell").mkdir, "unexpected: the release does not"),
        (lambda: shutil.rmtree(paths.PRODUCTION / "churn"), "churn is missing"),
        (lambda: shutil.rmtree(paths.PRODUCTION), "does not exist"),
    ],
)
def test_a_release_that_was_tampered_with_is_refused_and_nothing_is_run(finished, tamper, message):
    tamper()
    with pytest.raises(ModelError, match=message):
        evergreen.load_release(paths.PRODUCTION)


def test_the_package_itself_imports_nothing_heavy():
    message = subprocess.run(
        [sys.executable, "-c", "import evergreen, sys; print('pandas' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert message.strip() == "False"


def test_attributes_that_are_not_given_are_missing():
    bought, written = transactions.SCHEMA.empty_table(), tables.NOTES.empty_table()
    with Databases().of(bought, written) as con:
        attributes = known_attributes(con, snapshots_on(AS_OF, ["a", "b"]))
    columns = Attributes(("number_age",), {"level_segment": ("gold",)}).transform(attributes)
    assert columns.isna().to_numpy().all()
    assert columns.shape == (2, 2)


def test_targets_of_different_extractors_need_rows_of_their_own(release, events):
    few = events.head(20)
    rows, expected = release.features(few, AS_OF), release.predict(few, AS_OF)
    [group] = release._groups
    release._groups = [group._replace(models={t: m}) for t, m in group.models.items()]
    pd.testing.assert_frame_equal(release.predict(few, AS_OF), expected)
    with pytest.raises(DataError, match="trained with different feature extractors"):
        release.predict(rows, AS_OF)
    own = release.features(few, AS_OF, targets=["clv"])
    predictions = release.predict(own, AS_OF, targets=["clv"])
    pd.testing.assert_series_equal(predictions["clv"], expected["clv"])


def test_several_threads_predict_at_once(release, events):
    parts = [part for _, part in events[events["client_id"] < "c0016"].groupby("client_id")]
    expected = [release.predict(part, AS_OF) for part in parts]
    with ThreadPoolExecutor(4) as pool:
        predictions = list(pool.map(lambda part: release.predict(part, AS_OF), parts))
    for ours, alone in zip(predictions, expected, strict=True):
        pd.testing.assert_frame_equal(ours, alone)


@pytest.mark.parametrize(("recorded", "command"), [(True, "pull"), (False, "finish")])
def test_without_a_release_the_error_tells_how_to_get_one(recorded, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if recorded:  # in a clone that has pulled nothing yet
        paths.HISTORY.mkdir()
        (paths.HISTORY / "2017-04-01.json").touch()
    with pytest.raises(ModelError) as error:
        evergreen.load_release()
    assert error.value.next_step == f"evergreen {command}"
