"""What the records of all runs add up to: losses, live metrics, versions."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from evergreen.errors import DataError

if TYPE_CHECKING:
    from datetime import date

    from evergreen.history.run_records import RunRecord


def loss_rows(records: list[RunRecord]) -> pd.DataFrame:
    """The losses of every run as rows for plots.

    Returns
    -------
    pandas.DataFrame
        as_of (ISO date), target, model (champion, incremental, full, or the baseline that stood in
        for a champion), loss (float64, of the rows judged in that run) and promoted (bool).
    """
    rows = []
    for record in records:
        for name, target in record.targets.items():
            key = {"as_of": record.as_of.isoformat(), "target": name}
            if target.opponent is not None and target.champion_loss is not None:
                old = {"model": target.opponent, "loss": target.champion_loss, "promoted": False}
                rows.append(key | old)
            for kind, candidate in target.candidates.items():
                won = target.action == "promoted" and candidate.version == target.version
                rows.append(key | {"model": kind, "loss": candidate.loss, "promoted": won})
    return pd.DataFrame(rows, columns=["as_of", "target", "model", "loss", "promoted"])


class Version(NamedTuple):
    """A model that was ever judged."""

    target: str
    version: str
    kind: str
    parent: str | None
    as_of: date
    loss: float | None
    promoted: bool


def versions(records: list[RunRecord]) -> list[Version]:
    """Every model that was ever judged, in the order of the runs."""
    return [
        Version(
            name,
            candidate.version,
            kind,
            candidate.parent,
            record.as_of,
            candidate.loss,
            target.action == "promoted" and candidate.version == target.version,
        )
        for record in records
        for name, target in record.targets.items()
        for kind, candidate in target.candidates.items()
    ]


class Live(NamedTuple):
    """What a release said of a target, against what happened and the expected loss.

    `expected` is the model's loss on held-out clients when it was promoted; `loss` that of the
    predictions it made in production, as far as their outcome is known.
    """

    target: str
    release: str
    version: str
    clients: int
    rows: int
    expected: float | None
    loss: float
    mean_prediction: float
    mean_label: float


def live(record: RunRecord, records: list[RunRecord]) -> list[Live]:
    """The live metrics that were known at a run, next to the expected loss.

    Parameters
    ----------
    record
        The run.
    records
        All runs up to it: those that released what it judges are among them.
    """
    expected = {(v.target, v.version): v.loss for v in versions(records) if v.promoted}
    served = {
        (name, str(r.release)): str(t.version) for r in records for name, t in r.targets.items()
    }
    return [
        Live(
            name,
            release,
            served.get((name, release), ""),
            found["clients"],
            found["rows"],
            expected.get((name, served.get((name, release), ""))),
            found[target.loss],
            found["mean_prediction"],
            found["mean_label"],
        )
        for name, target in record.targets.items()
        for release, found in target.live.items()
    ]


def live_rows(records: list[RunRecord]) -> pd.DataFrame:
    """The live metrics of every run as rows: as_of (ISO date) and the fields of `Live`."""
    rows = [
        {"as_of": record.as_of.isoformat()} | found._asdict()
        for number, record in enumerate(records, start=1)
        for found in live(record, records[:number])
    ]
    return pd.DataFrame(rows, columns=["as_of", *Live._fields])


def find_version(records: list[RunRecord], target: str, version: str) -> Version:
    """The model of that name.

    Raises
    ------
    DataError
        If there is none, with the nearest that there are.
    """
    known = [found for found in versions(records) if found.target == target]
    for found in known:
        if found.version == version:
            return found
    near = difflib.get_close_matches(version, [found.version for found in known], n=3)
    names = ", ".join(near or [found.version for found in known[-3:]]) or "none"
    which = "the nearest are" if near else "the last are"
    raise DataError(f"{target} has no version {version!r}; {which} {names}", "evergreen versions")
