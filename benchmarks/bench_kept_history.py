"""Time opening the history on the day after, against computing all of its parts.

Usage: `python benchmarks/bench_kept_history.py [DAYS ROWS]`, with DAYS of history and ROWS a day
(default 365 and 5,000). One row in fifty is ingested a day late. The CPU time of a new day must not
exceed a tenth of that of the whole history.
"""

import os
import sys
import tempfile
from contextlib import chdir
from datetime import date, timedelta
from pathlib import Path

from evergreen.core.events import transactions
from evergreen.settings import paths
from evergreen.store import tables
from evergreen.store.raw_history import open_history

SHARE = 0.1
FIRST = date(2024, 1, 1)


def write_day(con, day, rows):
    """Write the rows that are ingested on a day: three lines an invoice, 3,000 texts."""
    number = (day - FIRST).days
    made = con.sql(
        f"""
        select 'client ' || md5((hash(i // 3) % {20 * rows})::varchar) as client_id,
               timestamp '{day} 12:00:00'
                   - to_days(if(i % 50 = 0 and {number} > 0, 1, 0)) as timestamp,
               (100 + hash(i) % 9000)::bigint as amount_minor, 1.0::double as quantity,
               'product ' || hash(i) % 3000 as text, (i // 3)::varchar as invoice_id,
               date '{day}' as ingested_on
        from range({number * rows}, {(number + 1) * rows}) t(i) order by client_id, invoice_id
        """
    )
    table = made.to_arrow_table().select(transactions.SCHEMA.names).cast(transactions.SCHEMA)
    tables.write(table, tables.partition_path(paths.TRANSACTIONS, day))


def seconds(known_by):
    """The CPU seconds of opening the history."""
    before = os.times()
    open_history(known_by=known_by, max_lag_days=0, threads=2, max_chars=5000)[0].close()
    after = os.times()
    return after.user + after.system - before.user - before.system


def main():
    days, rows = map(int, sys.argv[1:3] or (365, 5000))
    with tempfile.TemporaryDirectory() as name, chdir(name):
        paths.PARAMS.write_text("compute: {threads: 2}\n")
        con = tables.connect(2)
        for n in range(days + 1):
            write_day(con, FIRST + timedelta(days=n), rows)
        end = FIRST + timedelta(days=days)
        new = tables.partition_path(paths.TRANSACTIONS, end)
        new = new.rename(Path(name) / new.name)
        scratch = seconds(end)
        again = seconds(end)
        new.rename(tables.partition_path(paths.TRANSACTIONS, end))
        append = seconds(end + timedelta(days=1))
    print(f"from scratch {scratch:6.2f} s, {days} days of {rows:,} rows")
    print(f"a new day    {append:6.2f} s, {append / scratch:.1%} of it (at most {SHARE:.0%})")
    print(f"nothing new  {again:6.2f} s")
    return int(append > SHARE * scratch)


if __name__ == "__main__":
    sys.exit(main())
