import random
from datetime import date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evergreen.ingestion import day_files
from evergreen.store import tables

FIRST, LAST = date(2024, 1, 1), date(2024, 1, 4)


def write(folder, rows):
    """Notes as (client, day of January) written from the first day to the last."""
    con = tables.connect(1)
    table = [
        {"client_id": client, "timestamp": datetime(2024, 1, day), "text": "x", "language": None,
         "ingested_on": date(2024, 1, day)}
        for client, day in rows
    ]  # fmt: skip
    con.register("made", pa.Table.from_pylist(table, schema=tables.NOTES))
    seen = []
    day_files.write_days(
        con,
        "select * from made",
        ["client_id", "timestamp", "text"],
        schema=tables.NOTES,
        folder=folder,
        days=list(tables.days(FIRST, LAST)),
        progress=lambda done, total: seen.append((done, total, len(list(folder.glob("*.parq*"))))),
    )
    return seen


def test_each_day_has_its_rows_in_order_and_a_day_without_rows_an_empty_file(tmp_path):
    write(tmp_path, [("b", 1), ("a", 1), ("c", 4)])
    found = {d.day: pq.read_table(p)["client_id"].to_pylist()
             for d, p in tables.partitions(tmp_path).items()}  # fmt: skip
    assert found == {1: ["a", "b"], 2: [], 3: [], 4: ["c"]}


def test_files_appear_in_the_order_of_the_days(tmp_path):
    assert write(tmp_path, [("a", 4)]) == [(1, 4, 1), (2, 4, 2), (3, 4, 3), (4, 4, 4)]


def test_days_larger_and_smaller_than_a_batch_are_cut_right(tmp_path, monkeypatch):
    monkeypatch.setattr(day_files, "BATCH_ROWS", 3)
    write(tmp_path, [(f"c{i}", 1 + i % 4) for i in range(50)])
    counts = [pq.read_table(p).num_rows for p in tables.partitions(tmp_path).values()]
    assert counts == [13, 13, 12, 12]


def test_the_bytes_are_those_of_a_table_written_alone(tmp_path):
    write(tmp_path, [("a", 1), ("b", 1)])
    day = tables.partition_path(tmp_path, FIRST)
    tables.write(pq.read_table(day).cast(tables.NOTES), tmp_path / "alone")
    assert day.read_bytes() == (tmp_path / "alone").read_bytes()


@pytest.mark.parametrize("mapped", [{}, {"invoice_id": "Order"}, {"quantity": "Pieces"}])
def test_rows_are_in_the_order_of_all_columns_whichever_are_mapped(shop, mapped):
    shop.source["columns"] |= mapped
    chosen = random.Random(1)
    lines = [
        f"{chosen.choice('ab')},2024-01-03 {chosen.choice('12')}0:00:00,{chosen.choice('12')},"
        f"{chosen.choice('xy')},N{chosen.choice('12')},{chosen.choice('12')}"
        for _ in range(60)
    ]
    shop.lay("sales.csv", "\n".join(["Client,Date,Total,Item,Order,Pieces", *lines]))
    shop.ingest()
    rows = [tuple(str(cell) for cell in row.values()) for row in shop.rows()]
    assert len(rows) > 1
    assert rows == sorted(rows)
