"""Time a daily cycle against its bare processes, and against a cycle after a longer history.

The baseline is the imports of every process that a cycle starts, each in its own process, and `dvc
repro` of six stages that run `true`. The ratio shows what Evergreen's own work adds. The second
comparison shows whether a day costs more as the history grows; it must not.

Usage: `python benchmarks/bench_cycle.py [DAYS]`, with DAYS of history in between (default 50).
Takes a quarter of an hour.
"""

import os
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
ENV = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": "src"}
STAGES = ("collect_labels", "featurize", "train_incremental", "compare", "promote")
# What each process of a cycle imports before it does any work.
PROCESSES = {
    "evergreen cycle": "evergreen.cli.commands, evergreen.lifecycle.cycle, dvc.repo",
    "dvc add": "dvc.cli, dvc.repo",
    "dvc repro": "dvc.cli, dvc.repo",
    "dvc status": "dvc.cli, dvc.repo",
    **{stage: f"evergreen.stages.{stage}, sklearn.ensemble, lightgbm" for stage in STAGES[1:]},
    "collect_labels": "evergreen.stages.collect_labels",
    "verify": "evergreen.lifecycle.verify, lightgbm",
}


def timed(folder, *command):
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, env=ENV, check=True, capture_output=True)
    return time.perf_counter() - started


def empty_pipeline(folder):
    """Create six stages that run `true`."""
    folder.mkdir()
    for command in (("git", "init", "--quiet"), ("dvc", "init", "--quiet")):
        timed(folder, *command)
    stages = "".join(f"  s{k}:\n    cmd: 'true'\n" for k in range(6))
    (folder / "dvc.yaml").write_text(f"stages:\n{stages}")


def baseline(scratch):
    """Return the seconds of all imports and of an empty DVC run."""
    imports = sum(timed(ROOT, sys.executable, "-c", f"import {m}") for m in PROCESSES.values())
    return imports, timed(scratch / "empty", "dvc", "repro", "--force")


def cycles(folder, first, days):
    seconds = []
    for n in range(days):
        day = (first + timedelta(days=n)).isoformat()
        seconds.append(timed(folder, "evergreen", "cycle", "--as-of", day, "--mode", "incremental"))
    return seconds


def main():
    between = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with tempfile.TemporaryDirectory() as name:
        scratch, demo = Path(name), Path(name) / "demo"
        empty_pipeline(scratch / "empty")
        timed(ROOT, "git", "clone", "--quiet", str(ROOT), str(demo))
        timed(demo, "git", "config", "user.name", "bench")
        timed(demo, "git", "config", "user.email", "bench@localhost")
        as_of = (demo / "params.yaml").read_text().split('as_of: "')[1].split('"')[0]
        timed(demo, "evergreen", "ingest", "--demo", "complete-journey", "--through", as_of)
        for command in (("evergreen", "pin"), ("dvc", "repro"), ("evergreen", "finish")):
            timed(demo, *command)
        first = date.fromisoformat(as_of) + timedelta(days=1)
        early = cycles(demo, first, 10)[-5:]
        imports, empty = baseline(scratch)
        print(f"imports of a cycle's processes {imports:6.1f} s, empty DVC run {empty:.1f} s")
        print(f"a daily cycle, days 6 to 10    {median(early):6.1f} s")
        print(f"as a ratio to imports and empty run {median(early) / (imports + empty):.2f}")
        late = first + timedelta(days=10 + between)
        timed(demo, "evergreen", "cycle", "--as-of", str(late), "--mode", "full")
        after = cycles(demo, late + timedelta(days=1), 5)
        print(f"a daily cycle {between} days later    {median(after):6.1f} s")
        print(f"as a ratio to days 6 to 10     {median(after) / median(early):6.2f}")


if __name__ == "__main__":
    main()
