"""Ingestion of user tables and of demos, Python and HTTP agree on what a valid transaction is."""

import csv
import io
import json
import os
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import date, datetime

import pandas as pd
import pytest

from evergreen.core.events import transactions
from evergreen.errors import DataError
from evergreen.serving import events
from evergreen.serving.http import bodies
from evergreen.serving.http.limits import RefusedError
from evergreen.settings import paths
from evergreen.settings.source_rules import SourceRules

DAY, END = date(2024, 1, 5), date(2024, 1, 31)
GOOD = {"client_id": "a", "amount_minor": 100, "timestamp": DAY, "ingested_on": DAY}
GOOD_TO_INGEST = GOOD | {"timestamp": datetime(2024, 1, 5)}
LARGEST = transactions.MAX_AMOUNT_MINOR


def by_user_table(shop, row):
    amount = "" if row["amount_minor"] is None else f"{row['amount_minor'] / 100:.2f}"
    cells = [row["client_id"], row["timestamp"] or "", amount, row["ingested_on"]]
    shop.source["columns"] = {"client_id": "c", "timestamp": "t", "amount": "a", "ingested_on": "i"}
    shop.lay("a.csv", f"c,t,a,i\n{','.join(map(str, cells))}\nb,{DAY},1,{DAY}\n")
    return "2 accepted" in shop.ingest()[1]


def by_demo(shop, row):
    time = row["timestamp"] and datetime.combine(row["timestamp"], datetime.min.time())
    shop.ingest_demo(GOOD_TO_INGEST | {"client_id": "b"}, row | {"timestamp": time})
    return shop.report()["accepted"] == 2


def in_python(_, row):
    try:
        events.read_transactions(pd.DataFrame([row]), minor_units=100)
    except DataError:
        return False
    return True


def over_http(_, row):
    event = {name: value for name, value in row.items() if name != "client_id"}
    client = {"client_id": row["client_id"], "transactions": [event]}
    try:
        body = bodies.read_json(json.dumps({"clients": [client]}, default=str).encode(), max_rows=9)
    except RefusedError:
        return False
    rows = bodies.events_of(body).transactions
    return in_python(_, dict.fromkeys(GOOD) | rows[0])


@pytest.mark.parametrize("verdict", [by_user_table, by_demo, in_python, over_http])
@pytest.mark.parametrize(
    ("changes", "valid"),
    [
        ({}, True),
        ({"client_id": ""}, False),
        ({"client_id": "  "}, False),
        ({"amount_minor": 0}, True),
        ({"amount_minor": LARGEST}, True),
        ({"amount_minor": -LARGEST}, True),
        ({"amount_minor": LARGEST + 1}, False),
        ({"amount_minor": -LARGEST - 1}, False),
        ({"amount_minor": None}, False),
        ({"timestamp": None}, False),
        ({"timestamp": date(2024, 1, 4)}, True),
        ({"timestamp": date(2024, 1, 6)}, False),
    ],
    ids=str,
)
def test_the_same_row_gets_the_same_verdict_everywhere(shop, verdict, changes, valid):
    assert verdict(shop, GOOD | changes) is valid


def in_a_file(shop, column, cell, options=None):
    lines = [",".join(CELLS), row_of(column, cell), ",".join(map(str, FURTHER))]
    shop.lay("a.csv", "\n".join(lines))
    return ingested(shop, {"files": "inbox/*"} | (options or {}), column)


def in_sqlite(shop, column, cell, options=None):
    with closing(sqlite3.connect(shop.folder / "shop.db")) as db:
        db.execute(f"create table sales ({', '.join(CELLS)})")
        rows = [list((CELLS | {column: cell}).values()), FURTHER]
        db.executemany("insert into sales values (?, ?, ?)", rows)
        db.commit()
    os.environ["EVERGREEN_TEST_URL"] = f"sqlite:///{shop.folder / 'shop.db'}"
    source = {"url_env": "EVERGREEN_TEST_URL", "table": "sales"} | (options or {})
    return ingested(shop, source, column)


def row_of(column, cell):
    line = io.StringIO()
    csv.writer(line).writerow((CELLS | {column: cell}).values())
    return line.getvalue().strip("\r\n")


def ingested(shop, source, column):
    """The value of a column beside the further row, or the reason why it is bad."""
    shop.source = source | {"columns": {name: name for name in CELLS}}
    end = getattr(shop, "end", END)
    try:
        shop.ingest(through=end)
    except DataError as error:
        return kind_of(str(error))
    if rows := [row for row in shop.rows() if row["client_id"] != FURTHER[0]]:
        return value_of(rows[0], column)
    with (paths.QUARANTINE / f"transactions-{end}.csv").open(newline="") as file:
        [bad] = csv.DictReader(file)
    return kind_of(bad["reason"])


def in_a_frame(shop, column, cell, _=None):
    rows = [CELLS | {column: cell}]
    if column == "timestamp":  # its other cells help to read it
        rows.append(dict(zip(CELLS, FURTHER, strict=True)) | {"amount": 1})
    rules = getattr(shop, "rules", events.RULES)
    try:
        rows = events.read_transactions(pd.DataFrame(rows), minor_units=100, rules=rules)
    except DataError as error:
        return kind_of(str(error))
    return value_of(rows.to_pylist()[0], column)


def in_a_body(shop, column, cell, _=None):
    row = CELLS | {column: cell}
    client = {"client_id": row.pop("client_id"), "transactions": [row]}
    try:
        body = bodies.read_json(json.dumps({"clients": [client]}).encode(), max_rows=9)
    except RefusedError as error:
        return kind_of(str(error))
    return in_a_frame(shop, column, bodies.events_of(body).transactions[0][column])


CELLS = {"client_id": "a", "timestamp": "2024-01-05", "amount": 1}
"""A good row, of which a test changes one cell."""
FURTHER = ["further", "2024-01-05", "1"]
"""A good row beside it: a source without any is refused."""
MISSING, LOST_DIGITS = "is missing", "has lost digits"
REFUSED, NOT_A_TIME, ABBREVIATED, A_NUMBER = "refused", "not a time", "abbreviated", "a number"
OUT_OF_RANGE, UNCLEAR, IN_UTC = "out of range", "day or month first", "in UTC"
KINDS = {
    "client_id is missing": MISSING,
    LOST_DIGITS: LOST_DIGITS,
    "amount is missing": REFUSED,
    "amount is not a number": REFUSED,
    "amount_minor exceeds": REFUSED,
    "could precede decimals": REFUSED,
    "timestamp is not a date": NOT_A_TIME,
    "by an abbreviation": ABBREVIATED,
    "timestamp is a number": A_NUMBER,
    "not between 1970 and 2200": OUT_OF_RANGE,
    "can't be told apart": UNCLEAR,
    "times are in UTC": IN_UTC,
    "is missing": MISSING,
}


def kind_of(reason):
    return next((kind for words, kind in KINDS.items() if words in reason), reason)


def value_of(row, column):
    return row["amount_minor" if column == "amount" else column]


ANYWHERE = pytest.mark.parametrize("read", [in_a_file, in_sqlite, in_a_frame, in_a_body])


@ANYWHERE
@pytest.mark.parametrize(
    ("cell", "client"),
    [
        ("12345", "12345"),
        ("12345.0", "12345"),
        (12345.0, "12345"),
        (12345, "12345"),
        ("12345.00", "12345"),
        (" 0012345 ", "0012345"),
        ("'0012345", "0012345"),
        ('="0012345"', "0012345"),
        ("A-12\u00a0", "A-12"),
        ("Ann@Shop.example", "Ann@Shop.example"),
        ("O'Brien", "O'Brien"),
        ("12E45", "12E45"),
        ("NA", "NA"),
        ("1.50", "1.50"),
        *((word, MISSING) for word in ("", "  ", "\u00a0", "'", '=""', "NULL", "None", "nan")),
        *((word, MISSING) for word in ("NaN", "N/A", "#N/A", "<NA>", "NaT")),
        *((number, LOST_DIGITS) for number in ("1.23457E+11", "1e+16", 1e20, "'1.2E+12")),
    ],
)
def test_an_id_is_the_same_everywhere(shop, read, cell, client):
    assert read(shop, "client_id", cell) == client


@ANYWHERE
@pytest.mark.parametrize(
    ("cell", "minor"),
    [
        ("12.50", 1250),
        (12.5, 1250),
        (7, 700),
        ("5.0049999", 500),
        (5.0049999, 500),
        ("0.125", 13),
        (0.005, 1),
        ("-0.125", -13),
        (-0.005, -1),
        (0.285, 29),
        ("1.0050", 101),
        (4_503_599_627.375, 450_359_962_738),
        ("1e-05", 0),
        ("-$5.00", -500),
        ("-€5.00", -500),
        ("-£1,234.50", -123450),
        ("($900.23)", -90023),
        ("'-70", -7000),
        ("12,34,567.89", 123456789),
        ("CHF 5.00", 500),
        ("1.234,50 €", 123450),
        ("12,5", 1250),
        ("5,00-", -500),
        *((cell, REFUSED) for cell in ("", "N/A", "five", "5 apples", "1.2.3,4", "--5", "1e30")),
        *((cell, REFUSED) for cell in ("1,234", "$1.234")),
    ],
)
def test_an_amount_is_the_same_everywhere(shop, read, cell, minor):
    assert read(shop, "amount", cell) == minor


@ANYWHERE
@pytest.mark.parametrize(
    ("cell", "time"),
    [
        ("2024-01-05", "2024-01-05 00:00:00"),
        (" 2024-01-05 17:45 ", "2024-01-05 17:45:00"),
        ("2024-01-05T17:45:30.123456789", "2024-01-05 17:45:30.123456"),
        ("2024-01-05T24:00:00", "2024-01-06 00:00:00"),
        ("2024-01-05 17:45:00 +0530", "2024-01-05 17:45:00"),
        ("2024-01-05T17:45:00.000-05:00", "2024-01-05 17:45:00"),
        ("13/01/2024 2:05 PM", "2024-01-13 14:05:00"),
        ("1/13/2024", "2024-01-13 00:00:00"),
        ("Jan 5, 2024", "2024-01-05 00:00:00"),
        ("5 January 2024", "2024-01-05 00:00:00"),
        ("January 5, 2024 2:05 PM", "2024-01-05 14:05:00"),
        ("5-JAN-24", "2024-01-05 00:00:00"),
        ("Fri, 05 Jan 2024 14:05:00 +0100", "2024-01-05 14:05:00"),
        ("2024/1/5", "2024-01-05 00:00:00"),
        ("5.1.24", "2024-01-05 00:00:00"),
        ("'2024-01-05", "2024-01-05 00:00:00"),
        ('="2024-01-05"', "2024-01-05 00:00:00"),
        *((word, MISSING) for word in ("", "NaT", "NULL", "0000-00-00 00:00:00", "0000-00-00")),
        *(
            (word, NOT_A_TIME)
            for word in ("now", "today", "tomorrow", "epoch", "infinity", "12:30")
        ),
        *(
            (text, NOT_A_TIME)
            for text in ("2024-01", "2024", "2024-W01-5", "2024-005", "5 January")
        ),
        *((text, NOT_A_TIME) for text in ("2024-02-30", "2024-01-05 25:00", "2024-01-05 9:60")),
        *((text, ABBREVIATED) for text in ("2024-01-05 12:00 EST", "Jan 5, 2024 1:00 PM PST")),
        ("1899-12-30", OUT_OF_RANGE),
        *((number, A_NUMBER) for number in ("20240105", 20240105, "45296", 45296, 45296.5)),
        *((number, A_NUMBER) for number in (1704476700, "1704476700", 1704476700000)),
        ("02/01/2024", UNCLEAR),
        ("2024-01-05T17:45:00Z", IN_UTC),
    ],
)
def test_a_time_is_the_same_everywhere(shop, read, cell, time):
    value = read(shop, "timestamp", cell)
    assert (str(value) if isinstance(value, datetime) else value) == time


RULES = {
    "date_format": {45296.75: "excel", "1704476700": "epoch", 1704476700000: "epoch_ms"},
    "date_order": {"02/01/2024": "month_first"},
}


@pytest.mark.parametrize("read", [in_a_file, in_sqlite, in_a_frame, in_a_body])
@pytest.mark.parametrize(
    ("cell", "time"),
    [
        ("2024-01-05T23:45:00Z", "2024-01-06 00:45:00"),
        ("2024-01-05 17:45:00 -0500", "2024-01-05 23:45:00"),
        ("2024-01-05 17:45", "2024-01-05 17:45:00"),
        (45296.75, "2024-01-05 18:00:00"),
        ("1704476700", "2024-01-05 18:45:00"),
        (1704476700000, "2024-01-05 18:45:00"),
        ("02/01/2024", "2024-02-01 00:00:00"),
    ],
)
def test_the_settings_of_the_source_hold_everywhere(shop, read, cell, time):
    table = {name: how[cell] for name, how in RULES.items() if cell in how}
    shop.others = {"timezone": "Europe/Paris"}
    shop.rules = SourceRules(timezone="Europe/Paris", **table)
    shop.end = date(2024, 2, 29)
    assert str(read(shop, "timestamp", cell, table)) == time


def test_prices_are_multiplied_before_they_are_rounded(shop):
    shop.source["columns"] = {"client_id": "c", "timestamp": "t", "price": "p", "quantity": "q"}
    cells = ["0.00123,20000", "1.5,0.333", "36000000291452,999999999999", "2,3"]
    shop.lay("a.csv", "c,t,p,q\n" + "".join(f"a,{DAY},{cell}\n" for cell in cells))
    shop.ingest()
    assert sorted(row["amount_minor"] for row in shop.rows()) == [50, 600, 2460]


def test_currencies_are_never_added_up(shop):
    shop.source["columns"] = {"client_id": "c", "timestamp": "t", "amount": "a"}
    amounts = ("€10.00", "$9.00", "£8.00", "10.00 EUR", "7.00")
    shop.lay("a.csv", "c,t,a\n" + "".join(f"a,{DAY},{amount}\n" for amount in amounts))
    with pytest.raises(DataError, match=r"3 currencies \(2 in EUR, 1 in \$, 1 in GBP\)"):
        shop.ingest()
    frame = pd.DataFrame({"client_id": "a", "timestamp": str(DAY), "amount": amounts})
    with pytest.raises(DataError, match=r"3 currencies \(EUR, \$, GBP\)"):
        events.read_transactions(frame, minor_units=100)


def test_the_decimal_separator_is_settled_by_file_and_column(shop):
    shop.source["columns"] = {"client_id": "c", "timestamp": "t", "amount": "a"}
    shop.lay("a.csv", f'c,t,a\na,{DAY},"1,234"\na,{DAY},1.5\n')
    shop.lay("b.csv", f'c,t,a\nb,{DAY},"1,234"\nb,{DAY},"1,5"\n')
    shop.ingest()
    assert sorted(row["amount_minor"] for row in shop.rows()) == [123, 150, 150, 123400]
    shop.lay("c.csv", f'c,t,a\nc,{DAY},"1,234"\n')
    with pytest.raises(DataError, match="column 'a' has numbers such as"):
        shop.ingest()


def test_words_for_no_client_and_the_case_of_ids_are_settings_for_all_tables(shop):
    shop.source |= {
        "columns": {"client_id": "c", "timestamp": "t", "amount": "a"},
    }
    columns = {"client_id": "c", "timestamp": "t", "text": "n"}
    shop.others = {
        "missing_ids": ["Guest", "0"],
        "fold_case": True,
        "notes": {"files": "notes/*", "columns": columns},
    }
    (shop.folder / "notes").mkdir()
    (shop.folder / "notes/a.csv").write_text(f"c,t,n\nANN@shop.example,{DAY},x\nGUEST,{DAY},x\n")
    ids = ("ann@shop.example", "Ann@Shop.example", "guest", "0", "0.0", "17", "17.0")
    shop.lay("a.csv", "c,t,a\n" + "".join(f"{client},{DAY},1\n" for client in ids))
    shop.ingest()
    assert Counter(row["client_id"] for row in shop.rows()) == {"ann@shop.example": 2, "17": 2}
    assert [row["client_id"] for row in shop.rows(paths.NOTES)] == ["ann@shop.example"]
