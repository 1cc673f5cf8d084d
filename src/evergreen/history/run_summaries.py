"""Summaries of the records of all runs: losses, live metrics, versions."""

from __future__ import annotations

import difflib
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from evergreen.errors import DataError

if TYPE_CHECKING:
    from evergreen.history.run_records import RunRecord


def loss_rows(records: list[RunRecord]) -> pd.DataFrame:
    """The losses of every run as rows for plots.

    Returns
    -------
    pandas.DataFrame
        as_of (ISO date), target, model (champion, incremental, full, or the baseline used where
        there is no champion), loss (float64, on the rows of that run) and promoted (bool).
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
    """A candidate of any run."""

    target: str
    version: str
    kind: str
    parent: str | None
    as_of: date
    loss: float | None
    promoted: bool


def versions(records: list[RunRecord]) -> list[Version]:
    """All candidates, in the order of the runs."""
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
    """Predictions of a release for a target, compared with the outcome and the expected loss.

    `expected` is the model's loss on held-out clients at promotion, `loss` that of its predictions
    in production, where the outcome is known.
    """

    target: str
    release: str
    version: str
    rows: int
    expected: float | None
    loss: float
    mean_prediction: float
    mean_label: float


def live(record: RunRecord, records: list[RunRecord]) -> list[Live]:
    """The live metrics known at a run, next to the expected loss.

    Parameters
    ----------
    record
        The run.
    records
        All runs up to it, which include those that released the models.
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
            metrics["rows"],
            expected.get((name, served.get((name, release), ""))),
            metrics[target.loss],
            metrics["mean_prediction"],
            metrics["mean_label"],
        )
        for name, target in record.targets.items()
        for release, metrics in target.live.items()
    ]


def live_rows(records: list[RunRecord]) -> pd.DataFrame:
    """The live metrics of every run as rows: as_of (ISO date) and the fields of `Live`."""
    rows = [
        {"as_of": record.as_of.isoformat()} | result._asdict()
        for number, record in enumerate(records, start=1)
        for result in live(record, records[:number])
    ]
    return pd.DataFrame(rows, columns=["as_of", *Live._fields])


def find_version(records: list[RunRecord], target: str, version: str) -> Version:
    """The candidate with that version.

    Raises
    ------
    DataError
        If there is none; with similar versions.
    """
    candidates = {v.version: v for v in versions(records) if v.target == target}
    if version in candidates:
        return candidates[version]
    similar = difflib.get_close_matches(version, candidates, n=3)
    names = ", ".join(similar or list(candidates)[-3:]) or "none"
    which = "similar ones are" if similar else "the latest are"
    raise DataError(f"{target} has no version {version!r}; {which} {names}", "evergreen versions")
