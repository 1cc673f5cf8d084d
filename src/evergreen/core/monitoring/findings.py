"""Checks of a champion: performance decline, and drift of its inputs and predictions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from evergreen.core.evaluation.decision import Minimum
from evergreen.core.evaluation.losses import Kind, Outcomes, minority_count
from evergreen.core.monitoring.decline import (
    RUNS,
    RelativeLoss,
    judge_decline,
    relative_loss,
)
from evergreen.core.monitoring.drift import (
    Distance,
    Reference,
    distance,
    distance_of_shares,
)
from evergreen.settings.pipeline import DriftSettings, Gate

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.core.events.loss_scale import LossScale

DECLINE, INPUTS, PREDICTIONS = "decline", "inputs", "predictions"
KINDS = (DECLINE, INPUTS, PREDICTIONS)
UNKNOWN_WORDS = "unknown_words"
"""The name of the share of out-of-vocabulary words among the inputs."""
NAMED = 3
"""The largest number of inputs that a message names."""


@dataclass(frozen=True)
class MonitoringCheck:
    """The result of one check.

    Attributes
    ----------
    kind
        One of `KINDS`.
    message
        The result in a sentence.
    since
        For an alert, the first day of the rows that raised it, as an ISO date; else None.
    numbers
        The figures behind the message.
    """

    kind: str
    message: str
    since: str | None = None
    numbers: dict[str, Any] = field(default_factory=dict)


def not_checked(kind: str, reason: str) -> MonitoringCheck:
    """Report why a check was not possible."""
    return MonitoringCheck(kind, f"not checked: {reason}")


def check_decline(
    kind: Kind,
    expected: dict[str, Any],
    live: pd.DataFrame,
    *,
    scale: LossScale,
    gate: Gate,
    drift: DriftSettings,
) -> MonitoringCheck:
    """Compare a champion's live loss with the loss expected at its promotion.

    Parameters
    ----------
    expected
        relative_loss, error, rows and clients; see `RelativeLoss`.
    live
        client_id, observed_on, label and prediction of its predictions whose outcome is known.
    scale
        Of the labels that the champion was trained on.
    gate
        The settings of the gate: the minimum of evidence is the same.
    drift
        The settings of monitoring.
    """
    known = live[np.isfinite(live["prediction"]) & np.isfinite(live["label"])]
    predicted = known["prediction"].to_numpy(np.float64)
    measured = relative_loss(Outcomes(kind, known["label"], known["client_id"], scale), predicted)
    if isinstance(measured, str):
        return not_checked(DECLINE, measured)
    if shortage := _shortage(kind, known["label"].to_numpy(), measured, Minimum.of(gate)):
        return not_checked(DECLINE, shortage)
    promotion = RelativeLoss(
        expected["relative_loss"], expected["error"], expected["rows"], expected["clients"]
    )
    decline = judge_decline(
        promotion, measured, tolerated=drift.tolerated_decline, false_alarms=drift.false_alarms
    )
    first, last = (str(day.date()) for day in known["observed_on"].agg(["min", "max"]))
    message = (
        f"the live loss is {measured.value:.3f} times that of predicting the mean for everyone, "
        f"expected {promotion.value:.3f}: {decline.growth:+.1%} (lower bound "
        f"{decline.at_least:+.1%}, tolerated {drift.tolerated_decline:+.0%}); {measured.rows:,} "
        f"predictions for {measured.clients:,} clients observed from {first} to {last}"
    )
    numbers = {
        "relative_loss": measured.value,
        "expected": promotion.value,
        "growth": decline.growth,
        "growth_lower_bound": decline.at_least,
        "rows": measured.rows,
        "clients": measured.clients,
    }
    return MonitoringCheck(DECLINE, message, first if decline.alert else None, numbers)


def _shortage(
    kind: Kind, labels: np.ndarray, measured: RelativeLoss, minimum: Minimum
) -> str | None:
    counts = {
        "predictions with a known outcome": (measured.rows, minimum.rows),
        "clients with a known outcome": (measured.clients, minimum.clients),
        "outcomes of the minority class": (minority_count(kind, labels), minimum.minority),
    }
    return next(
        (
            f"{n:,} {what}, but {least:,} are needed"
            for what, (n, least) in counts.items()
            if n < least
        ),
        None,
    )


def active(reference: dict[str, Any], recent: pd.DataFrame) -> pd.DataFrame:
    """Select recent buyers, as in the reference: of the others more are lost from day to day."""
    column = reference["active"]
    return recent if column is None else recent[recent[column] > 0]


def check_inputs(
    reference: dict[str, Any],
    recent: pd.DataFrame,
    *,
    words: tuple[float, int] | None,
    drift: DriftSettings,
) -> MonitoringCheck:
    """Compare the inputs of the clients observed lately with those at training.

    Parameters
    ----------
    reference
        See `evergreen.core.monitoring.reference.describe`.
    recent
        observed_on, and the columns of `reference`; a row for each of its `active` clients.
    words
        Share of out-of-vocabulary words in the texts of the clients observed today, and the number
        of these clients; None without text.
    drift
        The settings of monitoring.
    """
    n, tail = len(recent), drift.false_alarms / RUNS
    if n < drift.min_clients:
        return not_checked(INPUTS, _few_clients(n, drift))
    distances = {
        name: distance(Reference.from_dict(column), recent[name].to_numpy(np.float64), tail=tail)
        for name, column in reference["columns"].items()
    }
    unknown = reference["unknown_words"]
    if unknown is not None and words is not None and words[1] >= drift.min_clients:
        before, now = (np.array([1 - share, share]) for share in (unknown, words[0]))
        clients = (reference["predictions"]["clients"], words[1])
        distances[UNKNOWN_WORDS] = distance_of_shares(before, now, clients=clients, tail=tail)
    if not distances:
        return not_checked(INPUTS, "the history was too short for any input that can be compared")
    order = sorted(
        distances, key=lambda name: (-distances[name].at_least, -distances[name].value, name)
    )
    drifted = [name for name in order if distances[name].at_least > drift.max_distance]
    named = ", ".join(_named(name, distances[name]) for name in (drifted or order)[:NAMED])
    others = f" and {len(drifted) - NAMED} more" if len(drifted) > NAMED else ""
    message = (
        f"the distribution of {len(drifted)} of {len(distances)} inputs differs from training: "
        f"{named}{others}"
        if drifted
        else f"the distributions of all {len(distances)} inputs are close to training, the "
        f"largest distances: {named}"
    ) + _allowed(drift, n)
    numbers = {
        "clients": n,
        "drifted": sorted(drifted),
        "distances": {name: distances[name].value for name in sorted(distances)},
    }
    return MonitoringCheck(INPUTS, message, _last_day(recent) if drifted else None, numbers)


def check_predictions(
    reference: dict[str, Any], recent: pd.DataFrame, *, drift: DriftSettings
) -> MonitoringCheck:
    """Compare the predictions for the clients observed lately with those at training.

    Parameters
    ----------
    reference, drift
        As for `check_inputs`.
    recent
        As for `check_inputs`, and prediction.
    """
    predicted = recent["prediction"].to_numpy(np.float64)
    n = len(predicted)
    if n < drift.min_clients:
        return not_checked(PREDICTIONS, _few_clients(n, drift))
    if unusable := np.count_nonzero(~np.isfinite(predicted)):
        return not_checked(PREDICTIONS, f"{unusable:,} of {n:,} are not finite")
    expected = Reference.from_dict(reference["predictions"])
    measured = distance(expected, predicted, tail=drift.false_alarms / RUNS)
    drifted = measured.at_least > drift.max_distance
    message = (
        f"the distribution of predictions {'differs from' if drifted else 'is close to'} "
        f"training: {_named('distance', measured)}"
    ) + _allowed(drift, n)
    numbers = {"clients": n, "distance": measured.value, "mean": float(predicted.mean())}
    return MonitoringCheck(PREDICTIONS, message, _last_day(recent) if drifted else None, numbers)


def _few_clients(observed: int, drift: DriftSettings) -> str:
    return f"{observed:,} active clients were observed, but {drift.min_clients:,} are needed"


def _allowed(drift: DriftSettings, clients: int) -> str:
    return f"; allowed: {drift.max_distance:g}; {clients:,} active clients observed"


def _named(name: str, measured: Distance) -> str:
    return f"{name} {measured.value:.2f} (lower bound {measured.at_least:.2f})"


def _last_day(recent: pd.DataFrame) -> str:
    return str(recent["observed_on"].max().date())


def report(checks: list[MonitoringCheck]) -> dict[str, Any]:
    """Report on one target: alerts apart from checks that raised none or were not possible."""
    return {
        "alerts": [
            {"kind": check.kind, "since": check.since, "message": check.message}
            for check in checks
            if check.since
        ],
        "checked": [
            {"kind": check.kind, "message": check.message} for check in checks if not check.since
        ],
        "numbers": {check.kind: check.numbers for check in checks},
    }
