"""How many labels became known on each day: counted once for each day, added up by readers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from evergreen.core.events.snapshots import held_out
from evergreen.settings import paths
from evergreen.settings.pipeline import Settings
from evergreen.store import files, tables
from evergreen.store.labels import labels_known, view_labels

if TYPE_CHECKING:
    from evergreen.store.cache import Cache

COUNTS = paths.LABELS / "counts.parquet"
MILLIONTHS = 1_000_000
KIND = "counts"
COLUMNS = ["target", "known_on", "holdout", "labels", "corrections", "sum", "last_observed_on"]

# A correction takes its label away from the day on which the corrected version became known.
_COUNT = """
with changes as (
    select known_on as day, target, known_on, client_id, label, 1 as labels,
           (corrects is not null)::int as corrections, observed_on
    from versions
    union all
    select known_on, target, corrects, client_id, previous, -1, 0, observed_on
    from versions where corrects is not null
)
select day, target, known_on::varchar, {held_out} as holdout, sum(labels)::bigint,
       sum(corrections)::bigint,
       sum(labels * coalesce(try_cast(round(label * 1000000) as hugeint), 0)),
       max(observed_on)::varchar
from changes group by all order by all
"""


def count_labels(settings: Settings, cache: Cache, labels: Mapping[date, Path]) -> pd.DataFrame:
    """Count the labels of each target as they are known on the last of some days.

    Parameters
    ----------
    labels
        As of `evergreen.store.labels.labels_known`.

    Returns
    -------
    DataFrame
        target, known_on (timestamp), holdout (bool), labels and corrections (int64), sum (of the
        labels, in millionths: int), last_observed_on (timestamp).
    """
    entries = {
        day: cache.entry(
            KIND, {"labels": path.name, "holdout": settings.holdout.model_dump(mode="json")}
        )
        for day, path in labels.items()
    }
    missing = {day: labels[day] for day, entry in entries.items() if not entry.is_file()}
    if missing:
        con = tables.connect(settings.compute.threads)
        view_labels(con, missing)
        hashed = held_out(settings.holdout.share, settings.holdout.salt)
        counts: dict[date, list[object]] = {day: [] for day in missing}
        for day, *row in con.sql(_COUNT.format(held_out=hashed)).fetchall():
            counts[day].append([int(v) if i == SUM else v for i, v in enumerate(row)])
        for day, rows in counts.items():
            files.write_json(rows, entries[day], shared=True)
    rows = [row for path in entries.values() for row in files.read_json(path, next_step="")]
    frame = pd.DataFrame(rows, columns=COLUMNS).astype({"sum": object})
    dates = {name: pd.to_datetime(frame[name]) for name in ("known_on", "last_observed_on")}
    return frame.assign(**dates)


SUM = COLUMNS.index("sum")


def summaries(counts: pd.DataFrame, targets: Iterable[str]) -> dict[str, dict[str, object]]:
    """Summarize the counts of `count_labels`: numbers of labels, their mean, the last snapshot."""
    return {name: _summary(counts[counts["target"] == name]) for name in targets}


def _summary(counts: pd.DataFrame) -> dict[str, object]:
    labels, total = int(counts["labels"].sum()), int(sum(counts["sum"]))
    return {
        "labels": labels,
        "labels_holdout": int(counts["labels"][counts["holdout"].astype(bool)].sum()),
        "labels_revised": int(counts["corrections"].sum()),
        "mean": total / (labels * MILLIONTHS) if labels else None,
        "last_observed_on": str(counts["last_observed_on"].max().date()) if labels else None,
    }


def of_training_clients(counts: pd.DataFrame) -> pd.DataFrame:
    """Return the labels of clients that are not held out, by the day they became known.

    Returns
    -------
    DataFrame
        target, known_on (timestamp) and labels (int64).
    """
    training = counts[~counts["holdout"].astype(bool)]
    labels = training.groupby(["target", "known_on"])["labels"].sum()
    return labels.astype("int64").reset_index()


def count_training_labels(settings: Settings, cache: Cache) -> pd.DataFrame:
    """Count the labels of training clients known as of a run, from the rows ingested."""
    return of_training_clients(count_labels(settings, cache, labels_known(settings, cache)))
