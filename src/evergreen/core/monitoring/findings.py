"""What is found about a champion, in words: has it declined, has what it sees or says drifted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evergreen.core.evaluation.losses import minority_count
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

if TYPE_CHECKING:
    import pandas as pd

    from evergreen.core.evaluation.decision import Minimum
    from evergreen.core.evaluation.losses import Kind
    from evergreen.core.events.loss_scale import LossScale

DECLINE, INPUTS, PREDICTIONS = "decline", "inputs", "predictions"
WORDS_UNKNOWN = "unknown_words"
"""What the share of words that are no terms is called among the inputs."""
NAMED = 3


@dataclass(frozen=True)
class Finding:
    """What was looked at, in words.

    Attributes
    ----------
    since
        For an alert: the first day of what it was raised on, as an ISO date; None if all is well.
    numbers
        For reports.
    """

    kind: str
    message: str
    since: str | None = None
    numbers: dict[str, Any] = field(default_factory=dict)


class Limits(NamedTuple):
    """When a distribution has drifted; as `evergreen.settings.pipeline.DriftSettings` says."""

    max_distance: float
    min_clients: int
    false_alarms: float


def not_checked(what: str, reason: str) -> Finding:
    """A finding that there is none."""
    return Finding(what, f"not checked: {reason}")


def watch_loss(
    kind: Kind,
    expected: dict[str, Any],
    live: pd.DataFrame,
    *,
    scale: LossScale,
    minimum: Minimum,
    tolerated: float,
    false_alarms: float,
) -> Finding:
    """Compare what a champion said in production with what its promotion promised.

    Parameters
    ----------
    expected
        relative_loss, error, rows and clients; see `RelativeLoss`.
    live
        client_id, observed_on, label and prediction of its predictions whose outcome is known.
    scale
        Of the labels that it was trained on.
    """
    known = live[np.isfinite(live["prediction"]) & np.isfinite(live["label"])]
    found = relative_loss(
        kind,
        known["label"],
        known["prediction"].to_numpy(np.float64),
        known["client_id"],
        scale=scale,
    )
    if isinstance(found, str):
        return not_checked(DECLINE, found)
    if short := _too_few(kind, known["label"].to_numpy(), found, minimum):
        return not_checked(DECLINE, short)
    then = RelativeLoss(
        expected["relative_loss"], expected["error"], expected["rows"], expected["clients"]
    )
    judged = judge_decline(then, found, tolerated=tolerated, false_alarms=false_alarms)
    first, last = (str(day.date()) for day in known["observed_on"].agg(["min", "max"]))
    words = (
        f"the live loss is {found.value:.3f} of that of telling everyone the mean, and "
        f"{then.value:.3f} was promised: {judged.growth:+.1%}, for sure at least "
        f"{judged.at_least:+.1%}, and {tolerated:+.0%} is tolerated; {found.rows:,} predictions "
        f"of {found.clients:,} clients observed from {first} to {last}"
    )
    numbers = {
        "relative_loss": found.value,
        "expected": then.value,
        "growth": judged.growth,
        "growth_lower_bound": judged.at_least,
        "rows": found.rows,
        "clients": found.clients,
    }
    return Finding(DECLINE, words, first if judged.alert else None, numbers)


def _too_few(kind: Kind, labels: np.ndarray, found: RelativeLoss, minimum: Minimum) -> str | None:
    needed = {
        "predictions have met their outcome": (found.rows, minimum.rows),
        "clients were predicted whose outcome is known": (found.clients, minimum.clients),
        "outcomes are of the rarer sort": (minority_count(kind, labels), minimum.minority),
    }
    return next(
        (f"{n:,} {what}, {least:,} are needed" for what, (n, least) in needed.items() if n < least),
        None,
    )


def active(reference: dict[str, Any], recent: pd.DataFrame) -> pd.DataFrame:
    """Those who bought lately, as in the reference: many others have gone, more from day to day."""
    column = reference["active"]
    return recent if column is None else recent[recent[column] > 0]


def watch_inputs(
    reference: dict[str, Any],
    recent: pd.DataFrame,
    *,
    words: tuple[float, int] | None,
    limits: Limits,
) -> Finding:
    """Compare the inputs of the clients observed lately with those at training.

    Parameters
    ----------
    reference
        See `evergreen.core.monitoring.reference.describe`.
    recent
        observed_on, and the columns of `reference`; a row for each of its `active` clients.
    words
        Share of the words of the clients observed today that are no terms, and how many clients
        these are; None without text.
    """
    n, tail = len(recent), limits.false_alarms / RUNS
    if n < limits.min_clients:
        return not_checked(INPUTS, _few_clients(n, limits.min_clients))
    found = {
        name: distance(Reference.from_dict(column), recent[name].to_numpy(np.float64), tail=tail)
        for name, column in reference["columns"].items()
    }
    then = reference["unknown_words"]
    if then is not None and words is not None and words[1] >= limits.min_clients:
        before, now = (np.array([1 - share, share]) for share in (then, words[0]))
        clients = (reference["predictions"]["clients"], words[1])
        found[WORDS_UNKNOWN] = distance_of_shares(before, now, clients=clients, tail=tail)
    if not found:
        return not_checked(INPUTS, "the history was too short for any input that can be compared")
    order = sorted(found, key=lambda name: (-found[name].at_least, -found[name].value, name))
    drifted = [name for name in order if found[name].at_least > limits.max_distance]
    named = ", ".join(_named(name, found[name]) for name in (drifted or order)[:NAMED])
    others = f" and {len(drifted) - NAMED} more" if len(drifted) > NAMED else ""
    told = (
        f"{len(drifted)} of {len(found)} inputs are distributed otherwise than at training: "
        f"{named}{others}"
        if drifted
        else f"all {len(found)} inputs are near to what they were at training: farthest are {named}"
    ) + _allowed(limits, n)
    numbers = {
        "clients": n,
        "drifted": sorted(drifted),
        "distances": {name: found[name].value for name in sorted(found)},
    }
    return Finding(INPUTS, told, _last_day(recent) if drifted else None, numbers)


def watch_predictions(
    reference: dict[str, Any],
    recent: pd.DataFrame,
    *,
    limits: Limits,
) -> Finding:
    """Compare what is predicted for the clients observed lately with what was at training.

    Parameters
    ----------
    reference
        As for `watch_inputs`.
    recent
        As for `watch_inputs`, and prediction.
    """
    said = recent["prediction"].to_numpy(np.float64)
    if len(said) < limits.min_clients:
        return not_checked(PREDICTIONS, _few_clients(len(said), limits.min_clients))
    if unusable := np.count_nonzero(~np.isfinite(said)):
        return not_checked(PREDICTIONS, f"{unusable:,} of {len(said):,} are not finite")
    then = Reference.from_dict(reference["predictions"])
    found = distance(then, said, tail=limits.false_alarms / RUNS)
    drifted = found.at_least > limits.max_distance
    words = (
        f"predictions are {'distributed otherwise than' if drifted else 'near to what they were'} "
        f"at training: {_named('distance', found)}"
    ) + _allowed(limits, len(said))
    numbers = {"clients": len(said), "distance": found.value, "mean": float(said.mean())}
    return Finding(PREDICTIONS, words, _last_day(recent) if drifted else None, numbers)


def _few_clients(found: int, needed: int) -> str:
    return f"{found:,} active clients were observed, {needed:,} are needed"


def _allowed(limits: Limits, clients: int) -> str:
    return f"; {limits.max_distance:g} is allowed; {clients:,} active clients observed"


def _named(name: str, found: Distance) -> str:
    return f"{name} {found.value:.2f} (at least {found.at_least:.2f})"


def _last_day(recent: pd.DataFrame) -> str:
    return str(recent["observed_on"].max().date())


def report(findings: list[Finding]) -> dict[str, Any]:
    """The findings about one target, alerts apart from what is well or could not be checked."""
    return {
        "alerts": [
            {"kind": f.kind, "since": f.since, "message": f.message} for f in findings if f.since
        ],
        "checked": [{"kind": f.kind, "message": f.message} for f in findings if not f.since],
        "numbers": {f.kind: f.numbers for f in findings},
    }
