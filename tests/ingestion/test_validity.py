"""Ingestion of user tables and of demos, Python and HTTP agree on what a valid transaction is."""

import json
from datetime import date, datetime

import pandas as pd
import pytest

from evergreen.core.events import transactions
from evergreen.errors import DataError
from evergreen.serving import events
from evergreen.serving.http import bodies
from evergreen.serving.http.limits import RefusedError

DAY = date(2024, 1, 5)
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
