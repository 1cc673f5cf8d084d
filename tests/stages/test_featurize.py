"""Which features are computed, and what their cache may and may not do."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from evergreen.core.features import chunks, numeric, text
from evergreen.settings import paths
from evergreen.store import extractors, matrices, tables
from evergreen.store.releases import load_release

AS_OF = date(2024, 4, 1)


OUTS = (Path("data/features"), paths.EXTRACTOR)


@pytest.fixture
def next_day(finished):
    """The repository on the day after its first run, labels collected."""
    finished.crown()
    finished.set("as_of", (AS_OF + timedelta(days=1)).isoformat())
    finished.run("collect_labels")
    return finished


def test_the_cache_changes_no_byte(next_day):
    next_day.run("featurize")
    with_cache = next_day.bytes_of(*OUTS)
    assert any(paths.CACHE.iterdir())
    shutil.rmtree(paths.CACHE.parent)
    next_day.run("featurize")
    assert next_day.bytes_of(*OUTS) == with_cache


@pytest.fixture
def computed(monkeypatch):
    """The number of snapshots of each part whose numeric features were computed."""
    counts = []
    whole = numeric.numeric_features

    def counted(con, rows, **options):
        counts.append(len(rows))
        return whole(con, rows, **options)

    monkeypatch.setattr(numeric, "numeric_features", counted)
    return counts


def test_only_what_is_wanted_and_not_cached_is_computed(next_day, computed):
    next_day.run("featurize")
    update, holdout, today = (
        len(pd.read_parquet(folder / matrices.SNAPSHOTS))
        for folder in (paths.FEATURES_UPDATE, paths.FEATURES_HOLDOUT, paths.FEATURES_TODAY)
    )
    # nothing of the full retrain of the day before, nor of earlier days; today's are recent, too
    assert computed == [update, pytest.approx(0.05 * holdout, rel=1), today]


def test_a_day_adds_files_to_the_sets_that_move_on_and_changes_none(finished):
    sets = (paths.FEATURES_HOLDOUT, paths.FEATURES_RECENT)

    def days():
        return {(path.parts[-3], path.name): path.read_bytes()
                for folder in sets for path in folder.glob("*/*.parquet")}  # fmt: skip

    before = days()
    finished.crown()
    finished.set("as_of", (AS_OF + timedelta(days=1)).isoformat())
    finished.run("collect_labels", "featurize")
    after = days()
    kept = {name for name, content in before.items() if after.get(name) == content}
    assert len(kept) > 0.8 * len(before)
    assert len(after.keys() - before.keys()) <= 4  # for each target, and for today


def test_the_size_of_a_chunk_changes_no_value(next_day, computed, monkeypatch):
    next_day.run("featurize")
    in_one = {path: pd.read_parquet(path) for path in OUTS[0].rglob("*.parquet")}
    shutil.rmtree(paths.CACHE)
    monkeypatch.setattr(chunks, "ROWS", 97)
    monkeypatch.setattr(text, "PART", 13)
    next_day.run("featurize")
    assert min(computed) < 97
    for path, frame in in_one.items():
        pd.testing.assert_frame_equal(pd.read_parquet(path), frame, check_exact=True)


def test_a_past_that_was_changed_is_computed_again(next_day, retailer):
    next_day.run("featurize")
    before = next_day.bytes_of(*OUTS)
    doubled = pc.multiply(retailer["amount_minor"], pa.scalar(2, pa.int64()))
    next_day.write_raw(retailer.set_column(2, retailer.schema.field(2), doubled))
    next_day.run("featurize")
    changed = next_day.bytes_of(*OUTS)
    shutil.rmtree(paths.CACHE.parent)
    next_day.run("featurize")
    assert next_day.bytes_of(*OUTS) == changed != before


def test_a_snapshot_that_a_late_outcome_adds_has_its_features(next_day):
    next_day.run("featurize")
    known_on = AS_OF + timedelta(days=1)
    unknown = dict.fromkeys(next_day.settings.targets)
    rows = [
        unknown
        | {
            "client_id": f"c{number:04d}",
            "observed_on": AS_OF - timedelta(days=40),
            "purchase": 1.0,
            "ingested_on": known_on,
        }
        for number in range(100)
    ]
    schema = tables.by_target_schema(next_day.settings.targets)
    path = tables.partition_path(paths.OUTCOMES, known_on)
    tables.write(pa.Table.from_pylist(rows, schema=schema), path)
    next_day.run("collect_labels", "featurize")
    with_cache = next_day.bytes_of(*OUTS)
    shutil.rmtree(paths.CACHE.parent)
    next_day.run("featurize")
    assert next_day.bytes_of(*OUTS) == with_cache


@pytest.fixture
def with_attributes(finished):
    """The repository with an age and a segment of every client."""
    rows = [
        {"client_id": f"c{k:04d}", "valid_from": date(2024, 1, 1), "ingested_on": date(2024, 1, 1),
         "number_age": 20.0 + k % 50, "level_segment": ("gold", "silver")[k % 2]}
        for k in range(800)
    ]  # fmt: skip
    schema = tables.attributes_schema(["age"], ["segment"])
    path = tables.partition_path(paths.ATTRIBUTES, date(2024, 1, 1))
    tables.write(pa.Table.from_pylist(rows, schema=schema), path)
    return finished


def test_attributes_become_columns_of_the_models(with_attributes):
    with_attributes.run()
    kept = extractors.load_extractor(paths.EXTRACTOR).attributes
    assert kept.numbers == ("number_age",)
    assert set(kept.levels["level_segment"]) == {"gold", "silver"}
    features = load_release(paths.PRODUCTION).models["purchase"].manifest.features
    assert {"number_age", "level_segment"} <= set(features)


def test_attributes_can_be_kept_from_models(with_attributes):
    with_attributes.set("features.attributes", value=False)
    with_attributes.run("featurize")
    assert extractors.load_extractor(paths.EXTRACTOR).attributes is None


def test_more_labels_than_a_full_fit_may_use_are_drawn(finished):
    before = pd.read_parquet(paths.FEATURES_FULL / matrices.LABELS)["target"].value_counts()
    finished.set("full_retrain.max_rows", 1000)
    said = finished.run("featurize")["featurize"]
    rows = pd.read_parquet(paths.FEATURES_FULL / matrices.LABELS)["target"].value_counts()
    assert rows.max() == 1000
    assert matrices.read_drawn_from(paths.FEATURES_FULL) == before.to_dict()
    for target, count in before.items():
        assert f"{target}: {rows[target]:,} of {count:,} labels drawn to train on" in " ".join(said)
