"""Time the ingestion of a CSV file, against DuckDB reading and writing it without checks.

The file has as many lines as UCI Online Retail II, or as the argument. The baseline infers its
types and writes one Parquet file. The peak memory is measured too.
"""

import os
import resource
import shutil
import sys
import tempfile
from datetime import date
from pathlib import Path
from time import perf_counter

import duckdb
import yaml

from evergreen.ingestion.ingest import ingest_new_rows
from evergreen.settings.loading import parse_settings

LINES = 1_067_371
DAYS = 739
GOAL_RATIO = 3.0
REPEATS = 3
COLUMNS = {
    "client_id": "Customer ID",
    "timestamp": "InvoiceDate",
    "price": "Price",
    "quantity": "Quantity",
    "text": "Description",
    "invoice_id": "Invoice",
}
ROWS = """
    select 489434 + i // 25 as "Invoice", 10000 + i * 7919 % 5000 as "StockCode",
           'SILK SCARF NO. ' || i * 7919 % 5000 || ', ' || ['RED', 'BLUE', 'GREEN'][1 + i % 3]
               as "Description",
           1 + i * 31 % 24 as "Quantity",
           strftime(timestamp '2009-12-01 07:45:00' + interval (i * 60 * 24 * {days} // {lines})
               minute, '%Y-%m-%d %H:%M:%S') as "InvoiceDate",
           (95 + i * 17 % 1500) / 100 as "Price", 12346 + i // 25 * 104729 % 5942 as "Customer ID",
           'United Kingdom' as "Country"
    from range({lines}) as rows(i)
"""


def main():
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else LINES
    settings = yaml.safe_load(Path("params.yaml").read_text())
    settings["source"] = {"transactions": {"files": "shop.csv", "columns": COLUMNS}}
    settings = parse_settings(settings)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        con = duckdb.connect(config={"threads": settings.compute.threads, "memory_limit": "512MB"})
        con.execute(f"copy ({ROWS.format(lines=lines, days=DAYS)}) to 'shop.csv' (header)")
        pairs = [(baseline(con), ingest(settings)) for _ in range(REPEATS if lines == LINES else 1)]
    best = [min(seconds) for seconds in zip(*pairs, strict=True)]
    ratio = min(mine / theirs for theirs, mine in pairs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{lines:,} lines: DuckDB {best[0]:.2f} s, evergreen ingest {best[1]:.2f} s")
    print(f"ratio {ratio:.2f}, goal {GOAL_RATIO}; peak memory {peak:.2f} GiB")


def baseline(con):
    started = perf_counter()
    con.execute("copy (select * from read_csv('shop.csv')) to 'shop.parquet'")
    return perf_counter() - started


def ingest(settings):
    started = perf_counter()
    for line in ingest_new_rows(settings, through=date(2011, 12, 9)):
        print(line)
    seconds = perf_counter() - started
    shutil.rmtree("data")
    return seconds


if __name__ == "__main__":
    main()
