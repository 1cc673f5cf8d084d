"""Rows that `where` excludes are counted by reason, and are neither bad nor checked further."""

import json
import os
import sqlite3
from contextlib import closing

import pytest

from evergreen.errors import DataError, SettingsError
from evergreen.settings import paths

from .conftest import END

HEADER = "Client,Date,Total,Item,Status,Refunded Amount,Test"


def lay(shop, *rows, name="a.csv"):
    return shop.lay(name, "\n".join([HEADER, *rows]))


def kept(shop, where, *rows):
    """The items of the rows that a filter keeps."""
    shop.source["where"] = where
    lay(shop, *rows, "end,2024-01-30,1,end,paid,1,no")
    shop.ingest()
    return sorted(row["text"] for row in shop.rows())


def counts(shop):
    report = json.loads((paths.QUARANTINE / f"transactions-{END}.json").read_text())
    return report["excluded"], report["quarantined"]


def row(item, status="paid", total="5", refunded="", test=""):
    return f"a,2024-01-05,{total},{item},{status},{refunded},{test}"


def test_excluded_rows_are_counted_and_reported_by_themselves(shop):
    shop.max_bad_share = 0.01
    shop.source["where"] = "Status <> 'cancelled'"
    lay(shop, row("x"), row("y", "cancelled"), row("z", "cancelled", total="?"))
    lines = shop.ingest()
    assert lines[1].endswith(
        "read 3 rows = 1 accepted + 0 already ingested + 0 after the requested date + 2 excluded "
        "+ 0 quarantined"
    )
    assert lines[2] == "transactions:   2 excluded: does not meet Status <> 'cancelled'"
    assert shop.quarantined() == []
    assert shop.report() == {"read": 3, "accepted": 1}


def test_each_reason_is_counted_once_in_the_order_of_the_settings(shop):
    where = {"test order": "not Test", "cancelled order": "Status not in ('cancelled', 'voided')"}
    rows = [row("x"), row("y", "voided", test="yes"), row("z", "voided"), row("w", test="maybe")]
    shop.source["where"] = where
    lay(shop, *rows)
    shop.ingest()
    assert counts(shop) == (
        {"test order": 1, "cancelled order": 1},
        {"Test is not true or false, as `where` reads it": 1},
    )


def test_a_filter_that_excludes_no_row_is_named(shop):
    shop.source["where"] = ["Status <> 'canceled'", "Total > 0"]
    lay(shop, row("x", "cancelled"))
    assert shop.ingest()[2:] == [
        "transactions:   0 excluded: does not meet Status <> 'canceled'",
        "transactions:   0 excluded: does not meet Total > 0",
    ]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("Total > 9", ["b"]),  # as texts, '10' would be less than '9'
        ('"Total"::decimal > 9', ["b"]),
        ('"Refunded Amount" is null', ["a", "c"]),
        ("\"Refunded Amount\" = ''", ["a", "c"]),
        ('Total - "Refunded Amount" >= 7.5', ["b"]),
        ('Total - coalesce("Refunded Amount", 0) = 5', ["a"]),
        ("status = 'paid' and item like 'b%'", ["b"]),
        ("Status in ('paid', 'open') and Total between 5 and 10", ["a", "b"]),
        ("Date >= '2024-01-30'", ["end"]),
        ("lower(Status) = 'open' or regexp_matches(Item, '^a')", ["a", "c"]),
    ],
)
def test_a_column_is_compared_as_what_its_condition_implies(shop, where, expected):
    rows = [row("a"), row("b", "paid ", "10", "2.50"), row("c", "OPEN", "$0.50")]
    found = kept(shop, where, *rows)
    assert [item for item in found if item != "end" or item in expected] == expected


def test_numbers_and_dates_are_read_as_those_that_are_mapped(shop):
    shop.source["where"] = "Total > 1000 and Date >= '2024-01-05'"
    lay(
        shop,
        'a,05.01.2024,"1.234,50",x,paid,,',
        'a,31.12.2023,"1.234,50",y,paid,,',
        "a,06.01.2024,9,z,paid,,",
    )
    shop.ingest()
    assert [row["amount_minor"] for row in shop.rows()] == [123450]


def test_a_cell_that_the_condition_cannot_read_is_a_bad_row(shop):
    shop.source["where"] = "\"Refunded Amount\" < 5 or Status = 'open'"
    lay(shop, row("x", refunded="none yet"), row("y", "open", refunded="?"), row("z", refunded=""))
    shop.ingest()
    assert [row["text"] for row in shop.rows()] == ["y"]
    reason = '"Refunded Amount is not a number, as `where` reads it"'
    assert shop.quarantined() == [f"inbox/a.csv,2,Refunded Amount,none yet,{reason}"]
    blank = "does not meet \"Refunded Amount\" < 5 or Status = 'open' (a cell is blank)"
    assert counts(shop)[0][blank] == 1


def test_a_wrong_column_is_named_with_the_nearest_one(shop):
    shop.source["where"] = "Stats <> 'cancelled'"
    lay(shop, row("x"))
    with pytest.raises(DataError, match=r"lacks the column 'Stats' .*nearest: 'Status'") as error:
        shop.ingest()
    assert "texts stand in single quotes" in error.value.next_step


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("Status <>", "not a condition in SQL: syntax error"),
        ("Total in (select 1)", "a query is not allowed"),
        ("getenv('HOME') = 'x'", "the function getenv is not allowed"),
        ("true) from read_csv('params.yaml') where (true", "it holds a query"),
        ("Total > '5'", "'5' would be compared as a text"),
        ("Total > Refunded", 'write "Total"::decimal'),
        ("regexp_matches(Status, '(')", "missing )"),
        ("Total", None),
        ("Total + 1", "is not true or false"),
        ({"test order": "not Test", "cancelled order": "Status <>"}, "not a condition in SQL"),
    ],
)
def test_settings_refuse_what_is_not_a_condition_on_columns(shop, where, message):
    shop.source["where"] = where
    if message is None:
        shop.settings()
        return
    with pytest.raises(SettingsError) as error:
        shop.settings()
    assert message in str(error.value)
    assert "source.transactions.where: found" in str(error.value)


def test_a_filter_works_on_the_rows_of_a_database(shop, monkeypatch):
    with closing(sqlite3.connect(shop.folder / "shop.db")) as db:
        db.execute("create table sales (c, t, a, status, qty)")
        cells = [("a", "2024-01-05", 1.5, "paid", 2), ("b", "2024-01-05", 2, None, 1.0)]
        db.executemany("insert into sales values (?, ?, ?, ?, ?)", cells)
        db.commit()
    monkeypatch.setitem(os.environ, "SHOP_DB", f"sqlite:///{shop.folder / 'shop.db'}")
    shop.source = {
        "url_env": "SHOP_DB",
        "table": "sales",
        "where": "status is not null and qty >= 2",
        "columns": {"client_id": "c", "timestamp": "t", "amount": "a"},
    }
    shop.ingest()
    assert [row["client_id"] for row in shop.rows()] == ["a"]


def test_notes_are_filtered_too(shop):
    columns = {"client_id": "c", "timestamp": "t", "text": "n"}
    where = {"spam": "kind <> 'spam'"}
    shop.others = {"notes": {"files": "notes/*", "columns": columns, "where": where}}
    lay(shop, row("x"))
    (shop.folder / "notes").mkdir()
    (shop.folder / "notes/a.csv").write_text("c,t,n,kind\na,2024-01-05,x,spam\na,2024-01-05,y,\n")
    assert "notes:   1 excluded: spam" in shop.ingest()
    assert [row["text"] for row in shop.rows(paths.NOTES)] == ["y"]
