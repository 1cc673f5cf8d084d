"""Past predictions that have met their outcome, in a file for each day on which labels came."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from evergreen.core.events.label_selection import Window, read_rows, recently_known
from evergreen.core.events.labels import SCHEMA, VERSION
from evergreen.core.events.loss_scale import UNSCALED, LossScale
from evergreen.core.monitoring.live_metrics import LiveSums, live_sums
from evergreen.settings import paths
from evergreen.settings.names import prediction_column
from evergreen.settings.pipeline import Settings
from evergreen.store import files, predictions, sql, tables
from evergreen.store.labels import reading_labels, view_labels

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.store.cache import Cache

FOLDER = paths.LABELS / "live"
KIND = "live"
SUMS_KIND = "sums"


def live_known(settings: Settings, cache: Cache, labels: Mapping[date, Path]) -> dict[date, Path]:
    """Return a file for each day on which labels met predictions that production had made.

    Parameters
    ----------
    labels
        As of `evergreen.store.labels.labels_known`. Days without any earlier prediction are left
        out.

    Returns
    -------
    dict
        Files with the columns of `evergreen.core.events.labels.create_labels`, release and
        prediction; ordered by target, day and client.
    """
    made = predictions.by_day(paths.PREDICTIONS)
    so_far = accumulate(
        made.items(),
        lambda digest, day: files.digest_of([digest, files.sha256(day[1])]),
        initial="",
    )
    chained = dict(zip([date.min, *made], so_far, strict=True))
    columns = {name: prediction_column(name, t.kind) for name, t in settings.targets.items()}
    entries = {}
    for day, path in labels.items():
        if before := [predicted for predicted in made if predicted < day]:
            made_from = {"labels": path.name, "predictions": chained[before[-1]]}
            entries[day] = cache.entry(KIND, made_from | {"columns": columns})
    missing = {day: entry for day, entry in entries.items() if not entry.is_file()}
    if missing:
        con = tables.connect(settings.compute.threads)
        query = _MATCH.format(predicted=_by_target(columns))
        for day, entry in missing.items():
            view_labels(con, {day: labels[day]})
            found = con.sql("select distinct observed_on from versions order by all").fetchall()
            parts = [made[observed] for (observed,) in found if observed in made]
            predictions.view(con, parts, settings.targets)
            with files.replacing(entry, shared=True) as unfinished:
                tables.write_unfinished(con.sql(query).to_arrow_table(), unfinished)
    return entries


_MATCH = f"""
with predicted_values as ({{predicted}})
select v.*, release, prediction from versions v
join predicted_values using (target, client_id, observed_on)
order by {VERSION}
"""


def _by_target(columns: Mapping[str, str]) -> str:
    return " union all ".join(
        f"select '{target}' as target, client_id, observed_on, release, {sql.name(column)} as "
        f"prediction from predictions where {sql.name(column)} is not null and release is not null"
        for target, column in columns.items()
    )


def sums_known(
    settings: Settings, cache: Cache, labels: Mapping[date, Path], live: Mapping[date, Path]
) -> list[dict[str, dict[str, LiveSums]]]:
    """Add up the files of `live_known`, day by day, target by target, release by release.

    The loss of amounts is on the scale of the labels that had become known within `every_days` up
    to that day: those of all clients, once.
    """
    every = settings.snapshots.every_days
    con, sums = tables.connect(settings.compute.threads), []
    for day, path in live.items():
        entry = cache.entry(SUMS_KIND, {"live": path.name, "every_days": every})
        if not entry.is_file():
            matched = tables.read_frame(path, made_by="collect_labels")
            view_labels(con, labels, after=day - timedelta(days=every), through=day)
            of_targets = {}
            for name, target in settings.targets.items():
                rows, scale = matched[matched["target"] == name], UNSCALED
                if target.kind == "regression" and len(rows):
                    query = f"select client_id, label from labels where target = '{name}'"
                    known = read_rows(con, f"{query} order by observed_on, client_id")
                    scale = LossScale.of_labels(known["label"], known["client_id"])
                of_targets[name] = live_sums(target.kind, rows, scale)
            files.write_json(of_targets, entry, shared=True)
        content = files.read_json(entry, next_step="dvc repro")
        sums.append(
            {
                name: {release: LiveSums(*values) for release, values in releases.items()}
                for name, releases in content.items()
            }
        )
    return sums


@reading_labels()
def read_live(target: str, *, since: date, by: date, window: Window) -> pd.DataFrame:
    """Read the predictions for a target made from a day on, whose outcome became known lately.

    Returns
    -------
    DataFrame
        target, client_id, observed_on, known_on, label, release and prediction.
    """
    con = tables.connect(1)
    columns = SCHEMA | {"release": "varchar", "prediction": "double"}
    oldest = by - timedelta(days=window.max_days)
    view_labels(con, tables.days_in(FOLDER), after=oldest, through=by, columns=columns)
    made = f"from labels where target = '{target}' and observed_on >= date '{since}'"
    recent = recently_known(made, by=by, window=window)
    return read_rows(con, f"from ({recent}) order by observed_on, client_id")
