from datetime import date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evergreen.core.events import transactions
from evergreen.errors import DataError
from evergreen.ingestion.transactions import ingest_transactions
from evergreen.settings import paths
from evergreen.store import tables

LOOSE = pa.schema([(field.name, field.type) for field in transactions.SCHEMA])


def row(client="a", day=date(2024, 1, 5), **columns):
    return {
        "client_id": client,
        "timestamp": datetime(day.year, day.month, day.day, 12),
        "amount_minor": 100,
        "quantity": 1.0,
        "text": "silk",
        "invoice_id": "i",
        "ingested_on": day,
    } | columns


@pytest.fixture
def ingest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*rows, through=None, reach=None):
        con = tables.connect(threads=1)
        source = pa.Table.from_pylist(list(rows), schema=LOOSE)
        con.register("source", source)
        return ingest_transactions(
            con, con.sql("select * from source"), through=through, reach=reach
        )

    return run


def stored():
    return {d: pq.read_table(p) for d, p in tables.partitions(paths.TRANSACTIONS).items()}


def test_rows_are_partitioned_by_the_day_they_became_known(ingest):
    ingest(row(day=date(2024, 1, 5)), row(day=date(2024, 1, 6)), row("b", date(2024, 1, 6)))
    assert {d: t.num_rows for d, t in stored().items()} == {
        date(2024, 1, 5): 1,
        date(2024, 1, 6): 2,
    }


def test_a_new_day_adds_a_file_and_rewrites_none(ingest):
    ingest(row(day=date(2024, 1, 5)))
    before = (paths.TRANSACTIONS / "2024-01-05.parquet").stat()
    done = ingest(row(day=date(2024, 1, 5)), row(day=date(2024, 1, 6)))
    after = (paths.TRANSACTIONS / "2024-01-05.parquet").stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)
    assert done.rows_by_status == {"accepted": 1, "already ingested": 1}


def test_a_day_without_rows_is_known_to_be_empty(ingest):
    ingest(row(day=date(2024, 1, 5)), row(day=date(2024, 1, 7)))
    assert stored()[date(2024, 1, 6)].num_rows == 0


def test_nothing_after_the_requested_date_is_ingested(ingest):
    done = ingest(row(), row(day=date(2024, 1, 6)), through=date(2024, 1, 5))
    assert list(stored()) == [date(2024, 1, 5)]
    assert done.rows_by_status == {"accepted": 1, "after the requested date": 1}


def test_the_order_of_the_source_does_not_matter(ingest):
    rows = [row(client, amount_minor=amount) for client in "cab" for amount in (3, 1, 2)]
    ingest(*rows)
    first = (paths.TRANSACTIONS / "2024-01-05.parquet").read_bytes()
    (paths.TRANSACTIONS / "2024-01-05.parquet").unlink()
    ingest(*rows[::-1])
    assert (paths.TRANSACTIONS / "2024-01-05.parquet").read_bytes() == first


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"client_id": None}, "client_id is missing"),
        ({"client_id": "  "}, "client_id is missing"),
        ({"timestamp": None}, "timestamp is missing"),
        ({"amount_minor": None}, "amount_minor is missing"),
        ({"amount_minor": 10**15}, "amount_minor exceeds 10^14"),
        ({"ingested_on": None}, "ingested_on is missing"),
        ({"timestamp": datetime(2024, 2, 1)}, "timestamp is after ingested_on"),
    ],
)
def test_a_bad_row_is_quarantined_with_its_reason(ingest, changes, reason):
    done = ingest(row(), row() | changes)
    assert done.rows_by_status == {"accepted": 1, reason: 1}
    [quarantined] = pq.read_table(paths.QUARANTINE / "transactions-all.parquet").to_pylist()
    assert quarantined["reason"] == reason


def test_the_account_adds_up_in_words(ingest):
    done = ingest(row(), row() | {"client_id": None})
    assert done.lines() == [
        (
            "read 2 rows = 1 accepted + 0 already ingested + 0 after the requested date + "
            "1 quarantined"
        ),
        "  1 x client_id is missing",
        "  see data/quarantine",
    ]


def test_an_invoice_without_a_number_is_named_after_client_and_time(ingest):
    ingest(row(invoice_id=None))
    assert stored()[date(2024, 1, 5)]["invoice_id"].to_pylist() == ["a@2024-01-05 12:00:00"]


def test_a_source_without_rows_is_refused(ingest):
    with pytest.raises(DataError, match="the source holds no rows"):
        ingest()


def test_a_source_that_does_not_reach_far_enough_changes_nothing(ingest):
    with pytest.raises(DataError, match="the source ends on 2024-01-05, and rows until 2024-01-07"):
        ingest(row(), reach=date(2024, 1, 7))
    assert stored() == {}
