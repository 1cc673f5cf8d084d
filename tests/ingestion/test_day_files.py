import random
from datetime import date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evergreen.ingestion import day_files
from evergreen.store import files, tables

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
        lambda first, last: f"from made where ingested_on between '{first}' and '{last}'",
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


@pytest.mark.parametrize(
    ("name", "value"), [("BATCH_ROWS", 3), ("CHUNK_ROWS", 25), ("CHUNK_DAYS", 3)]
)
def test_the_bytes_do_not_depend_on_batches_and_chunks(name, value, tmp_path, monkeypatch):
    rows = [(f"c{i}", 1 + i % 4) for i in range(50)]
    write(tmp_path / "whole", rows)
    monkeypatch.setattr(day_files, name, value)
    assert write(tmp_path / "cut", rows) == [(n, 4, n) for n in (1, 2, 3, 4)]
    counts = [pq.read_table(p).num_rows for p in tables.partitions(tmp_path / "cut").values()]
    assert counts == [13, 13, 12, 12]
    assert files.digests(tmp_path / "cut") == files.digests(tmp_path / "whole")


def test_files_get_their_names_when_their_content_is_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(day_files, "CHUNK_DAYS", 2)
    found = []

    def sync(folder):
        found.append(sorted(path.name for path in folder.iterdir()))
        if len(found) == 2:
            raise OSError("the disk is full")

    monkeypatch.setattr(files, "sync_file_systems", sync)
    with pytest.raises(OSError, match="full"):
        write(tmp_path, [("a", 1)])
    whole = ["2024-01-01.parquet", "2024-01-02.parquet"]
    assert found == [
        [".2024-01-01.unfinished", ".2024-01-02.unfinished"],
        [".2024-01-03.unfinished", ".2024-01-04.unfinished", *whole],
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == whole


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
