import shutil
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from evergreen.history.retraining_plan import training_labels
from evergreen.settings import paths
from evergreen.store import files, labels, tables


def computed_days(monkeypatch):
    """The (after, through] of each computation of labels from now on."""
    ranges = []
    create = labels.create_labels

    def counted(con, **options):
        ranges.append((options["after"], options["through"]))
        create(con, **options)

    monkeypatch.setattr(labels, "create_labels", counted)
    return ranges


def test_a_plan_and_the_stage_compute_labels_once_and_a_day_later_one_day(repository, monkeypatch):
    computed = computed_days(monkeypatch)
    counts = training_labels(repository.settings, repository.settings.as_of)
    assert counts["labels"].sum() > 0
    first = len(computed)
    repository.run("collect_labels")
    assert len(computed) == first
    day = repository.settings.as_of
    repository.set("as_of", str(day + timedelta(days=1)))
    repository.run("collect_labels")
    assert computed[first:] == [(day, day + timedelta(days=1))]


def test_there_is_a_file_for_each_day_with_the_labels_that_became_known_on_it(repository):
    repository.run("collect_labels")
    days = tables.days_in(paths.LABELS)
    first = min(tables.partitions(paths.TRANSACTIONS)) + timedelta(days=1)
    assert list(days) == list(tables.days(first, repository.settings.as_of))
    for day, path in days.items():
        known_on = pd.read_parquet(path, columns=["known_on"])["known_on"]
        assert set(known_on) <= {day}
    report = files.read_json(paths.LABELS_REPORT, next_step="")
    rows = sum(pq.read_metadata(path).num_rows for path in days.values())
    assert sum(target["labels"] for target in report["targets"].values()) == rows


def test_neither_the_cache_nor_the_size_of_a_chunk_changes_a_byte(repository, monkeypatch):
    day = repository.settings.as_of
    repository.set("full_retrain.as_of", str(day - timedelta(days=3)))
    repository.set("as_of", str(day - timedelta(days=3)))
    repository.run("collect_labels")
    repository.set("as_of", str(day))
    repository.run("collect_labels")
    kept = repository.bytes_of(paths.LABELS, Path("reports"))
    shutil.rmtree(paths.CACHE)
    monkeypatch.setattr(labels, "CHUNK_DAYS", 50)
    repository.run("collect_labels")
    assert repository.bytes_of(paths.LABELS, Path("reports")) == kept


def test_a_changed_day_of_the_raw_data_changes_only_the_days_after_it(
    repository, retailer, monkeypatch
):
    before = training_labels(repository.settings, repository.settings.as_of)
    computed = computed_days(monkeypatch)
    day = repository.settings.as_of - timedelta(days=5)
    changed = tables.partition_path(paths.TRANSACTIONS, day)
    tables.write(pq.read_table(changed).slice(1), changed)
    after = training_labels(repository.settings, repository.settings.as_of)
    assert computed == [(day, repository.settings.as_of)]
    assert before["labels"].sum() >= after["labels"].sum() > 0
