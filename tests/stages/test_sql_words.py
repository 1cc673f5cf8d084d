"""Targets and attributes may have the names of SQL's words, from the source to the scores."""

import shutil
import sqlite3
from datetime import date

import pandas as pd
import pyarrow.parquet as pq
import pytest

from evergreen.ingestion.ingest import ingest_new_rows
from evergreen.ingestion.rebuild import rebuild
from evergreen.serving.batch import score
from evergreen.serving.release import load_release
from evergreen.serving.sql_table import SqlTable
from evergreen.settings import paths
from evergreen.store import predictions

COLUMNS = {"client_id": "client_id", "timestamp": "timestamp", "amount": "amount_minor"}


@pytest.mark.slow
def test_words_of_sql_are_names_like_others(repository, retailer, monkeypatch):
    retailer.to_pandas().to_csv("shop.csv", index=False)
    clients = sorted(set(retailer["client_id"].to_pylist()))
    rows = {"client_id": clients, "observed_on": "2024-03-01"}
    known = pd.DataFrame(rows | {"select": 1, "end": 12.5, "group": range(len(clients))})
    known.to_csv("known.csv", index=False)
    by_target = {
        "files": "known.csv",
        "columns": {
            "client_id": "client_id",
            "observed_on": "observed_on",
            "targets": {"select": "select", "end": "end"},
        },
    }
    keys = {"client_id": "client_id", "valid_from": "observed_on"}
    attributes = {"numeric": {"group": "group"}, "categorical": {"where": "select"}}
    repository.set(
        "source",
        {
            "transactions": {"files": "shop.csv", "columns": COLUMNS},
            "outcomes": by_target,
            "predictions": by_target,
            "attributes": {"files": "known.csv", "columns": keys | attributes},
        },
    )
    targets = {"select": "purchase", "order": "no_purchase", "end": "net_spend"}
    rule = {"horizon_days": 28, "estimator": "lightgbm"}
    repository.set("targets", {name: rule | {"label": label} for name, label in targets.items()})
    for folder in (paths.RAW, paths.PREDICTIONS):
        shutil.rmtree(folder)
    predictions.write_none(paths.PREDICTIONS, repository.settings.targets)
    list(ingest_new_rows(repository.settings))
    list(ingest_new_rows(repository.settings))
    list(rebuild(repository.settings))
    repository.run()
    shutil.copytree(paths.SCORED, paths.PREDICTIONS, dirs_exist_ok=True)
    repository.crown()
    repository.set("as_of", "2024-04-09")
    list(ingest_new_rows(repository.settings))
    repository.run()
    assert repository.report().count("\n## ") >= len(targets)

    release = load_release(paths.PRODUCTION)
    monkeypatch.setenv("SCORES", f"sqlite:///{repository.folder / 'scores.db'}")
    to = SqlTable("SCORES", "group")
    out = paths.SCORED / "all.parquet"
    scored = score(release, repository.settings, date(2024, 4, 9), out, to_sql=to)
    written = pq.read_schema(out).names
    assert "order_probability" in written
    with sqlite3.connect("scores.db") as con:
        [(count,)] = con.execute('select count(*) from "group"').fetchall()
    assert count == scored.clients
