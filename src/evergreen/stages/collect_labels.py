"""Stage ``collect_labels``: every label known by as_of, and past predictions that met theirs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import duckdb

from evergreen.core.events.external_predictions import create_unmatched
from evergreen.core.events.label_selection import read_rows
from evergreen.core.events.loss_scale import LossScale
from evergreen.core.events.snapshots import count_snapshots, held_out
from evergreen.core.monitoring.live_metrics import LiveSums, live_metrics, live_sums
from evergreen.settings import paths
from evergreen.settings.pipeline import Settings
from evergreen.stages.runner import main
from evergreen.store import files, label_counts, live, tables
from evergreen.store.cache import Cache
from evergreen.store.labels import labels_known, view_labels, view_snapshots, write_labels
from evergreen.store.raw_history import open_history


def run(settings: Settings) -> Iterator[str]:
    """Write ``data/labels`` and ``reports/labels.json``."""
    cache = Cache()
    yield from make(settings, cache)
    cache.forget_unused()


def make(settings: Settings, cache: Cache) -> Iterator[str]:
    """Do the work of `run`, with a cache that others may share: its other entries stay."""
    labels = labels_known(settings, cache)
    write_labels(labels, paths.LABELS)
    matched = live.live_known(settings, cache, labels)
    write_labels(matched, live.FOLDER)
    counts = label_counts.count_labels(settings, cache, labels)
    training = label_counts.of_training_clients(counts)
    tables.write_frame(training, label_counts.COUNTS)

    con, complete_until = open_history(
        known_by=settings.as_of,
        max_lag_days=settings.data.max_lag_days,
        threads=settings.compute.threads,
    )
    view_snapshots(con, settings)
    view_labels(con, labels)
    sums = live.sums_known(settings, cache, labels, matched)
    targets = label_counts.summaries(counts, settings.targets)
    metrics = _live(settings, sums, _live_external(con, settings))
    report: dict[str, Any] = {
        "snapshots": _snapshots(con, settings),
        "targets": {name: targets[name] | {"live": metrics[name]} for name in targets},
        "complete_until": complete_until.isoformat(),
    }
    report |= _external(con, settings, complete_until)
    files.write_json(files.rounded(report), paths.LABELS_REPORT)
    yield from _lines(report)


def _snapshots(con: duckdb.DuckDBPyConnection, settings: Settings) -> dict[str, int]:
    rows, clients, held = count_snapshots(
        con,
        through=settings.as_of,
        every_days=settings.snapshots.every_days,
        held_out=held_out(settings.holdout.share, settings.holdout.salt),
    )
    return {"rows": rows, "clients": clients, "holdout_clients": held}


def _live(
    settings: Settings,
    production: list[dict[str, dict[str, LiveSums]]],
    external: dict[str, dict[str, LiveSums]],
) -> dict[str, dict[str, Any]]:
    """Compare the predictions for each target with their outcomes."""
    return {
        name: live_metrics(
            target.kind, [*(day[name] for day in production), external.get(name, {})]
        )
        for name, target in settings.targets.items()
    }


def _live_external(
    con: duckdb.DuckDBPyConnection, settings: Settings
) -> dict[str, dict[str, LiveSums]]:
    if not con.sql("from predicted limit 1").fetchall():
        return {}
    matched = read_rows(
        con,
        """
        with latest as (
            select target, client_id, observed_on, arg_max(value, ingested_on) as prediction
            from predicted group by all
        )
        select target, client_id, observed_on, 'elsewhere' as release, prediction, label,
               null::double as previous
        from latest join labels using (target, client_id, observed_on)
        order by target, observed_on, client_id
        """,
    )
    sums = {}
    for name, target in settings.targets.items():
        rows = matched[matched["target"] == name]
        scale = LossScale.of_labels(rows["label"], rows["client_id"])
        sums[name] = live_sums(target.kind, rows, scale)
    return sums


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
