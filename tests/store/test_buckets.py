"""Features by buckets are those of one piece, wherever they are computed."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.core.events.buckets import BUCKET, buckets_of
from evergreen.errors import DataError
from evergreen.settings import paths
from evergreen.settings.loading import load_settings
from evergreen.settings.pipeline import Compute
from evergreen.store import buckets, tables

OUTS = (Path("data/features"), paths.EXTRACTOR)


@pytest.fixture
def here(monkeypatch):
    """Workers that are this process, for what does not depend on where they are."""
    monkeypatch.setattr(buckets, "is_this_process", lambda _compute: False)


def featurized(repository, **compute):
    """Run the stage from scratch with some settings of ``compute``; return the bytes."""
    shutil.rmtree(paths.CACHE, ignore_errors=True)
    repository.values["compute"] |= compute
    repository.run("featurize")
    return repository.bytes_of(*OUTS)


@given(st.lists(st.text(min_size=1).filter(lambda name: "\0" not in name)))
def test_the_bucket_of_a_client_is_the_same_in_sql(clients):
    con = tables.connect(1)
    in_sql = [con.execute(f"select {BUCKET} from (select ? as client_id)", [name]).fetchone()[0]
              for name in clients]  # fmt: skip
    assert buckets_of(clients).tolist() == in_sql


@pytest.mark.parametrize("shared", [True, False])
def test_buckets_and_one_piece_have_the_same_bytes(shared, here, finished, tmp_path):
    in_one_piece = finished.bytes_of(*OUTS)
    storage = None if shared else str(tmp_path / "storage")
    assert featurized(finished, storage=storage) == in_one_piece


@pytest.mark.slow
def test_a_cluster_that_reads_from_s3_has_the_same_bytes(cluster, s3, finished, monkeypatch):
    from s3fs import S3FileSystem  # noqa: PLC0415 - slow to import

    in_one_piece = finished.bytes_of(*OUTS)
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    S3FileSystem().mkdir("history")
    compute = cluster.model_dump(include={"backend", "address", "workers"})
    assert featurized(finished, **compute, storage="s3://history/parts") == in_one_piece


def remove(copy):
    copy.unlink()


def alter(copy):
    content = bytearray(copy.read_bytes())
    content[len(content) // 3] ^= 1
    copy.write_bytes(content)


@pytest.mark.parametrize("damage", [remove, alter])
def test_a_copy_that_is_missing_or_altered_is_refused(
    damage, here, finished, tmp_path, monkeypatch
):
    storage = tmp_path / "storage"
    featurized(finished, storage=str(storage))
    damage(max(storage.glob("ledger-*.parquet"), key=lambda path: path.stat().st_size))
    monkeypatch.setattr(buckets, "share", lambda _history: None)  # since this run has begun
    with pytest.raises(DataError, match="is missing or altered"):
        featurized(finished, storage=str(storage))


def test_a_storage_that_can_not_be_written_is_named(here, finished, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="can't be read and written"):
        featurized(finished, storage=str(tmp_path / "file" / "storage"))


def test_settings_of_one_process_open_no_workers():
    settings = load_settings(Path(__file__).parents[2] / "params.yaml")
    assert settings.compute == Compute(threads=settings.compute.threads)
    with buckets.open_workers(settings) as workers:
        assert workers is None
