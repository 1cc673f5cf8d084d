import tempfile
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.ingestion import outliers
from evergreen.ingestion.outliers import stored_outliers
from evergreen.settings import paths
from evergreen.store import sql, tables

USUAL = [f"c{k:02},2024-01-{1 + k % 20:02},{10 + k}.00," for k in range(30)]
BARCODE = "c03,2024-01-09,36000291452,"
WARNING = (
    "warning: transactions: inbox/a.csv, line 12: amount 36,000,291,452.00 is 1,200,000,000 times "
    "the tenth-largest client maximum (31.00); check it, or exclude it"
)


def csv(*lines):
    return "\n".join(["Client,Date,Total,Item", *lines, ""])


def warnings(lines):
    return [line for line in lines if line.startswith("warning: ")]


def stored():
    con = duckdb.connect()
    con.execute(
        "create view transactions as from "
        + sql.parquet(tables.partitions(paths.TRANSACTIONS).values())
    )
    return stored_outliers(con, 100)


def test_a_barcode_in_the_price_field_is_named_with_file_line_value_and_factor(shop):
    shop.lay("a.csv", csv(*USUAL[:10], BARCODE, *USUAL[10:]))
    assert warnings(shop.ingest()) == [WARNING]
    assert [f"warning: transactions: {line}" for line in stored()] == [WARNING]


def test_a_clone_names_it_by_client_and_day(shop):
    shop.lay("a.csv", csv(*USUAL, BARCODE))
    shop.ingest()
    (paths.QUARANTINE / "outliers.json").unlink()
    [line] = stored()
    assert line.startswith("client 'c03' on 2024-01-09: amount 36,000,291,452.00 is ")


@pytest.mark.parametrize("amount", ["-36000291452", "36000.01"])
def test_returns_count_by_their_size_and_a_thousand_times_is_enough(shop, amount):
    shop.lay("a.csv", csv(*USUAL, BARCODE.replace("36000291452", amount)))
    assert len(warnings(shop.ingest())) == 1


def test_a_large_amount_is_no_outlier(shop):
    shop.lay("a.csv", csv(*USUAL, BARCODE.replace("36000291452", "29999.00")))
    assert warnings(shop.ingest()) == []
    assert stored() == []


def test_a_day_is_compared_with_all_that_was_ingested_before(shop):
    shop.lay("a.csv", csv(*USUAL))
    shop.ingest(through=date(2024, 1, 25))
    shop.lay("b.csv", csv("c03,2024-01-26,36000291452,"))
    [line] = warnings(shop.ingest())
    assert "inbox/b.csv, line 2: amount 36,000,291,452.00 is 1,200,000,000 times" in line


def test_of_many_the_largest_are_named_and_the_others_counted(shop):
    shop.lay("a.csv", csv(*USUAL, *(f"c03,2024-01-09,{k}000000,\n" for k in range(1, 6))))
    *named, last = warnings(shop.ingest())
    assert [line.split("amount ")[1].split(".")[0] for line in named] == [
        "5,000,000",
        "4,000,000",
        "3,000,000",
    ]
    assert "2 more amounts" in last


def test_a_corrected_amount_is_no_longer_named(shop):
    shop.source["columns"]["row_id"] = "Item"
    shop.source["columns"].pop("text")
    rows = [f"{line}{k}" for k, line in enumerate(USUAL)]
    shop.lay("a.csv", csv(*rows, f"{BARCODE}x"))
    shop.ingest(through=date(2024, 1, 25))
    assert len(stored()) == 1
    shop.lay("a.csv", csv(*rows, "c03,2024-01-09,36.00,x", "c04,2024-01-26,10.00,y"))
    assert warnings(shop.ingest()) == []
    assert stored() == []


amounts = st.lists(st.tuples(st.integers(0, 30), st.sampled_from([1, 2, 900, 2000, 10**6])))


@settings(max_examples=30, deadline=None)
@given(new=amounts, days=st.lists(amounts, max_size=3))
def test_amounts_that_are_not_looked_at_hide_no_outlier(new, days):
    with tempfile.TemporaryDirectory() as folder:
        stored = [Path(folder) / f"{number}.parquet" for number in range(len(days))]
        columns = pa.schema([("client_id", pa.string()), ("amount_minor", pa.int64())])
        for path, rows in zip(stored, [day * 20 for day in days], strict=True):
            table = {"client_id": [str(c) for c, _ in rows], "amount_minor": [a for _, a in rows]}
            pq.write_table(pa.table(table, schema=columns), path)
        con = tables.connect(1)
        con.execute("create table new (client_id varchar, size bigint)")
        con.executemany("insert into new values (?, ?)", [*new, (0, 1)])
        if outliers._all_usual(con, "from new", stored):
            sizes = " union all ".join(["from new", *map(outliers._sizes, [[p] for p in stored])])
            assert outliers._outliers(con, sizes, "from new", "client_id")[1] == []
