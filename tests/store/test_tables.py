from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evergreen.core.events import transactions
from evergreen.errors import DataError
from evergreen.lifecycle.pin import pin_first_run
from evergreen.settings import paths
from evergreen.store import tables


@pytest.fixture
def raw(tmp_path, monkeypatch):
    """Write an empty partition of transactions for each day given; return its folder."""
    monkeypatch.chdir(tmp_path)

    def write(*days, schema=transactions.SCHEMA):
        for day in days:
            path = tables.partition_path(paths.TRANSACTIONS, day)
            tables.write(schema.empty_table(), path)
        return paths.TRANSACTIONS

    return write


def view(known_by, max_lag_days=3):
    return tables.view_transactions(tables.connect(1), known_by=known_by, max_lag_days=max_lag_days)


def test_the_same_rows_are_the_same_bytes(tmp_path):
    for name in "ab":
        tables.write(pa.table({"x": [1.5, None], "y": ["é", ""]}), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_frame_comes_back_as_it_was_written(tmp_path):
    frame = pa.table({"d": [date(2024, 1, 5)], "x": [0.1], "s": ["a"]}).to_pandas(
        date_as_object=False
    )
    tables.write_frame(frame, tmp_path / "f.parquet")
    assert tables.read_frame(tmp_path / "f.parquet", made_by="featurize").equals(frame)


def test_what_is_not_known_yet_limits_the_labels(raw):
    raw(date(2024, 1, 5), date(2024, 1, 6))
    assert view(date(2024, 1, 8)) == date(2024, 1, 7)
    assert view(date(2024, 1, 6)) == date(2024, 1, 6)


def test_no_run_starts_from_an_ingestion_that_was_stopped(raw):
    raw(date(2024, 1, 5))
    paths.HALF_INGESTED.touch()
    stopped = "an ingestion was stopped before data/raw had all rows\n"
    stopped += "Next: evergreen ingest, which goes on"
    with pytest.raises(DataError) as error:
        view(date(2024, 1, 6))
    assert str(error.value) == stopped
    Path("data/raw.dvc").touch()
    with pytest.raises(DataError) as error:
        list(pin_first_run(None))
    back = "; or `dvc checkout --force data/raw`, for the rows of the last run"
    assert str(error.value) == stopped + back


def test_data_that_has_not_come_is_not_taken_for_clients_who_stay_away(raw):
    raw(date(2024, 1, 5))
    with pytest.raises(DataError) as error:
        view(date(2024, 1, 20))
    assert str(error.value) == (
        "data/raw/transactions ends on 2024-01-05, expected rows until 2024-01-16 or later "
        "(as_of 2024-01-20, data.max_lag_days 3): missing data would look like clients who "
        "stay away\n"
        "Next: evergreen ingest --through 2024-01-19, or set an earlier as_of in params.yaml; "
        "if days without rows are normal, raise data.max_lag_days, see docs/troubleshooting.md"
    )


def test_no_transactions_at_all(raw):
    raw(date(2024, 2, 1))
    with pytest.raises(DataError, match="contains no transactions that were known by 2024-01-01"):
        view(date(2024, 1, 1))


def test_a_deleted_column_is_named_with_the_nearest_one_found(raw):
    others = [f for f in transactions.SCHEMA if f.name != "amount_minor"]
    raw(date(2024, 1, 5), schema=pa.schema([*others, pa.field("amount", pa.int64())]))
    with pytest.raises(DataError) as error:
        view(date(2024, 1, 6))
    assert str(error.value).startswith(
        "data/raw/transactions/2024-01-05.parquet lacks 'amount_minor' (found: client_id,"
    )
    assert "nearest: 'amount')" in str(error.value)


def test_a_column_of_another_type_is_refused(raw):
    field = pa.field("amount_minor", pa.float64())
    position = transactions.SCHEMA.get_field_index("amount_minor")
    raw(date(2024, 1, 5), schema=transactions.SCHEMA.set(position, field))
    with pytest.raises(DataError, match="has 'amount_minor' as double, expected int64"):
        view(date(2024, 1, 6))


def test_a_file_that_is_not_named_by_its_day_is_refused(raw):
    folder = raw(date(2024, 1, 5))
    (folder / "copy of january.parquet").write_bytes(b"")
    with pytest.raises(DataError, match=r"copy of january\.parquet, expected files named by"):
        view(date(2024, 1, 5))


def test_a_damaged_file_is_told_from_a_missing_one(tmp_path):
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DataError, match="not readable as Parquet"):
        tables.read_frame(damaged, made_by="featurize")
    with pytest.raises(DataError, match="an output of featurize, does not exist"):
        tables.read_frame(tmp_path / "none.parquet", made_by="featurize")


def test_a_reader_never_meets_half_a_file(tmp_path, monkeypatch):
    path = tmp_path / "t.parquet"
    tables.write(pa.table({"x": [1]}), path)
    monkeypatch.setattr(pq.ParquetWriter, "write_table", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tables.write(pa.table({"x": [2]}), path)
    assert pq.read_table(path)["x"].to_pylist() == [1]


def test_a_day_missing_in_between_is_not_taken_for_a_day_without_purchases(raw):
    raw(date(2024, 1, 5), date(2024, 1, 7))
    with pytest.raises(DataError, match="has no file for 2024-01-06, between"):
        view(date(2024, 1, 8))
