"""Stage ``collect_labels``: snapshots, and every label that is known by as_of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from evergreen.core.events.external_predictions import create_unmatched
from evergreen.core.monitoring.live_metrics import live_metrics, with_outcomes
from evergreen.settings import paths
from evergreen.stages.runner import main
from evergreen.store import files, predictions, tables
from evergreen.store.labels import open_labels
from evergreen.store.raw_history import open_history

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    import duckdb

    from evergreen.settings.pipeline import Settings
    from evergreen.store.raw_history import OpenHistory


def run(settings: Settings, history: OpenHistory = open_history) -> Iterator[str]:
    """Write ``data/labels`` and ``reports/labels.json``."""
    con, complete_until = open_labels(settings, history)
    for table, order in (("snapshots", "observed_on, client_id"), ("labels", _LABEL_ORDER)):
        sorted_rows = con.sql(f"select * from {table} order by {order}")
        tables.write(sorted_rows.to_arrow_table(), paths.LABELS / f"{table}.parquet")
    report = _report(con, settings) | _elsewhere(con, settings, complete_until)
    report["complete_until"] = complete_until.isoformat()
    files.write_json(files.rounded(report), paths.LABELS_REPORT)
    yield from _lines(report)


_LABEL_ORDER = "target, observed_on, client_id, known_on"


def _report(con: duckdb.DuckDBPyConnection, settings: Settings) -> dict[str, Any]:
    [(snapshots, clients, held_out)] = con.sql(
        "select count(*), count(distinct client_id), count(distinct client_id) filter (holdout) "
        "from snapshots"
    ).fetchall()
    # Means of labels are formed by pandas in a fixed order: a parallel sum of fractions is not.
    labels = con.sql(f"select * from labels order by {_LABEL_ORDER}").df()
    made = predictions.read_all(paths.PREDICTIONS)
    elsewhere = con.sql(
        "select target, client_id, observed_on, 'elsewhere' as release, "
        "arg_max(value, ingested_on) as value from predicted group by all order by all"
    ).df()
    found: dict[str, Any] = {}
    live = []
    for name, target in settings.targets.items():
        versions = labels[labels["target"] == name]
        known = versions[versions["superseded_on"].isna()]
        production = with_outcomes(made, known, predictions.column_of(name, target.kind))
        others = with_outcomes(elsewhere[elsewhere["target"] == name], known, "value")
        live.append(production.assign(target=name))
        found[name] = {
            "labels": len(known),
            "labels_holdout": int(known["holdout"].sum()),
            "labels_revised": len(versions) - len(known),
            "mean": float(known["label"].mean()) if len(known) else None,
            "last_observed_on": str(known["observed_on"].max().date()) if len(known) else None,
            "live": live_metrics(target.kind, production) | live_metrics(target.kind, others),
        }
    tables.write_frame(pd.concat(live, ignore_index=True), paths.LABELS / "live.parquet")
    return {
        "snapshots": {"rows": snapshots, "clients": clients, "holdout_clients": held_out},
        "targets": found,
    }


def _elsewhere(
    con: duckdb.DuckDBPyConnection, settings: Settings, complete_until: date
) -> dict[str, Any]:
    """Count, and list in a file, what has not met of predictions and outcomes from elsewhere."""
    logged = {
        name: con.sql(f"select count(distinct (client_id, observed_on)) from {view}").fetchall()
        for name, view in (("predictions", "predicted"), ("outcomes", "outcomes"))
    }
    counts = {name: int(rows) for name, [(rows,)] in logged.items()}
    if not any(counts.values()):
        return {}
    horizons = {name: target.horizon_days for name, target in settings.targets.items()}
    create_unmatched(con, horizons_days=horizons, complete_until=complete_until)
    found = con.sql("select unmatched, target, client_id, observed_on from unmatched order by all")
    tables.write(found.to_arrow_table(), paths.LABELS / "unmatched.parquet")
    unmatched = con.sql(
        "select unmatched, count(distinct (client_id, observed_on)) from unmatched "
        "group by all order by all"
    ).fetchall()
    return {"elsewhere": counts | {"unmatched": dict(unmatched)}}


def _lines(report: dict[str, Any]) -> Iterator[str]:
    found = report["snapshots"]
    yield (
        f"{found['rows']:,} snapshots of {found['clients']:,} clients, "
        f"{found['holdout_clients']:,} of them held out"
    )
    if elsewhere := report.get("elsewhere"):
        alone = "".join(f", {count:,} x {why}" for why, count in elsewhere["unmatched"].items())
        yield (
            f"from elsewhere: {elsewhere['predictions']:,} predictions, "
            f"{elsewhere['outcomes']:,} outcomes{alone}"
        )
    for name, target in report["targets"].items():
        mean = "none yet" if target["mean"] is None else f"mean {target['mean']:.4g}"
        met = sum(release["rows"] for release in target["live"].values())
        past = f", {met:,} past predictions have met their outcome" if met else ""
        yield f"{name}: {target['labels']:,} labels, {mean}{past}"


if __name__ == "__main__":
    main(run)
