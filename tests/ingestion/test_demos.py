"""The rows of a demo take the same way into the raw tables as a retailer's own, day by day."""

import csv
from datetime import date, datetime

import pytest

from evergreen.errors import DataError
from evergreen.settings import paths


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


def test_rows_are_partitioned_by_the_day_they_became_known(shop):
    shop.ingest_demo(
        row(day=date(2024, 1, 5)), row(day=date(2024, 1, 6)), row("b", date(2024, 1, 6))
    )
    assert {day: len(rows) for day, rows in shop.stored().items()} == {
        date(2024, 1, 5): 1,
        date(2024, 1, 6): 2,
    }


def test_a_new_day_adds_a_file_and_rewrites_none(shop):
    shop.ingest_demo(row(day=date(2024, 1, 5)))
    before = (paths.TRANSACTIONS / "2024-01-05.parquet").stat()
    shop.ingest_demo(row(day=date(2024, 1, 5)), row(day=date(2024, 1, 6)))
    after = (paths.TRANSACTIONS / "2024-01-05.parquet").stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)
    assert shop.report() == {"read": 2, "accepted": 1, "already_ingested": 1}


def test_a_day_without_rows_is_known_to_be_empty(shop):
    shop.ingest_demo(row(day=date(2024, 1, 5)), row(day=date(2024, 1, 7)))
    assert shop.stored()[date(2024, 1, 6)] == []


def test_nothing_after_the_requested_date_is_ingested(shop):
    shop.ingest_demo(row(), row(day=date(2024, 1, 6)), through=date(2024, 1, 5))
    assert list(shop.stored()) == [date(2024, 1, 5)]
    counts = {"read": 2, "accepted": 1, "after_the_requested_date": 1}
    assert shop.report(date(2024, 1, 5)) == counts


def test_the_order_of_the_source_does_not_matter(shop):
    rows = [row(client, amount_minor=amount) for client in "cab" for amount in (3, 1, 2)]
    shop.ingest_demo(*rows)
    first = (paths.TRANSACTIONS / "2024-01-05.parquet").read_bytes()
    (paths.TRANSACTIONS / "2024-01-05.parquet").unlink()
    shop.ingest_demo(*rows[::-1])
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
def test_a_bad_row_is_quarantined_with_its_reason(shop, changes, reason):
    lines = shop.ingest_demo(row(), row() | changes)
    assert shop.report() == {"read": 2, "accepted": 1}
    assert f"cdnow:   1 x {reason}" in lines
    with (paths.QUARANTINE / "transactions-2024-01-31.csv").open(newline="") as file:
        [quarantined] = csv.DictReader(file)
    assert (quarantined["source"], quarantined["reason"]) == ("cdnow", reason)


def test_the_report_adds_up(shop):
    lines = shop.ingest_demo(row(), row() | {"client_id": None})
    total = "1 accepted + 0 already ingested + 0 after the requested date + 1 quarantined"
    assert lines == [
        f"cdnow: read 2 rows = {total}",
        "cdnow:   1 x client_id is missing",
        "cdnow:   see data/quarantine",
    ]


def test_a_demo_leaves_no_state_beside_the_raw_tables(shop):
    shop.ingest_demo(row())
    assert not paths.INGESTION_STATE.exists()


def test_a_row_of_a_day_already_ingested_is_not_compared(shop):
    shop.ingest_demo(row(amount_minor=1))
    shop.ingest_demo(row(amount_minor=2), row(day=date(2024, 1, 6)))
    assert shop.report() == {"read": 2, "accepted": 1, "already_ingested": 1}


def test_an_invoice_without_a_number_is_named_after_client_and_time(shop):
    shop.ingest_demo(row(invoice_id=None))
    assert [row["invoice_id"] for row in shop.rows()] == ["a@2024-01-05 12:00:00"]


def test_a_source_without_rows_is_refused(shop):
    with pytest.raises(DataError, match="cdnow: the source holds no good rows"):
        shop.ingest_demo()


def test_a_source_that_does_not_reach_far_enough_changes_nothing(shop):
    with pytest.raises(DataError, match="source ends on 2024-01-05, but rows until 2024-01-07"):
        shop.ingest_demo(row(), reach=date(2024, 1, 7))
    assert shop.stored() == {}


def test_a_demo_is_not_added_to_the_rows_of_another_source(shop):
    shop.lay("1.csv", "Client,Date,Total,Item\nx,2024-01-04,1,silk\n")
    shop.ingest()
    with pytest.raises(DataError, match="has rows of another source; nothing was changed") as error:
        shop.ingest_demo(row(), row(day=date(2024, 1, 6)))
    assert error.value.next_step.startswith("evergreen init ../cdnow --demo cdnow")
    assert len(shop.rows()) == 1
