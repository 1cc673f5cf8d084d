"""Read times in every way; print a digest of each file made, and what Python and HTTP give.

Run in an empty folder by `test_machine_zones.py`, with the time zone of the source, if any.
"""

import hashlib
import json
import os
import sqlite3
import sys
from contextlib import closing
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from evergreen.ingestion.ingest import ingest_new_rows
from evergreen.serving import events
from evergreen.serving.http import bodies
from evergreen.settings import paths
from evergreen.settings.loading import parse_settings
from evergreen.settings.source_rules import SourceRules

COMMITTED = Path(__file__).parents[2] / "params.yaml"
COLUMNS = {"client_id": "c", "timestamp": "t", "amount": "a"}
NEW_YORK = timezone(-timedelta(hours=5))
PLAIN = ["2024-01-05", "2024-01-05 23:30:00", "13/01/2024 11:30 PM", "Jan 5, 2024"]
OF_ONE_PLACE = ["2024-01-05 23:30:00 -0500", "2023-07-05T23:30:00-04:00"]
IN_UTC = ["2024-01-05T23:30:00Z", "2024-01-05 23:30:00 +0530"]


def main(zone=None):
    cells = [*PLAIN, *OF_ONE_PLACE, *(IN_UTC if zone else [])]
    Path("inbox").mkdir()
    lines = [f'c{number},"{cell}",1' for number, cell in enumerate(cells)]
    Path("inbox/a.csv").write_text("\n".join(["c,t,a", *lines]))
    times = [datetime(2024, 1, 5, 23, 30, tzinfo=NEW_YORK if zone else None)]
    table = {"c": ["p"], "t": pa.array(times, pa.timestamp("us", "UTC" if zone else None))}
    pq.write_table(pa.table(table | {"a": [1]}), "inbox/b.parquet")
    with closing(sqlite3.connect("shop.db")) as db:
        db.execute("create table sales (c, t, a)")
        db.executemany("insert into sales values (?, ?, 1)", [(f"d{c}", c) for c in cells])
        db.commit()
    os.environ["SHOP"] = "sqlite:///shop.db"
    database = {"name": "till", "url_env": "SHOP", "table": "sales"}
    values = yaml.safe_load(COMMITTED.read_text())
    values["source"] = {"timezone": zone} if zone else {}
    values["source"]["transactions"] = [
        source | {"columns": COLUMNS} for source in ({"files": "inbox/*"}, database)
    ]
    list(ingest_new_rows(parse_settings(values), through=date(2024, 1, 31)))
    digest_files()
    rules = SourceRules(timezone=zone)
    for cell in (*cells, *(times if zone else [])):
        show(pd.DataFrame({"client_id": ["a", "b"], "timestamp": ["2024-01-13", cell]}), rules)
    rows = [{"timestamp": cell, "amount": 1} for cell in cells]
    body = json.dumps({"clients": [{"client_id": "a", "transactions": rows}]})
    read = bodies.events_of(bodies.read_json(body.encode(), max_rows=99))
    show(pd.DataFrame(read.transactions).drop(columns="amount"), rules)


def digest_files():
    digest = hashlib.sha256()
    for path in sorted(paths.RAW.rglob("*.parquet")):
        digest.update(path.name.encode() + path.read_bytes())
    sys.stdout.write(f"{digest.hexdigest()}\n")


def show(frame, rules):
    table = events.read_transactions(frame.assign(amount=1), minor_units=100, rules=rules)
    sys.stdout.write(f"{table['timestamp'].to_pylist()}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
