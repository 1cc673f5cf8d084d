"""Stage ``collect_labels``: snapshots, and every label that is known by as_of."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from evergreen.core.events.external_predictions import create_unmatched
from evergreen.core.monitoring.label_report import label_report
from evergreen.settings import paths
from evergreen.settings.names import prediction_column
from evergreen.settings.pipeline import Settings
from evergreen.stages.runner import main
from evergreen.store import files, predictions, tables
from evergreen.store.labels import LABEL_ORDER, copy_cached_labels, open_tables


def run(
    settings: Settings, write: Callable[[Settings, Path], object] = copy_cached_labels
) -> Iterator[str]:
    """Write ``data/labels`` and ``reports/labels.json``.

    Parameters
    ----------
    write
        Writes snapshots and labels into a new folder; see `evergreen.store.labels.write_labels`.
    """
    shutil.rmtree(paths.LABELS, ignore_errors=True)
    write(settings, paths.LABELS)
    con, complete_until = open_tables(settings)
    report = _snapshots(con) | _targets(con, settings) | _external(con, settings, complete_until)
    report["complete_until"] = complete_until.isoformat()
    files.write_json(files.rounded(report), paths.LABELS_REPORT)
    yield from _lines(report)


def _snapshots(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    [(rows, clients, held_out)] = con.sql(
        "select count(*), count(distinct client_id), count(distinct client_id) filter (holdout) "
        "from snapshots"
    ).fetchall()
    return {"snapshots": {"rows": rows, "clients": clients, "holdout_clients": held_out}}


def _targets(con: duckdb.DuckDBPyConnection, settings: Settings) -> dict[str, Any]:
    """Report on the labels of each target; write past predictions with their outcomes."""
    # pandas adds up labels in a fixed order; a parallel sum of fractions does not.
    labels = con.sql(f"from labels order by {LABEL_ORDER}").df()
    production = predictions.read_all(paths.PREDICTIONS)
    external = con.sql(
        "select target, client_id, observed_on, 'elsewhere' as release, "
        "arg_max(value, ingested_on) as value from predicted group by all order by all"
    ).df()
    reports = {
        name: label_report(
            target.kind,
            labels[labels["target"] == name],
            production,
            external[external["target"] == name],
            column=prediction_column(name, target.kind),
        )
        for name, target in settings.targets.items()
    }
    live = [report.matched.assign(target=name) for name, report in reports.items()]
    tables.write_frame(pd.concat(live, ignore_index=True), paths.LABELS / "live.parquet")
    return {"targets": {name: report.summary for name, report in reports.items()}}


def _external(
    con: duckdb.DuckDBPyConnection, settings: Settings, complete_until: date
) -> dict[str, Any]:
    """Count and list external predictions without an outcome, and outcomes without a prediction."""
    rows = {
        name: con.sql(f"select count(distinct (client_id, observed_on)) from {view}").fetchall()
        for name, view in (("predictions", "predicted"), ("outcomes", "outcomes"))
    }
    counts = {name: int(count) for name, [(count,)] in rows.items()}
    if not any(counts.values()):
        return {}
    horizons = {name: target.horizon_days for name, target in settings.targets.items()}
    create_unmatched(con, horizons_days=horizons, complete_until=complete_until)
    unmatched = con.sql(
        "select unmatched, target, client_id, observed_on from unmatched order by all"
    )
    tables.write(unmatched.to_arrow_table(), paths.LABELS / "unmatched.parquet")
    reasons = con.sql(
        "select unmatched, count(distinct (client_id, observed_on)) from unmatched "
        "group by all order by all"
    ).fetchall()
    return {"elsewhere": counts | {"unmatched": dict(reasons)}}


def _lines(report: dict[str, Any]) -> Iterator[str]:
    snapshots = report["snapshots"]
    yield (
        f"{snapshots['rows']:,} snapshots of {snapshots['clients']:,} clients, "
        f"{snapshots['holdout_clients']:,} of them held out"
    )
    if external := report.get("elsewhere"):
        unmatched = "".join(f", {count:,} x {why}" for why, count in external["unmatched"].items())
        yield (
            f"external: {external['predictions']:,} predictions, "
            f"{external['outcomes']:,} outcomes{unmatched}"
        )
    for name, target in report["targets"].items():
        mean = "none yet" if target["mean"] is None else f"mean {target['mean']:.4g}"
        matched = sum(release["rows"] for release in target["live"].values())
        past = f", {matched:,} past predictions have met their outcome" if matched else ""
        yield f"{name}: {target['labels']:,} labels, {mean}{past}"


if __name__ == "__main__":
    main(run)
