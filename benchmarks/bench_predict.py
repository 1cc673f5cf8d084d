"""Time predictions for one client and for many.

One client: from features and from transactions, against three scikit-learn forests of 250 trees of
depth 20 on 506 given features. Many: copies of the demo's clients, features included, with the
peak memory. Run in the repository after `make demo`.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from evergreen import load_release
from evergreen.settings import paths
from evergreen.settings.loading import load_settings
from evergreen.store import tables

FEATURES, TREES, DEPTH, ROWS = 506, 250, 20, 4000
REPEATS = 30
MANY = """
import sys, time, psutil
from datetime import date
from pathlib import Path
from evergreen import load_release
from evergreen.settings.loading import load_settings
from evergreen.serving.batch import score
started = time.perf_counter()
result = score(load_release(sys.argv[1]), load_settings(), date.fromisoformat(sys.argv[2]),
             Path("scores.parquet"))
import resource
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(result.clients, time.perf_counter() - started, peak)
"""


def milliseconds(call):
    call()
    taken = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return 1000 * statistics.median(taken)


def forests():
    random = np.random.default_rng(1)
    X = random.random((ROWS, FEATURES))
    y = X[:, 0] + random.normal(0, 0.3, ROWS)
    options = {"n_estimators": TREES, "max_depth": DEPTH, "random_state": 1, "n_jobs": -1}
    models = [RandomForestClassifier(**options).fit(X, y > level) for level in (0.3, 0.7)]
    models.append(RandomForestRegressor(max_features="sqrt", **options).fit(X, y))
    for forest in models:
        forest.n_jobs = 1  # for one row, threads cost more than they save
    return models, X[:1]


def one_client(release, as_of):
    recipe, row = forests()
    events = tables_of_one(as_of)
    calls = {
        "three forests, from 506 features": lambda: [
            forest.predict_proba(row) if hasattr(forest, "predict_proba") else forest.predict(row)
            for forest in recipe
        ],
        "the release, from transactions": lambda: release.predict(events, as_of),
    }
    rows = release.features(events, as_of)
    calls["the release, from features"] = lambda: release.predict(rows, as_of)
    times = {name: milliseconds(call) for name, call in calls.items()}
    slowest = times["three forests, from 506 features"]
    for name, taken in times.items():
        print(f"{name:34} {taken:8.2f} ms, {slowest / taken:6.1f} times as fast")


def tables_of_one(as_of):
    events = read_all(paths.TRANSACTIONS).to_pandas()
    events = events[events["timestamp"] < pd.Timestamp(as_of)]
    sizes = events.groupby("client_id").size().sort_values()
    return events[events["client_id"] == sizes.index[len(sizes) // 2]]


def read_all(folder):
    return pa.concat_tables([pq.read_table(path) for path in tables.partitions(folder).values()])


def many_clients(as_of, times):
    """Score copies of all clients in a separate process; transactions are copied day by day."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        shutil.copy(paths.PARAMS, scratch)
        for day, path in tables.partitions(paths.TRANSACTIONS).items():
            rows = pq.read_table(path)
            place = rows.schema.get_field_index("client_id")
            copies = [
                rows.set_column(
                    place,
                    rows.schema.field(place),
                    pa.array([f"{client}-{k}" for client in rows["client_id"].to_pylist()]),
                )
                for k in range(times)
            ]
            tables.write(
                pa.concat_tables(copies), scratch / tables.partition_path(paths.TRANSACTIONS, day)
            )
        output = subprocess.run(
            [sys.executable, "-c", MANY, str(paths.CURRENT.resolve()), str(as_of)],
            cwd=scratch, env=os.environ, check=True, capture_output=True, text=True,
        ).stdout.split()  # fmt: skip
    clients, seconds, peak = int(output[0]), float(output[1]), float(output[2])
    rate = 60 * clients / seconds
    print(f"{clients:,} clients in {seconds:.1f} s: {rate:,.0f} a minute, {peak:,.0f} MiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=8, help="copies of each client of the batch")
    arguments = parser.parse_args()
    as_of = load_settings().as_of
    one_client(load_release(), as_of)
    many_clients(as_of, arguments.times)


if __name__ == "__main__":
    main()
