"""Several tables of the source fill the raw table of the transactions."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.errors import DataError
from evergreen.settings import paths

from .conftest import END, Shop

COLUMNS = {"client_id": "c", "timestamp": "t", "amount": "a"}
ROW = "x,2024-01-05,10\n"


@pytest.fixture
def two(shop):
    """A shop with the tables `sales`, which has no name, and `refunds`."""
    return with_tables(shop)


def with_tables(shop, sales=(), refunds=()):
    shop.source = [
        {"files": "inbox/s*", "columns": COLUMNS | dict(sales)},
        {"name": "refunds", "files": "inbox/r*", "columns": COLUMNS | dict(refunds)},
    ]
    return shop


def amounts(shop):
    return sorted(row["amount_minor"] // 100 for row in shop.rows())


def test_each_table_has_its_own_columns_formats_and_report(two):
    two.source[1] = {
        "name": "refunds",
        "files": "inbox/r*",
        "date_format": "%d/%m/%Y",
        "columns": {"client_id": "Kunde", "timestamp": "Datum", "amount": "Betrag"},
    }
    two.lay("s.csv", f"c,t,a\n{ROW}y,2024-01-06,20\n")
    two.lay("r.csv", 'Kunde;Datum;Betrag\nx;07/01/2024;"-10,00"\nx;soon;1\n')
    lines = two.ingest()
    assert "transactions: read 2 rows = 2 accepted" in lines[1]
    assert "transactions/refunds: read 2 rows = 1 accepted" in lines[3]
    assert "1 quarantined" in lines[3]
    assert amounts(two) == [-10, 10, 20]
    assert two.report() == {"read": 4, "accepted": 3}


def test_the_report_counts_the_rows_of_each_input(two):
    two.lay("s1.csv", f"c,t,a\n{ROW}")
    two.lay("s2.csv", f"c,t,a\n{ROW}y,2024-01-06,20\n")
    two.lay("r.csv", f"c,t,a\n{ROW}")
    two.ingest()
    report = json.loads((paths.QUARANTINE / f"transactions-{END}.json").read_text())
    assert report["sources"]["transactions"]["inputs"] == {
        "inbox/s1.csv": {"accepted": 1},
        "inbox/s2.csv": {"accepted": 1, "duplicate in another file": 1},
    }
    assert report["sources"]["transactions/refunds"]["read"] == 1


def test_equal_rows_of_two_tables_are_two_events_however_they_come_again(two):
    two.lay("s.csv", f"c,t,a\n{ROW}")
    two.lay("r.csv", "c,t,a\n")
    two.ingest()
    two.lay("r.csv", f"c,t,a\n{ROW}y,2024-01-31,1\n")
    two.ingest()
    assert amounts(two) == [1, 10, 10]
    two.lay("s.csv", f"c,t,a\n{ROW}\n")
    two.lay("s-copy.csv", f"c,t,a\n{ROW}")
    two.lay("r-copy.csv", f"c,t,a\n{ROW}")
    before = two.bytes()
    lines = "\n".join(two.ingest())
    assert lines.count("already ingested + 0 after") == 2
    raw = paths.TRANSACTIONS
    assert {p: b for p, b in two.bytes().items() if raw in p.parents} == {
        p: b for p, b in before.items() if raw in p.parents
    }


@settings(max_examples=5, deadline=None)
@given(
    deliveries=st.lists(st.tuples(st.sampled_from("sr"), st.integers(0, 3)), min_size=1, max_size=4)
)
def test_no_row_is_lost_and_none_grows(tmp_path_factory, deliveries):
    """A table has a row as often as the file that has it most often, whatever is in the other."""
    with pytest.MonkeyPatch.context() as patch:
        shop = with_tables(Shop(tmp_path_factory.mktemp("shop")))
        patch.chdir(shop.folder)
        for name in "sr":
            shop.lay(f"{name}.csv", "c,t,a\nz,2024-01-04,1\n")
        for number, (table, copies) in enumerate(deliveries):
            shop.lay(f"{table}{number}.csv", f"c,t,a\nz,2024-01-20,1\n{ROW * copies}")
            shop.ingest()
        shop.lay("s-end.csv", "c,t,a\nz,2024-01-31,1\n")  # late rows wait for a new day
        shop.ingest()
        most = [max((n for t, n in deliveries if t == name), default=0) for name in "sr"]
        assert sum(row["client_id"] == "x" for row in shop.rows()) == sum(most)


def test_the_same_row_id_in_two_tables_names_two_rows(shop):
    with_tables(shop, sales={"row_id": "id"}, refunds={"row_id": "id"})
    shop.lay("s.csv", "id,c,t,a\n1,x,2024-01-05,10\n")
    shop.lay("r.csv", "id,c,t,a\n1,x,2024-01-05,-4\n")
    shop.ingest()
    assert amounts(shop) == [-4, 10]
    shop.lay("r2.csv", "id,c,t,a\n1,x,2024-01-06,-5\n2,x,2024-01-31,-1\n")
    shop.lay("s2.csv", "id,c,t,a\n1,x,2024-01-05,10\n")
    shop.ingest()
    assert sum(amounts(shop)) == 10 - 5 - 1


def test_one_table_may_have_row_ids_and_the_other_none(shop):
    with_tables(shop, sales={"row_id": "id"})
    shop.lay("s.csv", f"id,c,t,a\n1,{ROW}")
    shop.lay("r.csv", f"c,t,a\n{ROW}{ROW}")
    shop.ingest()
    assert amounts(shop) == [10, 10, 10]
    shop.lay("s.csv", f"id,c,t,a\n1,{ROW}\n")
    shop.lay("r2.csv", f"c,t,a\n{ROW}")
    shop.ingest()
    assert amounts(shop) == [10, 10, 10]


def test_a_table_keeps_its_rows_when_others_are_added(shop):
    shop.source = {"files": "inbox/s*", "columns": COLUMNS}
    shop.lay("s.csv", f"c,t,a\n{ROW}")
    shop.ingest()
    with_tables(shop)
    shop.lay("s.csv", f"c,t,a\n{ROW}z,2024-01-30,3\n")
    shop.lay("r.csv", f"c,t,a\n{ROW}z,2024-01-31,3\n")
    shop.ingest()
    assert amounts(shop) == [3, 3, 10, 10]


def test_bad_rows_of_a_small_table_are_not_hidden_by_a_large_one(two):
    two.max_bad_share = 0.2
    two.lay("s.csv", "c,t,a\n" + ROW * 20)
    two.lay("r.csv", "c,t,a\nx,2024-01-05,?\nx,2024-01-05,1\n")
    with pytest.raises(DataError, match=r"transactions/refunds: 1 of 2 rows are bad"):
        two.ingest()


def test_two_tables_do_not_take_the_same_amounts_of_a_file(two):
    two.source[1]["files"] = "inbox/*"
    two.lay("s.csv", f"c,t,a,b\n{ROW.strip()},4\n")
    with pytest.raises(DataError, match=r"inbox/s.csv is read by transactions and by .*/refunds"):
        two.ingest()
    two.source[1] |= {"sign": "negative", "columns": COLUMNS | {"amount": "b"}}
    two.ingest()
    assert amounts(two) == [-4, 10]
