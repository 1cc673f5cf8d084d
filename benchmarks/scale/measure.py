"""Measure a shop of any size: CPU seconds and the memory of the largest process, step by step.

``python benchmarks/scale/measure.py CLIENTS ROWS`` makes a shop, ingests a year, runs the first run
and the cycle of the day after, and prints a table. It says as well what that day added to DVC's
cache. With ``--young``, the shop has a cycle on its day 31, too: a day must not cost more as the
history grows. ``make scale`` measures 10,000 and 100,000 clients.

CPU seconds are those of all processes of a step, so they depend less than elapsed time on what else
the machine does. The goals are for two cores.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from shop import FIRST_DAY, NEXT_DAY

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
STAGES = (
    "collect_labels", "featurize", "train_incremental", "train_full", "compare", "promote",
)  # fmt: skip
MAPPING = (
    "--client-id", "customer", "--timestamp", "sold_at", "--amount", "price*quantity",
    "--text", "product", "--invoice-id", "invoice",
)  # fmt: skip
GOALS = {
    (10_000, "cycle"): (25, 0.6),
    (100_000, "ingest"): (10, 0.6),
    (100_000, "first run"): (240, 2.5),
    (100_000, "cycle"): (40, 1.2),
    (1_000_000, "ingest"): (130, 1.5),
    (1_000_000, "first run"): (1800, 8),
    (1_000_000, "cycle"): (240, 4),
}
GOAL_GROWTH, GOAL_CACHE_MB = 1.2, {100_000: 15}


class Cost(NamedTuple):
    """What a step needed: CPU and elapsed seconds, and GiB of its largest process."""

    cpu: float
    elapsed: float
    gib: float

    def __add__(self, other: tuple[float, ...]) -> Cost:
        """One step after the other."""
        return Cost(self.cpu + other[0], self.elapsed + other[1], max(self.gib, other[2]))


NOTHING = Cost(0, 0, 0)


def call(*command: str, cwd: Path) -> Cost:
    """Run a program of the environment in a shop, with the code that was copied there."""
    environment = os.environ | {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": "src",
        "DVC_NO_ANALYTICS": "1",
    }
    started = time.perf_counter()
    process = subprocess.Popen(
        [BIN / command[0], *command[1:]], cwd=cwd, env=environment, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed with exit code {process.returncode}")
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(cpu, time.perf_counter() - started, usage.ru_maxrss / 2**20)


def show(clients: int, name: str, cost: Cost) -> Cost:
    """Print a line of the table."""
    goal = GOALS.get((clients, name))
    beside = f"   goal {goal[0]:>5,} s {goal[1]:.1f} GiB" if goal else ""
    print(
        f"  {name:18} {cost.cpu:8,.1f} s CPU {cost.elapsed:8,.1f} s {cost.gib:6.2f} GiB{beside}",
        flush=True,
    )
    return cost


def begin(files: Path, shop: Path, as_of: date) -> None:
    """Create the repository of a shop whose inbox holds some files."""
    shutil.rmtree(shop, ignore_errors=True)
    pattern = str(files / "inbox/*.parquet")
    call("evergreen", "init", str(shop), "--files", pattern, *MAPPING, "--as-of", str(as_of),
         cwd=ROOT)  # fmt: skip


def first_run(shop: Path, clients: int, label: str = "first run") -> Cost:
    """Ingest and run; return the cost of the run."""
    show(clients, "ingest", call("evergreen", "ingest", cwd=shop))
    run = show(clients, "pin", call("evergreen", "pin", cwd=shop))
    for stage in STAGES:
        cost = call("dvc", "repro", "--single-item", stage, cwd=shop)
        run += show(clients, stage, cost)
    run += show(clients, "finish", call("evergreen", "finish", cwd=shop))
    return show(clients, label, run)


def cache_mb(shop: Path) -> float:
    """The size of DVC's cache."""
    files = (shop / ".dvc/cache/files").rglob("*")
    return sum(path.stat().st_size for path in files if path.is_file()) / 1e6


def models_mb(shop: Path) -> float:
    """The size of the models that a run adds."""
    folders = ("extractor", "incremental", "full", "production", "champion", "challenger")
    files = [path for name in folders for path in (shop / "models" / name).rglob("*")]
    return sum(path.stat().st_size for path in files if path.is_file()) / 1e6


def measure(clients: int, rows: int, scratch: Path, *, young: bool) -> None:
    """Measure a shop and print its table."""
    print(f"{clients:,} clients, {rows:,} rows")
    files, shop = scratch / "files", scratch / "shop"
    make = [sys.executable, Path(__file__).with_name("shop.py"), files, str(clients), str(rows)]
    subprocess.run(make, check=True)  # elsewhere: a child's peak memory includes its parent's
    begin(files, shop, NEXT_DAY)
    first_run(shop, clients)
    before = cache_mb(shop)
    for path in (files / "next").iterdir():
        path.rename(files / "inbox" / path.name)
    following = NEXT_DAY + timedelta(days=1)
    old = show(clients, "cycle", call("evergreen", "cycle", "--as-of", str(following), cwd=shop))
    goal = f"   goal {GOAL_CACHE_MB[clients]} besides models" if clients in GOAL_CACHE_MB else ""
    print(f"  DVC's cache grew by {cache_mb(shop) - before:.1f} MB, models are "
          f"{models_mb(shop):.1f} MB{goal}")  # fmt: skip
    if young:
        shutil.rmtree(shop)
        for path in (files / "inbox").iterdir():
            if path.stem > f"{FIRST_DAY:%Y-%m}":
                path.unlink()
        begin(files, shop, FIRST_DAY + timedelta(days=30))
        call("evergreen", "ingest", "--through", str(FIRST_DAY + timedelta(days=29)), cwd=shop)
        call("evergreen", "pin", cwd=shop)
        call("dvc", "repro", cwd=shop)
        call("evergreen", "finish", cwd=shop)
        day = FIRST_DAY + timedelta(days=31)
        new = show(clients, "cycle of day 31", call("evergreen", "cycle", "--as-of", str(day),
                                                    cwd=shop))  # fmt: skip
        print(f"  a cycle after a year / after a month: {old.cpu / new.cpu:.2f}   "
              f"goal {GOAL_GROWTH}")  # fmt: skip


def main() -> None:
    """Measure the shop of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clients", type=int)
    parser.add_argument("rows", type=int)
    parser.add_argument("--young", action="store_true", help="measure a cycle on day 31, too")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / ".cache/scale", help="where the shop is made"
    )
    options = parser.parse_args()
    scratch = options.folder.resolve()
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        measure(options.clients, options.rows, scratch, young=options.young)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
