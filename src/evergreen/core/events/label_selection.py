"""Selection of the labels that a run trains on, updates with, and compares models on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from evergreen.settings.pipeline import Gate

KEYS = ["client_id", "observed_on"]


@dataclass(frozen=True)
class Window:
    """The most recent labels on which models are compared.

    Attributes
    ----------
    days
        Labels that became known in this many days are in the window.
    target_rows
        The window is extended until it has this many labels,
    max_days
        but to no more than this many days.
    """

    days: int
    target_rows: int
    max_days: int

    @classmethod
    def of(cls, gate: Gate) -> Window:
        """Take the window from the settings of the gate."""
        return cls(gate.window_days, gate.target_rows, gate.max_window_days)


def as_known(labels: pd.DataFrame, *, by: date) -> pd.DataFrame:
    """Return the labels as they were known on a date: one version of each, not superseded yet.

    Parameters
    ----------
    labels
        All versions, as the stage ``collect_labels`` writes them.
    by
        Labels and corrections that became known later are ignored.
    """
    known = labels["known_on"] <= pd.Timestamp(by)
    current = labels["superseded_on"].isna() | (labels["superseded_on"] > pd.Timestamp(by))
    valid = labels[known & current]
    return valid.assign(superseded_on=valid["superseded_on"].where(~current[valid.index]))


def to_train(labels: pd.DataFrame, *, by: date, max_age_days: int) -> pd.DataFrame:
    """Select the labels of a full retrain: known by a date, not held out, not too old."""
    known = as_known(labels, by=by)
    recent = known["observed_on"] > pd.Timestamp(by - timedelta(days=max_age_days))
    return known[recent & ~known["holdout"]]


def to_update(
    labels: pd.DataFrame, *, by: date, after: date, replay_share: float, replay_days: int, seed: int
) -> pd.DataFrame:
    """Select the labels of one target that are new to a model, and older ones to replay.

    New labels are those of training clients that became known after the last one the model was
    trained on: each label once, and a corrected label again with its new value. Of the labels known
    in the `replay_days` before, `replay_share` times as many are drawn at random, so that the
    clients of one day don't displace what was learned before.

    Returns
    -------
    DataFrame
        The labels, new ones first, with a column ``replay`` (bool).
    """
    known = as_known(labels, by=by)
    training = known[~known["holdout"]]
    age = (pd.Timestamp(after) - training["known_on"]).dt.days
    new = training[age < 0]
    older = training[(age >= 0) & (age < replay_days)]
    size = min(len(older), round(replay_share * len(new)))
    replay = older.sample(size, random_state=seed).sort_index()
    both: pd.DataFrame = pd.concat(
        [new.assign(replay=False), replay.assign(replay=True)], ignore_index=True
    )
    return both


def to_judge(labels: pd.DataFrame, *, by: date, window: Window) -> pd.DataFrame:
    """Select the labels of one target on which models are compared: recent, held-out clients."""
    known = as_known(labels, by=by)
    return recently_known(known[known["holdout"]], by=by, window=window)


def recently_known(rows: pd.DataFrame, *, by: date, window: Window) -> pd.DataFrame:
    """Select the rows whose column ``known_on`` is in the window that ends on a date."""
    age = (pd.Timestamp(by) - rows["known_on"]).dt.days
    age = age[age < window.max_days]
    recent: pd.DataFrame = rows.loc[age.index]
    if recent.empty:
        return recent
    # All rows of a day are taken: the window ends with the day that completes `target_rows`.
    youngest_first = age.sort_values()
    needed = youngest_first.iloc[min(window.target_rows, len(age)) - 1]
    in_window: pd.DataFrame = recent[age < max(window.days, needed + 1)]
    return in_window


def observed_lately(snapshots: pd.DataFrame, *, by: date, days: int) -> pd.DataFrame:
    """Select the keys of the snapshots of the last days up to a date, which is included."""
    age = (pd.Timestamp(by) - snapshots["observed_on"]).dt.days
    keys: pd.DataFrame = snapshots.loc[(age >= 0) & (age < days), KEYS]
    return keys.reset_index(drop=True)


def numbered(snapshots: pd.DataFrame) -> pd.DataFrame:
    """Return the keys of snapshots with their position, so that a query can keep the order.

    Returns
    -------
    DataFrame
        row (int64, from 0), client_id (string) and observed_on (timestamp).
    """
    return pd.DataFrame(
        {
            "row": range(len(snapshots)),
            "client_id": snapshots["client_id"].to_numpy(),
            "observed_on": pd.to_datetime(snapshots["observed_on"]).to_numpy(),
        }
    ).astype({"row": "int64"})


def snapshots_of(labels: pd.DataFrame) -> pd.DataFrame:
    """Return the distinct snapshots of some labels, ordered by day and client."""
    keys = labels[KEYS].drop_duplicates()
    return keys.sort_values(KEYS[::-1]).reset_index(drop=True)
