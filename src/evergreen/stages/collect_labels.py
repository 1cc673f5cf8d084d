"""Stage ``collect_labels``: snapshots, and every label that is known by as_of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evergreen import paths
from evergreen.core.labels import insert_labels
from evergreen.core.snapshots import create_snapshots
from evergreen.stages.runner import main
from evergreen.store import files, tables
from evergreen.store.history import open_history

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from evergreen.params import Settings


def run(settings: Settings) -> Iterator[str]:
    """Write ``data/labels`` and ``reports/labels.json``."""
    con, complete_until = open_history(
        known_by=settings.as_of,
        max_lag_days=settings.data.max_lag_days,
        threads=settings.compute.threads,
    )
    create_snapshots(
        con,
        as_of=settings.as_of,
        every_days=settings.snapshots.every_days,
        burn_in_days=settings.snapshots.burn_in_days,
        holdout_share=settings.holdout.share,
        holdout_salt=settings.holdout.salt,
    )
    for name, target in settings.targets.items():
        insert_labels(
            con,
            target=name,
            label=target.label,
            horizon_days=target.horizon_days,
            complete_until=complete_until,
            minor_units=settings.data.minor_units,
        )
    for table, order in (("snapshots", "observed_on, client_id"), ("labels", _LABEL_ORDER)):
        sorted_rows = con.sql(f"select * from {table} order by {order}")
        tables.write(sorted_rows.to_arrow_table(), paths.LABELS / f"{table}.parquet")
    report = _report(con, list(settings.targets))
    report["complete_until"] = complete_until.isoformat()
    files.write_json(report, paths.LABELS_REPORT)
    yield from _lines(report)


_LABEL_ORDER = "target, observed_on, client_id, known_on"


def _report(con: duckdb.DuckDBPyConnection, targets: list[str]) -> dict[str, Any]:
    [(snapshots, clients, held_out)] = con.sql(
        "select count(*), count(distinct client_id), count(distinct client_id) filter (holdout) "
        "from snapshots"
    ).fetchall()
    # Means of labels are formed by pandas in a fixed order: a parallel sum of fractions is not.
    labels = con.sql(f"select * from labels order by {_LABEL_ORDER}").df()
    current = labels[labels["superseded_on"].isna()]
    of_target = {name: current[current["target"] == name] for name in targets}
    return {
        "snapshots": {"rows": snapshots, "clients": clients, "holdout_clients": held_out},
        "targets": {
            name: {
                "labels": len(rows),
                "labels_holdout": int(rows["holdout"].sum()),
                "labels_revised": int(
                    (labels["target"].eq(name) & labels["superseded_on"].notna()).sum()
                ),
                "mean": round(float(rows["label"].mean()), 6) if len(rows) else None,
                "last_observed_on": str(rows["observed_on"].max().date()) if len(rows) else None,
            }
            for name, rows in of_target.items()
        },
    }


def _lines(report: dict[str, Any]) -> Iterator[str]:
    found = report["snapshots"]
    yield (
        f"{found['rows']:,} snapshots of {found['clients']:,} clients, "
        f"{found['holdout_clients']:,} of them held out"
    )
    for name, target in report["targets"].items():
        mean = "none yet" if target["mean"] is None else f"mean {target['mean']:.4g}"
        yield f"{name}: {target['labels']:,} labels, {mean}"


if __name__ == "__main__":
    main(run)
