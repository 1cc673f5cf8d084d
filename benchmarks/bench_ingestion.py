"""Measure the ingestion of a CSV file: CPU seconds and peak memory, against plain DuckDB.

The baseline reads the same file with DuckDB, casts the three columns, sorts them and writes one
Parquet file: no ids, money, duplicates or bad rows. With ``--than``, another checkout of this
repository ingests the file as well, in turn with this one.

Each measurement is a process of its own. CPU seconds are those of all its threads, so they depend
less than elapsed time on what else the machine does.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import NamedTuple

import duckdb
import yaml

LINES = 5_000_000
DAYS = 730
THROUGH = "2023-12-31"
GOAL_RATIO = 4.0
COLUMNS = {"client_id": "client_id", "timestamp": "timestamp", "amount": "amount"}
ROWS = f"""
    select 10000 + i * 104729 % 200000 as client_id,
           strftime(timestamp '2022-01-01' + interval (i * 60 * 24 * {DAYS} // {{lines}}) minute,
                    '%Y-%m-%d %H:%M:%S') as timestamp,
           printf('%.2f', (95 + i * 17 % 15000) / 100) as amount
    from range({{lines}}) as rows(i)
"""
BASELINE = """
import duckdb, sys
con = duckdb.connect(config={"threads": 2, "memory_limit": "512MB"})
con.execute('''
    copy (
        select client_id, "timestamp"::timestamp as "timestamp",
               (amount::decimal(18, 2) * 100)::bigint as amount_minor
        from read_csv('shop.csv', all_varchar = true) order by "timestamp"
    ) to 'shop.parquet'
''')
"""
INGEST = ["-m", "evergreen", "ingest", "--through", THROUGH]


class Cost(NamedTuple):
    """What a process needed."""

    cpu_seconds: float
    peak_mib: float


def measure(arguments: list[str], folder: Path, source: Path | None = None) -> Cost:
    """Run Python in a folder, with the package of a checkout."""
    path = {"PYTHONPATH": str(source)} if source else {}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=folder, env=os.environ | path,
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        if process.returncode:
            raise SystemExit(output.read().decode())
    for leftover in ("data", "shop.parquet"):
        path = folder / leftover
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def lay_out(checkout: Path, folder: Path, csv: Path) -> Path:
    """A folder with the settings of a checkout and the file."""
    settings = yaml.safe_load((checkout / "params.yaml").read_text())
    settings["source"] = {"transactions": {"files": "shop.csv", "columns": COLUMNS}}
    folder.mkdir()
    author = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"]
    for command in (["init", "-q"], [*author, "commit", "-q", "--allow-empty", "-m", "Begin"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(settings))
    (folder / "shop.csv").symlink_to(csv)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--than", type=Path, help="another checkout of this repository")
    arguments = parser.parse_args()
    here = Path(__file__).resolve().parents[1]
    checkouts = {"evergreen ingest": here}
    if arguments.than is not None:
        checkouts |= {f"that of {arguments.than}": arguments.than.resolve()}
    with tempfile.TemporaryDirectory() as scratch:
        csv = Path(scratch) / "shop.csv"
        duckdb.execute(f"copy ({ROWS.format(lines=arguments.lines)}) to '{csv}' (header)")
        folders = {
            name: lay_out(checkout, Path(scratch) / str(number), csv)
            for number, (name, checkout) in enumerate(checkouts.items())
        }
        costs: dict[str, list[Cost]] = {}
        for _ in range(arguments.repeats):
            baseline = measure(["-c", BASELINE], folders["evergreen ingest"])
            costs.setdefault("plain DuckDB", []).append(baseline)
            for name, folder in folders.items():
                cost = measure(INGEST, folder, checkouts[name] / "src")
                costs.setdefault(name, []).append(cost)
    plain = median(cost.cpu_seconds for cost in costs["plain DuckDB"])
    print(f"{arguments.lines:,} lines, median of {arguments.repeats}")
    for name, measured in costs.items():
        cpu, peak = (median(figures) for figures in zip(*measured, strict=True))
        print(f"{name:40} {cpu:7.2f} CPU s, {cpu / plain:5.2f} x DuckDB; peak {peak:6.0f} MiB")
    print(f"goal: at most {GOAL_RATIO} x DuckDB")


if __name__ == "__main__":
    main()
